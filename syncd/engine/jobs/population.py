"""How many incidents a period had by the services' own count, held against the ledger.

An auditor's first question: is everything in here? PagerDuty is asked for every incident of the mapped
services, Jira for every ticket of the mapped type, and what does not match is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping, claim_of
from syncd.domain.ticket import Issue
from syncd.engine.context import Services
from syncd.engine.observe.incident_windows import pages_created
from syncd.engine.observe.issues import search_pages
from syncd.ledger.database.connection import Transactions
from syncd.ledger.views.daemon_state import Counted, on_record

ZONES = timedelta(days=1)
"""JQL reads days in our account's zone, so that a day more is asked for on both sides."""


@dataclass(frozen=True)
class Population:
    """The incidents of a period, by both counts; what does not match is named with the reason.

    `foreign` are tickets of the mapped type behind which no incident of the ledger stands.
    """

    in_pagerduty: int = 0
    in_ledger: int = 0
    with_ticket: int = 0
    restricted: int = 0
    without_ticket: dict[str, str] = field(default_factory=dict)
    not_in_ledger: dict[str, str] = field(default_factory=dict)
    not_in_pagerduty: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def differs_by(self) -> int:
        """How many incidents stand on one side only."""
        return len(self.not_in_ledger) + len(self.not_in_pagerduty)


def population(
    ledger: Transactions,
    services: Services,
    mappings: Sequence[Mapping],
    since: datetime,
    until: datetime,
) -> Population:
    """Given a period, count on all sides; raises `RemoteError` where a service cannot be asked."""
    theirs: dict[str, Incident] = {}
    unread: set[str] = set()
    for page in pages_created(services.pagerduty.incidents, since, until):
        theirs |= {one.id: one for one in page.incidents if claim_of(mappings, one.service)}
        unread |= set(page.unread)
    known = on_record(ledger, since, until)
    ours = {one.id: one for one in known.incidents}
    told = [one for one in known.incidents if not one.restricted]
    return Population(
        in_pagerduty=len(theirs),
        in_ledger=len(ours),
        with_ticket=sum(one.ticket for one in known.incidents),
        restricted=sum(one.restricted for one in known.incidents),
        without_ticket={f"#{one.number}": _why(one) for one in told if not one.ticket},
        not_in_ledger={
            f"#{one.number}": "before the ledger's backfill, or never read"
            for one in theirs.values()
            if one.id not in ours
        }
        | dict.fromkeys(unread - set(ours), "PagerDuty's answer about it cannot be read"),
        not_in_pagerduty=tuple(
            f"#{one.number}" for one in told if one.id not in theirs and one.id not in unread
        ),
        foreign=tuple(_foreign(known.issues, services, mappings, since, until)),
    )


def _why(incident: Counted) -> str:
    if incident.noise_rule:
        return f"noise rule {incident.noise_rule}"
    return f"merged into {incident.merged_into}" if incident.merged_into else "none was made: see syncd show"


def _foreign(
    known: Collection[str], services: Services, mappings: Sequence[Mapping], since: datetime, until: datetime
) -> Iterator[str]:
    """Tickets of the mapped types created in the period that no incident of the ledger has."""
    first, last = (since - ZONES).date(), (until + ZONES).date()
    for project in sorted({one.jira.project for one in mappings}):
        wanted = _first_type(mappings, project)
        jql = f'project = "{project}" AND created >= "{first}" AND created <= "{last}" ORDER BY created'
        for issue in _found(services, jql, known):
            made = issue.created_at
            if made is not None and since <= made < until and issue.type_name == wanted:
                yield issue.key


def _first_type(mappings: Sequence[Mapping], project: str) -> str:
    """The type that tickets have where the project has it; another one may hold people's own work."""
    return next(one.jira.issue_types.incident[0] for one in mappings if one.jira.project == project)


def _found(services: Services, jql: str, known: Collection[str]) -> Iterator[Issue]:
    for hits in search_pages(services, jql):
        strangers = [hit.id for hit in hits if hit.id not in known]
        if strangers:
            yield from services.jira.fetch(strangers).issues
