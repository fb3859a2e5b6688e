"""Plays a plan: the real policy, engine, outbox and ledger between people, faults and crashes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cheap_ledgers import memory
from ledger_reading import awaiting, look_at_everything
from loguru import logger
from rig import PlainRenderer

from simulation.baton import Hub, soften
from simulation.channel import BEFORE, Channel
from simulation.ending import Ending
from simulation.letterbox import Letterbox, mailer
from simulation.line import WHOLE, DaemonClock, SimulatedLine
from simulation.outside import Outside
from simulation.people import WAIT, People
from simulation.plan import Plan
from simulation.teams import OWN_STATUSES, mappings_of
from simulation.watched import LedgerFile, Place, watched_ledger
from simulation.wire import WatchedLedger, WireTransport
from syncd.engine.context import EngineContext, build_context
from syncd.engine.loop import ControlLoop
from syncd.engine.observe.slow_poll import EVERY_SECONDS
from syncd.engine.rules import Rules
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.requests.answers import ask
from syncd.ledger.views import status
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox import dump, presets
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.chance import stream
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.jira.workflow import any_to_any

QUIET = 1100.0
"""Seconds after the calm: settle time, the longest pause of a service, and the waits of people."""
ALL_SEEN = 960.0
"""Seconds after the calm within which the slow poll runs once."""
CALM_POLL = 150.0
"""Seconds between two cycles once the calm has lasted five minutes, to save time."""
SEEN_AFTER = WAIT + CALM_POLL + WHOLE
"""Seconds after the lag of reads of a ticket: a person finds it, and a cycle reads their texts."""

Mutate = Callable[[ControlLoop], None]


class Simulation:
    """One plan, played in a folder."""

    def __init__(self, plan: Plan, folder: Path, mutate: Mutate) -> None:
        self.plan, self.mutate = plan, mutate
        clock = SandboxClock(START - (BEFORE if plan.chat != "off" else timedelta()))
        self.world = default_world(clock, plan.seed, limits=False)
        self.hub, self.line = self._network(clock)
        self.clock = DaemonClock(self.hub)
        self.letterbox = Letterbox(self.line, self.hub, stream(plan.seed, "letters"), plan.calm)
        self.file = folder / "ledger.db"
        self.place = self._put_ledger()
        self.people = People(self.world, self.hub, plan, self.place, lambda: self.line.orphans)
        self.channel = Channel(self.world, self.hub, plan, self.place)
        self.outside = Outside(self.world, self.hub, plan, self.line, self.clock, self.place)
        self.lines: list[tuple[float, str]] = []
        self.boots: list[float] = []
        self.errors: list[str] = []
        self.crashes = self.starts = 0
        self.ledger: Ledger | None = None
        self.loop: ControlLoop | None = None
        self._prepare()

    def _network(self, clock: SandboxClock) -> tuple[Hub, SimulatedLine]:
        hub = Hub(clock)
        return hub, SimulatedLine(self.world, hub, self.plan, stream(self.plan.seed, "line"))

    def _put_ledger(self) -> Place:
        self.file.write_bytes(watched_ledger())
        return LedgerFile(self.file)

    def _prepare(self) -> None:
        world, plan = self.world, self.plan
        if plan.edition == "datacenter":
            presets.data_center(world)
        if plan.two_teams:
            presets.use_workflow(world.jira.site, "ENG", any_to_any("ENG", OWN_STATUSES))
        account, site = world.pagerduty.account, world.jira.site
        account.base_url, site.base_url = "http://127.0.0.1:1", "http://127.0.0.1:2"
        site.options.search_lag, site.options.fetch_lag = plan.search_lag, plan.fetch_lag
        # PagerDuty does not document these log entries: syncd must not need them.
        if plan.silent_log:
            account.options.priority_entry = account.options.title_entry = account.options.reopen_entry = None
        if not plan.timeouts:
            for service in account.services.values():
                service.acknowledgement_timeout = None
            for policy in account.policies.values():
                policy.rules = policy.rules[:1]
        if plan.others:
            world.jira.others(plan.others)
        self.channel.begin()
        self.people.begin()
        self.outside.begin()

    def start(self, die_at: int) -> None:
        """Start the daemon, as its wiring does."""
        self.starts += 1
        self.letterbox.run = self.starts
        self.boots.append(self.hub.now()) if self.clock.boot >= len(self.boots) else None
        self.hub.dead = False
        self.line.db, self.line.steps, self.line.die_at = None, 0, 0
        opened = open_for_work(self.place.url, "simulation", self.clock.now())
        self.ledger = self.line.db = WatchedLedger(opened, self.line.step)
        self.line.die_at = die_at
        transport = WireTransport(self.clock, self.line)
        self.loop = self._loop_on(self._context(self.ledger, self.clock, transport, self.letterbox))
        self.hub.idle = lambda: True
        self.hub.spawn(partial(self._live, self.loop))

    def _loop_on(self, context: EngineContext) -> ControlLoop:
        loop = ControlLoop(context)
        soften(self.hub, *_parts(loop.context), *_parts(loop))
        self.mutate(loop)
        return loop

    def _context(
        self, ledger: Ledger, clock: DaemonClock, transport: WireTransport, letterbox: Letterbox
    ) -> EngineContext:
        soften(self.hub, transport.login("pagerduty"), transport.login("jira"))
        pagerduty = pagerduty_client("http://127.0.0.1:1", PAGERDUTY_KEY, self.plan.sender, transport)
        email = BOT_EMAIL if self.plan.edition == "cloud" else None
        jira = jira_client("http://127.0.0.1:2", JIRA_KEY, transport, email=email)
        return build_context(
            ledger,
            clock,
            (lambda: pagerduty, lambda: jira),
            transport,
            Rules(mappings_of(self.plan), PlainRenderer()),
            settle_seconds=self.plan.settle,
            dry_run=self.plan.dry,
            mailer=mailer(letterbox),
            chat=self.channel.client(transport),
        )

    def _live(self, loop: ControlLoop) -> None:
        """Make first contact, then poll in this thread, with the other threads beside it."""
        while True:
            try:
                loop.make_first_contact()
                loop.recover()
                break
            except Exception as error:  # noqa: BLE001 - the daemon would end with a word and be started again
                self._mind(error)
                logger.debug("the start failed: {}", error)
                self.hub.pause(30.0)
        work_queue = loop.work_queue
        self.hub.idle = lambda: all(incident in work_queue._busy for incident in work_queue._queued())
        for _ in range(self.plan.workers):
            self.hub.spawn(partial(self._reconciler, loop))
        self.hub.spawn(partial(self._slow, loop))
        self.hub.spawn(partial(self._ticker, loop))
        while True:
            began = self.hub.now()
            try:
                loop.cycle()
            except Exception as error:  # noqa: BLE001 - the ticker would log it and go on
                self._mind(error)
                self.errors.append(f"the cycle raised {type(error).__name__}: {error}")
            calm = began > self.plan.calm + 300.0
            self.hub.pause(max(1.0, began + (CALM_POLL if calm else self.plan.poll) - self.hub.now()))

    def _mind(self, error: Exception) -> None:
        """Do what the daemon does beside going on after an error."""

    def _reconciler(self, loop: ControlLoop) -> None:
        work_queue = loop.work_queue
        while True:
            incident = work_queue._take(block=False)
            if incident is None:
                work_queue._on_empty()
                self.hub.park()
            else:
                work_queue._one(incident)

    def _slow(self, loop: ControlLoop) -> None:
        while True:
            self.hub.pause(EVERY_SECONDS)
            loop.slow()

    def _ticker(self, loop: ControlLoop) -> None:
        """Do what the daemon does every second, but only when something is due."""
        while True:
            due = loop.work_queue.next_due()
            now = loop.context.clock.boottime()
            self.hub.pause(60.0 if due is None else min(60.0, max(1.0, due - now)))
            loop.tick()

    def stop(self) -> None:
        """End the process of the daemon."""
        # After a crash the threads are gone already.
        if self.hub.tasks:
            self.hub.end()
        if self.ledger is not None:
            self.ledger.close()
            self.ledger = None

    def play(self) -> Ending:
        """Play from the first act to the end, then read and decide everything again."""
        with _loud(self.errors), self._listening():
            self._play()
            self._settle()
            ended = self.hub.now()
            late = [] if self.plan.dry else self._once_more()
        return self._ending(late, ended)

    def _play(self) -> None:
        """Play until the calm."""
        crashes = list(self.plan.crashes)
        self.start(crashes[0].steps if crashes else 0)
        self.hub.run(self.plan.calm)
        while crashes and self.hub.dead:
            self._crash(crashes)
            self.hub.run(self.plan.calm)
        self.line.die_at = 0

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Collect what the daemon says, from warnings on."""

        def sink(message: Any) -> None:
            self.lines.append((self.hub.now(), str(message.record["message"])))

        handler = logger.add(sink, level="WARNING")
        try:
            yield
        finally:
            logger.remove(handler)

    def _crash(self, crashes: list[Any]) -> None:
        crash = crashes.pop(0)
        self.crashes += 1
        self.stop()
        self.hub.dead = False
        self.hub.run(self.hub.now() + crash.down)
        if crash.reboot:
            self.clock.reboot()
        self.start(crashes[0].steps if crashes else 0)

    def _settle(self) -> None:
        """Wait until nothing happens after the faults; a person retries parked operations."""
        calm = max(self.plan.calm, self.hub.now())
        self.hub.run(calm + 400.0)
        self._retry_parked()
        self.hub.run(calm + ALL_SEEN)
        if self._busy():
            self.hub.run(calm + QUIET + self.plan.refused)
            self._retry_parked()
            self.hub.run(calm + QUIET + self.plan.refused + 400.0)
        # what nobody asks for any more stays on record until two slow polls saw that
        if self._busy():
            self.hub.run(max(self.hub.now(), calm + EVERY_SECONDS + ALL_SEEN))
        # Texts of people on a late ticket show only after the lag of search and bulk fetch.
        # the slow poll reads what people wrote before syncd saw the incident, once that has its ticket
        latest = max(self._ticket_times().values(), default=0.0)
        self.hub.run(max(self.hub.now(), latest + ALL_SEEN + CALM_POLL))
        writes = self.world.journal.writes()
        last = max(((line.ended - START).total_seconds() for line in writes), default=0.0)
        lag = max(self.plan.search_lag, self.plan.fetch_lag)
        self.hub.run(max(self.hub.now(), last + lag + SEEN_AFTER))

    def _busy(self) -> bool:
        """Return True if an operation is open, an incident waits to be read, or something is refused."""
        assert self.ledger
        data = status.status_data(self.ledger)
        return bool(
            status.listing(self.ledger) or awaiting(self.ledger) or data["refused"] or data["troubles"]
        )

    def _retry_parked(self) -> None:
        assert self.ledger
        ask(self.ledger, "outbox.retry", {"ids": []}, "operator")

    def _once_more(self) -> list[str]:
        """Read every incident again, then start anew: nothing may be written."""
        written = len(self.world.journal.writes())
        options = self.world.jira.site.options
        self.plan_latency_off()
        assert self.ledger and self.loop
        look_at_everything(self.ledger, self.clock.now())
        options.search_lag = options.fetch_lag = 0.0
        self.loop.work_queue.submit(awaiting(self.ledger))
        self.hub.run(self.hub.now() + 5.0)
        self.stop()
        self.start(0)
        self.hub.run(self.hub.now() + 35.0)
        lines = self.world.journal.writes()[written:]
        # a reminder of an owed update may come due here; the posts have a judge of their own
        return [f"{line.method} {line.path}" for line in lines if line.service != "chat"]

    def plan_latency_off(self) -> None:
        """Let the line answer at once."""
        self.line._latency = lambda: 0.0  # type: ignore[method-assign] # the end needs no concurrency

    def _ending(self, late: list[str], ended: float) -> Ending:
        state = dump.whole(self.world)
        writes = [(line.ended - START).total_seconds() for line in self.world.journal.writes()]
        after = [at for at in writes if self.plan.calm < at <= ended]
        ending = Ending(
            self.plan,
            self.world,
            self.people,
            self.channel,
            self.line,
            self.place,
            self.letterbox.letters,
            self.boots,
            self.errors,
            self.lines,
            {window: rule.struck for window, rule in self.outside.rules.items()},
            self.outside.mute,
            self.crashes,
            self.starts,
            state,
            late,
            max(after, default=self.plan.calm) - self.plan.calm,
            self._ticket_times(),
            self._trace(state),
        )
        return ending

    def _ticket_times(self) -> dict[str, float]:
        """Return when each incident got its ticket, in seconds since the world began."""
        times: dict[str, float] = {}
        for issue in self.world.jira.site.issues.values():
            mark = issue.now.properties.get("syncd") or {}
            if mark.get("kind") == "create_ticket":
                times.setdefault(mark["incident"], (issue.created - START).total_seconds())
        return times

    def _trace(self, state: dict[str, Any]) -> str:
        """Return a hash over every request and the whole end, without the ledger's random name."""
        digest = hashlib.sha256()
        for line in self.world.journal.lines():
            fields = (line.service, line.method, line.path, line.status, line.fault, line.ended.isoformat())
            digest.update(repr(fields).encode())
        text = json.dumps(state, sort_keys=True, default=str)
        instance = self.ledger.instance if self.ledger else ""
        digest.update(text.replace(instance, "instance").encode())
        return digest.hexdigest()[:16]


@contextmanager
def _loud(errors: list[str]) -> Iterator[None]:
    """Collect the errors that the daemon logs; it goes on after them, but none should happen."""

    def sink(message: Any) -> None:
        error = message.record["exception"]
        errors.append(f"{message.record['message']} ({error.value if error else ''})")

    handler = logger.add(sink, level="ERROR", filter=lambda record: record["exception"] is not None)
    try:
        yield
    finally:
        logger.remove(handler)


def _parts(whole: object) -> list[object]:
    """Return the parts of an object that have attributes of their own."""
    return [part for part in vars(whole).values() if hasattr(part, "__dict__")]


def no_mutation(loop: ControlLoop) -> None:
    """Leave the engine as it is."""


@contextmanager
def played(plan: Plan, mutate: Mutate = no_mutation) -> Iterator[Ending]:
    """Yield the ending of a plan, while its ledger can still be read."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        simulation = Simulation(plan, Path(folder), mutate)
        try:
            yield simulation.play()
        finally:
            simulation.stop()


__all__ = ["Simulation", "played"]
