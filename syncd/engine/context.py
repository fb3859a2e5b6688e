"""What everything in the engine works with: ledger, clock, clients, mappings, what was learned of Jira.

One `EngineContext` a process. Clients are one a thread, because neither library's session may be shared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from syncd.domain.clock import Clock
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping, ServiceSection
from syncd.domain.postmortem import Story
from syncd.domain.ticket import Account
from syncd.engine.jira_knowledge.project_cache import JiraFacts
from syncd.engine.runtime.brakes import Brakes
from syncd.engine.runtime.mailer import Mailer
from syncd.engine.runtime.progress import Progress
from syncd.engine.runtime.read_lag import BULK, ReadLags
from syncd.engine.runtime.service_health import Health
from syncd.ledger.open import Ledger
from syncd.ledger.store.operation_states import GivenUp
from syncd.policy.case import Rulebook
from syncd.policy.postmortem.fulfilment import review_field_of
from syncd.remote.http.counts import Counts
from syncd.remote.ports import Fetched, Jira, PagerDuty

MOST_SKEW_SECONDS = 120.0
"""How far our clock and a service's may be apart (design: "Observing")."""


class Budgets(Protocol):
    """The rate budget that a write takes before it is claimed."""

    def take(self, service: str, *, issue: str = "", leave: float = 0.0) -> None:
        """Wait for the right to send one request; raises `NotDone` where that would take too long.

        `issue` is set for writes to a Jira issue, which has limits of its own; `leave` is the share of the
        budget that is left to what matters more.
        """
        ...


class Renderer(Protocol):
    """Turns an incident into the text of its ticket and its postmortem."""

    def ticket(self, incident: Incident, book: Rulebook) -> tuple[str, str]:
        """Summary and description, escaped and within Jira's limits."""
        ...

    def postmortem(self, incident: Incident, story: Story, book: Rulebook) -> tuple[str, str]:
        """Summary and description of a postmortem, escaped and with room to write."""
        ...

    def inline(self, text: str, incident: Incident, book: Rulebook) -> str:
        """The value of a mapping's field template."""
        ...

    def mask(self, text: str, book: Rulebook) -> str:
        """A text of people's without card numbers, tokens and keys."""
        ...


class Services:
    """The two services' clients, one of each a thread, made when first asked for.

    `gate` is asked before a client is handed out and raises while its service is not to be asked.
    """

    def __init__(self, pagerduty: Callable[[], PagerDuty], jira: Callable[[], Jira]) -> None:
        self._make = (pagerduty, jira)
        self._local = threading.local()
        self.gate: Callable[[str], None] = lambda _service: None

    @property
    def pagerduty(self) -> PagerDuty:
        """This thread's PagerDuty client."""
        self.gate("pagerduty")
        client: PagerDuty | None = getattr(self._local, "pagerduty", None)
        if client is None:
            client = self._local.pagerduty = self._make[0]()
        return client

    @property
    def jira(self) -> Jira:
        """This thread's Jira client."""
        self.gate("jira")
        client: Jira | None = getattr(self._local, "jira", None)
        if client is None:
            client = self._local.jira = self._make[1]()
        return client


@dataclass
class EngineContext:
    """What every part of the engine is given; `settle_seconds` and `backfill_seconds` come from the settings.

    `people` is what `syncd.engine.observe.accounts` has at hand: by address and project, since when and who.
    `date_of` is the time that a service's last answer to this thread bears.
    `counts` are the transport's. `awaiting_search_index`: the ledger was restored, and a search that finds
    nothing proves nothing yet. `expires` are the days on which the services' credentials end, as far as they
    are known.
    """

    ledger: Ledger
    clock: Clock
    services: Services
    mappings: tuple[Mapping, ...]
    facts: JiraFacts
    health: Health
    budgets: Budgets
    renderer: Renderer
    settle_seconds: float = 600.0
    backfill_seconds: float = 14 * 86400.0
    dry_run: bool = False
    skew: Callable[[str], float | None] = lambda _service: None
    date_of: Callable[[str], datetime | None] = lambda _service: None
    counts: Counts = field(default_factory=Counts)
    awaiting_search_index: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    people: dict[tuple[str, str], tuple[float, Account | None]] = field(default_factory=dict)
    mailer: Mailer | None = None
    expires: dict[str, date] = field(default_factory=dict)
    brakes: Brakes = field(init=False)
    progress: Progress = field(init=False)
    read_lags: ReadLags = field(init=False)

    def __post_init__(self) -> None:
        """A service that is not usable is not asked by anybody."""
        self.services.gate = self.health.check
        self.brakes = Brakes(self.ledger, self.clock)
        self.progress = Progress(self.clock)
        self.read_lags = ReadLags(self.clock)

    def team_of(self, service_id: str, name: str) -> tuple[Mapping, ServiceSection] | None:
        """The mapping and section of a PagerDuty service, None where no mapping claims it."""
        for mapping in self.mappings:
            section = mapping.service(service_id, name)
            if section is not None:
                return mapping, section
        return None

    def book_of(self, incident: Incident, team: str | None = None) -> Rulebook | None:
        """The rulebook of an incident's team, None where no mapping claims its service.

        `team` had the incident before: it keeps one that was moved to a service that nobody claims.
        """
        found = self.team_of(incident.service.id, incident.service.name)
        if found is None:
            last = next((one for one in self.mappings if team is not None and one.team == team), None)
            if last is None:
                return None
            found = last, ServiceSection()
        mapping, section = found
        return Rulebook(mapping=mapping, section=section, project=self.facts.resolved(mapping))

    def gave_up(self) -> GivenUp:
        """This instant on the boot-time clock."""
        return GivenUp(self.clock.boot_id(), self.clock.boottime())

    def fetch(self, ids: Sequence[str], *, description: bool = False) -> Fetched:
        """At most 100 issues, whole: with the custom fields that the mappings keep true.

        Raises `RemoteError`; every read that becomes a snapshot goes this way.
        """
        fields = self._kept_fields()
        wanted = [*fields, "description"] if description else fields
        fetched = self.services.jira.fetch(ids, fields=wanted)
        self.read_lags.seen(BULK, [issue.id for issue in fetched.issues])
        return fetched

    def fetch_by_id(self, issue_id: str) -> Fetched:
        """One issue, whole, as it stands after our last write; raises `RemoteError`."""
        return self.services.jira.fetch_by_id(issue_id, fields=self._kept_fields())

    def skewed(self) -> bool:
        """Whether our clock and a service's are too far apart to judge a deadline (two minutes)."""
        apart = [self.skew(service) for service in ("pagerduty", "jira")]
        return any(one is not None and abs(one) > MOST_SKEW_SECONDS for one in apart)

    def _kept_fields(self) -> list[str]:
        """The custom fields that the mappings keep true or judge by."""
        names = set()
        for mapping in self.mappings:
            project = self.facts.resolved(mapping)
            for name, spec in mapping.jira.fields.items():
                if spec.severity and name in project.fields:
                    names.add(project.fields[name].id)
            names.add(review_field_of(mapping, project))
        return sorted(name for name in names if name.startswith("customfield_"))
