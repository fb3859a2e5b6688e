"""The context that each part of the engine gets: ledger, clock, clients, rules in force, facts about Jira.

A process has one `EngineContext`. It is frozen: state that changes lives in small objects to which the
context refers. Each thread has its own clients, because the libraries' sessions are not thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from syncd.domain.base import Reference
from syncd.domain.clock import GRACE, Clock, ClockSkew
from syncd.domain.incident import Incident, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account
from syncd.engine.jira_knowledge.cache import Cache
from syncd.engine.jira_knowledge.marked_issues import MarkedIssues
from syncd.engine.jira_knowledge.project_cache import JiraFacts
from syncd.engine.jira_knowledge.resolve_names import MappingUnusable
from syncd.engine.jira_knowledge.shared_reads import SharedReads
from syncd.engine.rules import Renderer, Rules, RulesReference, completed_from
from syncd.engine.runtime.brakes import Brakes
from syncd.engine.runtime.ledger_age import LedgerAge
from syncd.engine.runtime.mailer import Mailer
from syncd.engine.runtime.progress import Progress
from syncd.engine.runtime.read_lag import BULK, ReadLags, SearchIndexWait
from syncd.engine.runtime.refusals import Refusals
from syncd.engine.runtime.service_health import Health
from syncd.engine.runtime.troubles import Troubles
from syncd.engine.runtime.waits import Waits
from syncd.engine.runtime.watchdog import Watchdog
from syncd.ledger.open import Ledger
from syncd.ledger.store.key_values import refused_since
from syncd.ledger.store.operation_states import GivenUp
from syncd.ledger.store.unseen_writes import Answered
from syncd.policy.case import Rulebook
from syncd.policy.postmortem.fulfilment import review_field_of
from syncd.remote.answers import Fetched
from syncd.remote.http.transport import Transport

if TYPE_CHECKING:
    from syncd.remote.chat import ChatClient
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient
    from syncd.remote.pagerduty.events import EventsClient

SERVICES = ("pagerduty", "jira")
"""The two services that syncd keeps in sync."""
ACCOUNTS_AT_HAND = 60.0
"""Seconds for which syncd remembers whose account an address is before it reads the ledger again."""
SCHEDULES_AT_HAND = 300.0
"""Seconds for which syncd remembers the id of a schedule, and who was on it at a moment."""
DATES_ARE_WITHIN = timedelta(seconds=2)
"""How far the date of an answer may lie before the answer left: services cut it to the second."""
MOST_SKEW_SECONDS = GRACE.total_seconds()
"""How far our clock and a service's may differ before a deadline must have passed by both."""


class Services:
    """The clients of both services: each thread creates its own at the first use.

    `gate` is called before each use and raises while syncd may not ask the service.
    """

    def __init__(
        self,
        pagerduty: Callable[[], PagerDutyClient],
        jira: Callable[[], JiraClient],
        gate: Callable[[str], None] = lambda _service: None,
    ) -> None:
        self._make = (pagerduty, jira)
        self._local = threading.local()
        self._gate = gate

    @property
    def pagerduty(self) -> PagerDutyClient:
        """This thread's PagerDuty client."""
        self._gate("pagerduty")
        client: PagerDutyClient | None = getattr(self._local, "pagerduty", None)
        if client is None:
            client = self._local.pagerduty = self._make[0]()
        return client

    @property
    def jira(self) -> JiraClient:
        """This thread's Jira client."""
        self._gate("jira")
        client: JiraClient | None = getattr(self._local, "jira", None)
        if client is None:
            client = self._local.jira = self._make[1]()
        return client

    def prepare(self) -> None:
        """Create this thread's clients, so that its first request need not."""
        self._local.pagerduty, self._local.jira = (make() for make in self._make)


@dataclass(frozen=True)
class EngineContext:
    """The frozen context of the engine; `build_context` creates it.

    `accounts` maps addresses to Jira accounts, `nobodies` holds the accounts that belong to no person
    (`observe.accounts`), `former_accounts` those that syncd had in Jira before, as the operator wrote them.
    `schedules` holds the ids of schedules by name, `on_call` who was on one at a moment.
    `alarm_events` takes alarms about syncd, None unless the operator gave a routing key. `chat` posts to chat
    channels, None where none has a URL. `expires` holds the days on which the services' credentials end, as
    far as they are known.
    """

    ledger: Ledger
    clock: Clock
    transport: Transport
    services: Services
    rules: RulesReference
    facts: JiraFacts
    accounts: Cache[tuple[str, str], Account | None]
    nobodies: Cache[str, frozenset[str]]
    former_accounts: tuple[str, ...]
    schedules: Cache[str, str]
    on_call: Cache[tuple[str, datetime], tuple[Responder, ...]]
    marked_issues: MarkedIssues
    shared_reads: SharedReads
    health: Health
    refusals: Refusals
    troubles: Troubles
    brakes: Brakes
    waits: Waits
    progress: Progress
    read_lags: ReadLags
    search_index: SearchIndexWait
    ledger_age: LedgerAge
    watchdog: Watchdog
    stop: threading.Event
    settle_seconds: float
    backfill_seconds: float
    dry_run: bool
    mailer: Mailer | None
    alarm_events: EventsClient | None
    chat: ChatClient | None
    expires: dict[str, date]

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The mappings by which incidents are worked on: the loaded ones, and those whose files are gone."""
        return self.rules.current.running

    @property
    def loaded(self) -> tuple[Mapping, ...]:
        """The mappings that are loaded; new incidents, recurring duties and reports come of these alone."""
        return self.rules.current.mappings

    @property
    def renderer(self) -> Renderer:
        """The templates in force."""
        return self.rules.current.renderer

    def pinned(self) -> EngineContext:
        """Return this context with the rules that are in force now, whatever a reload does meanwhile.

        Each decision and each attempt takes one: a reload between two of its steps would mix old and new
        rules.
        """
        return replace(self, rules=RulesReference(self.rules.current))

    def book_of(self, incident: Incident, team: str | None = None) -> Rulebook | None:
        """Return the rulebook of an incident's team (`Rules.claim_or_last`), None where no team has it."""
        self.check_usable(incident.service, team)
        claim = self.rules.current.claim_or_last(incident.service, team)
        if claim is None:
            return None
        mapping, section = claim
        return Rulebook(mapping=mapping, section=section, project=self.facts.resolved(mapping))

    def check_usable(self, service: Reference, team: str | None) -> None:
        """Raise `MappingUnusable` where the file that names a service, or the last team's, cannot be used."""
        file = self.rules.current.unusable_for(service, team)
        if file is not None:
            raise MappingUnusable(file.whose, file.problems)

    def predates_ledger(self, created_at: datetime) -> bool:
        """Return True if an incident is older than this ledger or its restore: an earlier one may know it."""
        return created_at < self.ledger.born

    def predates_start(self, created_at: datetime) -> bool:
        """Return True if an incident is older than this start: an older file may lack what was written."""
        return self.ledger_age.predates(created_at, self.transport.now_of("pagerduty"))

    def gave_up(self) -> GivenUp:
        """Return the present time on the boot-time clock, from which the settle time counts."""
        return GivenUp(self.clock.boot_id(), self.clock.boottime())

    def answered(self, service: str, took: float) -> Answered:
        """Return when a service answered a write that took so many seconds."""
        at = self.answered_by(service, took) or self.clock.now() - timedelta(seconds=took)
        return Answered(self.clock.boot_id(), self.clock.boottime(), at)

    def answered_by(self, service: str, took: float) -> datetime | None:
        """Return when a service began with the request that it answered last, by its own clock (UTC).

        None where its answer held no date.
        """
        now = self.transport.date_of(service)
        return None if now is None else now - timedelta(seconds=took) - DATES_ARE_WITHIN

    def fetch(self, ids: Sequence[str], *, description: bool = False) -> Fetched:
        """Return at most 100 issues with the custom fields that the mappings keep in sync.

        Each read that becomes a snapshot goes this way. Raise `RemoteError`.
        """
        fields = self._kept_fields()
        names = [*fields, "description"] if description else fields
        fetched = self.services.jira.fetch(ids, fields=names)
        self.read_lags.seen(BULK, [issue.id for issue in fetched.issues])
        return fetched

    def fetch_by_id(self, issue_id: str) -> Fetched:
        """Return one issue as it stands after our last write (a bulk read may lag); raise `RemoteError`."""
        return self.services.jira.fetch_by_id(issue_id, fields=self._kept_fields())

    def ask_again(self, service: str) -> None:
        """Ask a service at once that syncd left alone for a while (`syncd resume`)."""
        self.transport.login(service).resume()
        self.health.ask_again(service)

    def clock_skew(self) -> ClockSkew:
        """Return by how much the services' clocks differ from ours, where that is more than two minutes."""
        apart = [seconds for service in SERVICES if (seconds := self.clock_apart(service)) is not None]
        return ClockSkew(
            behind=timedelta(seconds=-min(0.0, *apart, 0.0)),
            ahead=timedelta(seconds=max(0.0, *apart, 0.0)),
        )

    def clock_apart(self, service: str) -> float | None:
        """Return by how many seconds a service's clock is ahead of ours, None if by two minutes at most."""
        skew = self.transport.skew(service)
        return skew if skew is not None and abs(skew) > MOST_SKEW_SECONDS else None

    def _kept_fields(self) -> list[str]:
        """Return the ids of the custom fields that the mappings keep in sync or judge by."""
        names = set()
        for mapping in self.mappings:
            project = self.facts.at_hand(mapping)
            # one team's trouble must not hold up the reads of the others
            if project is None:
                continue
            for name, spec in mapping.jira.fields.items():
                if spec.severity and name in project.fields:
                    names.add(project.fields[name].id)
            names.add(review_field_of(mapping, project))
        return sorted(name for name in names if name.startswith("customfield_"))


def build_context(
    ledger: Ledger,
    clock: Clock,
    clients: tuple[Callable[[], PagerDutyClient], Callable[[], JiraClient]],
    transport: Transport,
    rules: Rules,
    *,
    settle_seconds: float = 600.0,
    backfill_seconds: float = 14 * 86400.0,
    poll_seconds: float = 30.0,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    mailer: Mailer | None = None,
    alarm_events: EventsClient | None = None,
    chat: ChatClient | None = None,
    expires: dict[str, date] | None = None,
    former_accounts: tuple[str, ...] = (),
) -> EngineContext:
    """Return the engine's context, given an open ledger, the factories of both clients and their transport.

    syncd asks no service while its health says that it is down. Each request counts as progress for the
    watchdog.
    """
    health, watchdog = Health(clock), Watchdog(clock, poll_seconds)
    services = Services(*clients, _gate(health, watchdog))
    refusals = Refusals(clock, refused_since(ledger))
    return EngineContext(
        ledger=ledger,
        clock=clock,
        transport=transport,
        services=services,
        rules=RulesReference(completed_from(ledger, rules)),
        facts=JiraFacts(lambda: services.jira, clock, refusals),
        accounts=Cache(clock, ACCOUNTS_AT_HAND),
        nobodies=Cache(clock, ACCOUNTS_AT_HAND),
        former_accounts=former_accounts,
        schedules=Cache(clock, SCHEDULES_AT_HAND),
        on_call=Cache(clock, SCHEDULES_AT_HAND),
        marked_issues=MarkedIssues(clock),
        shared_reads=SharedReads(clock),
        health=health,
        refusals=refusals,
        troubles=Troubles(ledger, clock, health),
        brakes=Brakes(ledger, clock),
        waits=Waits(ledger, clock),
        progress=Progress(clock),
        read_lags=ReadLags(clock),
        search_index=SearchIndexWait(ledger, clock, settle_seconds),
        ledger_age=LedgerAge(ledger, clock, proved=dry_run),
        watchdog=watchdog,
        stop=stop or threading.Event(),
        settle_seconds=settle_seconds,
        backfill_seconds=backfill_seconds,
        dry_run=dry_run,
        mailer=mailer,
        alarm_events=alarm_events,
        chat=chat,
        expires=expires or {},
    )


def _gate(health: Health, watchdog: Watchdog) -> Callable[[str], None]:
    """Return the check that each request passes first: it counts as progress of the loop."""

    def gate(service: str) -> None:
        watchdog.step()
        health.check(service)

    return gate
