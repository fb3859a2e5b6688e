"""The wiring: make a context from a checked configuration, and a daemon with a ticker from the context.

The scheduler is only a ticker (memory store, UTC): the ledger knows what is due. On SIGTERM the daemon starts
nothing new and gives running requests eight seconds; the next start looks up those without an answer. On
SIGHUP the daemon reads the mappings again. The daemon tells the service manager its status, when it is up,
and that it is alive, as long as its loop is running and the ledger answers.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event, Thread

from loguru import logger

from syncd.config.load import Configuration
from syncd.config.mapping.load import load_mappings
from syncd.config.settings.access import on_loopback
from syncd.config.settings.settings import Settings
from syncd.config.templates.templates import Templates
from syncd.domain.clock import Clock
from syncd.engine.context import EngineContext, build_context
from syncd.engine.jobs.reload import Reloader, system_user, with_last_claims
from syncd.engine.loop import WORKERS, ControlLoop
from syncd.engine.rehearsal import rehearse
from syncd.engine.rules import Rules, TicketRenderer
from syncd.engine.runtime.mailer import Mailer
from syncd.engine.runtime.memory import keep_for_good
from syncd.engine.runtime.system_clock import SystemClock  # noqa: TID251 - for the ticker alone
from syncd.engine.runtime.systemd import Supervisor
from syncd.engine.runtime.ticker import Ticker
from syncd.ledger.errors import LeadershipLost, LedgerError, LedgerReplaced, LedgerUnwritable
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store.key_values import DAEMON_STOPPED, set_value
from syncd.ledger.store.loaded_rules import Loaded
from syncd.remote.chat import ChatClient
from syncd.remote.heartbeat import Heartbeat
from syncd.remote.http.budget import Budget
from syncd.remote.http.deadline import end_all
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import JiraClient, jira_client
from syncd.remote.mail import FolderMail, Mail, SmtpMail
from syncd.remote.pagerduty.client import PagerDutyClient, pagerduty_client
from syncd.remote.pagerduty.events import EventsClient
from syncd.web.app import open_listener, open_page
from syncd.web.receive import Receiver
from syncd.web.server import Door, knock
from syncd.web.source import Source
from syncd.web.standby import Waited

GRACE_SECONDS = 8.0
"""Seconds that running requests get after SIGTERM."""

CLOCK_CHECKED_EVERY = 1.0
"""Seconds between two looks whether the system's clock was set."""
REPORTS_EVERY = 5.0
"""Seconds between two checks whether a report is due or was requested."""
SLOW_LOOK_EVERY, NIGHTLY_LOOK_EVERY = 60.0, 900.0
"""Seconds between two checks whether the slow poll, or work of the night, is due by the ledger."""


def client_factories(
    configuration: Configuration, transport: Transport
) -> tuple[Callable[[], PagerDutyClient], Callable[[], JiraClient]]:
    """Return a function that makes a PagerDuty client, and one that makes a Jira client."""
    settings, live = configuration.settings, configuration.live
    token, jira_token = live.pagerduty_token.get_secret_value(), live.jira_token.get_secret_value()
    return (
        lambda: pagerduty_client(settings.pagerduty_url, token, settings.pagerduty_from, transport),
        lambda: jira_client(live.jira_url, jira_token, transport, email=settings.jira_email),
    )


def make_context(
    configuration: Configuration,
    ledger: Ledger,
    clock: Clock,
    *,
    transport: Transport | None = None,
    dry_run: bool = False,
) -> EngineContext:
    """Return the engine's context for a checked configuration and an open ledger.

    With `dry_run` syncd writes nothing to a service, whatever the settings say.
    """
    settings = configuration.settings
    stop = Event()
    budget = Budget(clock, stop=stop)
    leadership = ledger.leadership
    transport = transport or Transport(
        clock,
        budget=budget,
        ca_file=settings.trusted,
        why_not_send=leadership.why_not_send if leadership is not None else None,
    )
    unusable = tuple(with_last_claims(ledger, file) for file in configuration.unusable)
    return build_context(
        ledger,
        clock,
        client_factories(configuration, transport),
        transport,
        Rules(configuration.mappings, TicketRenderer(configuration.templates), unusable),
        settle_seconds=settings.settle_seconds,
        backfill_seconds=settings.backfill.total_seconds(),
        poll_seconds=settings.poll_seconds,
        dry_run=dry_run or settings.dry_run,
        stop=stop,
        mailer=make_post(configuration, transport, clock),
        alarm_events=_alarm_events(settings, transport),
        chat=chat_client(settings, transport),
        expires=settings.expires,
        former_accounts=settings.former_accounts,
    )


def read_rules(configuration: Configuration) -> Rules:
    """Read the mappings and templates from their files; raise `ConfigError`."""
    templates = Templates(configuration.settings.templates_dir)
    mappings = load_mappings(configuration.live.mappings_dir, templates)
    return Rules(mappings, TicketRenderer(templates))


def _heartbeat(settings: Settings, context: EngineContext) -> Heartbeat | None:
    if settings.heartbeat_url is None:
        return None
    return Heartbeat(settings.heartbeat_url, context.transport.counts, context.clock, settings.trusted)


def _alarm_events(settings: Settings, transport: Transport) -> EventsClient | None:
    if settings.alarm_routing_key is None:
        return None
    return EventsClient(settings.alarm_url, settings.alarm_routing_key.get_secret_value(), transport)


def chat_client(settings: Settings, transport: Transport) -> ChatClient | None:
    """Return the client of the chat channels, None where none has a URL."""
    urls = {channel: url.get_secret_value() for channel, url in settings.chat_urls.items()}
    return ChatClient(urls, transport) if urls else None


def open_ledger(settings: Settings, holder: str, clock: Clock) -> Ledger:
    """Open the ledger for work, with `holder` as the name in its lock; raise `LedgerError`."""
    return open_for_work(settings.ledger_url, holder, clock.now(), settings.state_dir, clock.boottime)


def make_post(configuration: Configuration, transport: Transport, clock: Clock) -> Mailer:
    """Return the mailer: over the settings' mail server, or into files if there is none."""
    settings = configuration.settings
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    client: Mail = FolderMail(settings.mail_dir, clock)
    if settings.smtp_host:
        client = SmtpMail(
            transport,
            settings.smtp_host,
            settings.mail_port,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=password,
            ca_file=settings.trusted,
        )
    return Mailer(
        client=client,
        sender=settings.smtp_from or "syncd <syncd@localhost>",
        templates=configuration.templates,
        loopback=on_loopback(settings),
        nobody=not settings.smtp_host,
        operator=settings.operator_email,
        page=settings.page_url or "",
    )


class Daemon:
    """The control loop with a ticker, signals and a listener.

    Raise `ConfigError` if the listener's address is not available.
    """

    def __init__(
        self, context: EngineContext, configuration: Configuration, waited: Waited | None = None
    ) -> None:
        settings = configuration.settings
        poll_seconds = settings.poll_seconds
        self.loop = ControlLoop(context, lambda: self._source.receiver.waiting())
        self.supervisor = Supervisor()
        self.watchdog = context.watchdog
        tell, read = self.supervisor, partial(read_rules, configuration)
        self.reloader = Reloader(context, read, self.loop.rules_changed, tell.reloading, tell.ready)
        receiver = Receiver(context, self.loop.work_queue.submit_told)
        self._source = Source(context, self.loop.good_reads.latest, receiver, poll_seconds)
        # bound before the first contact, so that a wrong address stops the start
        fronts = waited.fronts if waited is not None else None
        front, page = (fronts.listener, fronts.page) if fronts is not None else (None, None)
        self.listener = open_listener(settings, self._source, context.clock.now(), front)
        self.page = open_page(settings, self._source, configuration.templates, page)
        self._heartbeat = _heartbeat(settings, context)
        self._context = context
        self._poll_seconds = poll_seconds
        self._address = settings.listen
        self._waited = waited or Waited(None, Event(), Event())
        self._asked_to_stop = self._waited.asked_to_stop
        self._failed: Exception | None = None
        # APScheduler waits by the system's clock, also when a test gives the engine another one
        self._ticker = Ticker(SystemClock())

    @property
    def _listeners(self) -> list[Door]:
        return [listener for listener in (self.listener, self.page) if listener is not None]

    def run(self) -> bool:
        """Run until SIGTERM or SIGINT; return True if all running requests ended.

        Raise what the first contact raises: refused credentials, the ledger of another account, a mapping
        that does not fit. After False, threads still wait for answers that nobody will use.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked_to_stop.set())
        # Block SIGHUP before any thread starts, so that only `_reloads` takes it, with the sender's user.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        # The first contact may wait for a service that hangs; SIGTERM must end the process all the same.
        starting = Thread(target=self._start, name="start", daemon=True)
        starting.start()
        while not self._asked_to_stop.wait(CLOCK_CHECKED_EVERY):
            self._ticker.mind_clock()
            self._mind_lead()
        if self._failed is None:
            logger.info("stopping: starting nothing new; running requests get {:.0f} s", GRACE_SECONDS)
        self.supervisor.stopping()
        ended = self._stop(starting)
        if self._failed is not None:
            raise self._failed
        # a disk that is full shows by itself
        with suppress(LedgerError):
            set_value(self._context.ledger, DAEMON_STOPPED, at=self._context.clock.now().isoformat())
        if not ended:
            logger.warning("stopped with requests that have no answer yet; the next start looks them up")
        return ended

    def _mind_lead(self) -> None:
        """Raise `LeadershipLost` once another daemon may lead; the process must end at once then."""
        self._context.ledger.note_own_end()
        lost = self._source.replaced()
        if lost is not None:
            # nothing that is under way may arrive later
            end_all()
            self.supervisor.stopping()
            raise LeadershipLost(lost)

    def _start(self) -> None:
        self.supervisor.status("making first contact with both services")
        try:
            self.loop.make_first_contact()
            self.loop.recover()
        except Exception as error:  # noqa: BLE001 - handed over to the main thread, which raises it
            self._failed = error
            self._asked_to_stop.set()
            return
        # a SIGTERM during the first contact: start no workers
        if self._asked_to_stop.is_set():
            return
        self.loop.work_queue.start(WORKERS, self._context.services.prepare)
        self._arm_ticker()
        for listener in self._listeners:
            listener.start()
        self.supervisor.ready()
        self._waited.started.set()
        if self.supervisor.watchdog is not None:
            # systemd asks for a sign of life in each period; half of it leaves room for a slow answer
            Thread(
                target=self._watch, args=(self.supervisor.watchdog / 2,), name="watch", daemon=True
            ).start()
        self._prepare()

    def _prepare(self) -> None:
        """Make the first webhook and the first incident as quick as every later one."""
        if self.listener is not None and self._address is not None:
            knock(self._address[0], self.listener.port)
        rehearse(self._context)
        keep_for_good(clean_up=True)

    def _arm_ticker(self) -> None:
        ticker, jobs = self._ticker, self.loop.jobs
        ticker.every(self._poll_seconds, self._cycle, at_once=True, apart=True)
        second = (self.loop.tick, self._source.receiver.tick, jobs.run_jobs, jobs.adoptions, self._reloads)
        for job in second:
            ticker.every(1, self._unless_unwritable(job))
        ticker.every(REPORTS_EVERY, self._unless_unwritable(jobs.reports))
        ticker.every(SLOW_LOOK_EVERY, self._unless_unwritable(jobs.slow_if_due))
        ticker.every(NIGHTLY_LOOK_EVERY, self._unless_unwritable(jobs.nightly))
        ticker.start()

    def _unless_unwritable(self, job: Callable[[], object]) -> Callable[[], None]:
        """Return the job, silent if the ledger rejects writes: the next cycle logs that once."""

        def run() -> None:
            try:
                self._context.ledger.check_in_place()
                with suppress(LedgerUnwritable):
                    job()
            except LedgerReplaced as error:
                self._failed = error
                self._asked_to_stop.set()

        return run

    def _watch(self, every: float) -> None:
        """Tell the service manager that the daemon is alive, as long as it is healthy."""
        last_reason = None
        while not self._asked_to_stop.wait(every):
            reason = self._source.sick()
            if reason is None:
                self.supervisor.alive()
            elif reason != last_reason:
                logger.critical("syncd no longer reports to the service manager's watchdog: {}", reason)
            last_reason = reason

    def _reloads(self) -> None:
        """Read the rules again if a signal or a person asked for it."""
        while (sent := signal.sigtimedwait({signal.SIGHUP}, 0)) is not None:
            self.reloader.run(Loaded(sent.si_uid, system_user(sent.si_uid), "SIGHUP"))
        self.loop.jobs.reloads(self.reloader)

    def _cycle(self) -> None:
        try:
            with self.watchdog.cycle():
                result = self.loop.cycle()
            if result.good and self._heartbeat is not None:
                self._heartbeat.beat()
            if self.supervisor.listens:
                # a database that is away shows by itself
                with suppress(LedgerUnwritable):
                    self.supervisor.status(self._source.daemon_status().line())
        except LedgerError as error:
            # A service that was down at the start may turn out to belong to another account.
            self._failed = error
            self._asked_to_stop.set()

    def _stop(self, starting: Thread) -> bool:
        """Start nothing new and wait for running requests, for `GRACE_SECONDS` at most; True if all ended."""
        clock = self._context.clock
        limit = clock.boottime() + GRACE_SECONDS
        self._context.stop.set()
        starting.join(GRACE_SECONDS)
        if starting.is_alive():
            return False
        for listener in self._listeners:
            # in a thread of its own: open webhooks must not use up the grace of running writes
            Thread(target=listener.stop, args=(GRACE_SECONDS,), name="listener-end", daemon=True).start()
        ending = Thread(target=self._ticker.stop, name="stop", daemon=True)
        ending.start()
        ended = self.loop.work_queue.stop(limit - clock.boottime())
        ending.join(max(0.0, limit - clock.boottime()))
        return ended and not ending.is_alive()
