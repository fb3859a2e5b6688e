"""Count the incidents of a period at the services and compare the counts with the ledger.

This answers an auditor's first question: is the record complete? syncd asks PagerDuty for all incidents of
the mapped services and Jira for all tickets of the mapped type, and names each that does not match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.domain.incident import Incident
from syncd.domain.mapping.bindings import bound
from syncd.domain.mapping.mapping import Mapping, claim_of
from syncd.domain.ticket import TRIAL, Issue
from syncd.engine.context import Services
from syncd.engine.observe.accounts import accounts_on_record
from syncd.engine.observe.incident_windows import pages_created
from syncd.engine.observe.issues import search_pages
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import service_bindings
from syncd.ledger.views.daemon_state import Counted, on_record

ZONES = timedelta(days=1)
"""Jira reads days in JQL in our account's time zone, so syncd asks for one more day on both sides."""


@dataclass(frozen=True)
class Population:
    """The incidents of a period by both counts, and those that do not match with the reason.

    `foreign` are tickets of the mapped type that belong to no incident of the ledger; syncd's own trial
    tickets (`check --probe`) are none.
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
        """The number of incidents on one side only."""
        return len(self.not_in_ledger) + len(self.not_in_pagerduty)


def population(
    ledger: Transactions,
    services: Services,
    mappings: Sequence[Mapping],
    since: datetime,
    until: datetime,
) -> Population:
    """Count the incidents of a period on all sides; raise `RemoteError` where a service cannot answer."""
    # an incident of a renamed service is the team's all the same
    mappings = bound(mappings, service_bindings(ledger))
    listed: dict[str, Incident] = {}
    unread: set[str] = set()
    for page in pages_created(services.pagerduty.incidents, since, until):
        listed |= {
            incident.id: incident for incident in page.incidents if claim_of(mappings, incident.service)
        }
        unread |= set(page.unread)
    recorded = on_record(ledger, since, until)
    ours = {incident.id for incident in recorded.incidents}
    # restricted incidents are counted, never named
    named = [incident for incident in recorded.incidents if not incident.restricted]
    return Population(
        in_pagerduty=len(listed),
        in_ledger=len(ours),
        with_ticket=sum(incident.ticket for incident in recorded.incidents),
        restricted=sum(incident.restricted for incident in recorded.incidents),
        without_ticket={f"#{incident.number}": _why(incident) for incident in named if not incident.ticket},
        not_in_ledger={
            f"#{incident.number}": "before the ledger's backfill, or never read"
            for incident in listed.values()
            if incident.id not in ours
        }
        | dict.fromkeys(unread - ours, "syncd cannot read PagerDuty's answer about it"),
        not_in_pagerduty=tuple(
            f"#{incident.number}"
            for incident in named
            if incident.id not in listed and incident.id not in unread
        ),
        foreign=tuple(_foreign(ledger, recorded.issues, services, mappings, since, until)),
    )


def _why(incident: Counted) -> str:
    if incident.noise_rule:
        return f"noise rule {incident.noise_rule}"
    return f"merged into {incident.merged_into}" if incident.merged_into else "no ticket: run syncd show"


def _foreign(
    ledger: Transactions,
    ours: Collection[str],
    services: Services,
    mappings: Sequence[Mapping],
    since: datetime,
    until: datetime,
) -> Iterator[str]:
    """Yield the tickets of the mapped types, created in the period, of which the ledger has no incident."""
    accounts = accounts_on_record(ledger)
    first, last = (since - ZONES).date(), (until + ZONES).date()
    for project in sorted({mapping.jira.project for mapping in mappings}):
        type_name = _first_type(mappings, project)
        jql = f'project = "{project}" AND created >= "{first}" AND created <= "{last}" ORDER BY created'
        for issue in _strangers(services, jql, ours, accounts):
            made = issue.created_at
            if made is not None and since <= made < until and issue.type_name == type_name:
                yield issue.key


def _first_type(mappings: Sequence[Mapping], project: str) -> str:
    """Return the first ticket type of a project's mapping; issues of other types may be people's own work."""
    return next(
        mapping.jira.issue_types.incident[0] for mapping in mappings if mapping.jira.project == project
    )


def _strangers(
    services: Services, jql: str, ours: Collection[str], accounts: Collection[str]
) -> Iterator[Issue]:
    """Yield the issues that are not ours; `accounts` are the ids of syncd's accounts in Jira."""
    for hits in search_pages(services, jql):
        strangers = [hit.id for hit in hits if hit.id not in ours]
        if strangers:
            issues = services.jira.fetch(strangers).issues
            trials = _own_trials(services, issues, accounts)
            yield from (issue for issue in issues if issue.id not in trials)


def _own_trials(services: Services, issues: Sequence[Issue], accounts: Collection[str]) -> set[str]:
    """Return the ids of the trial tickets among these issues that one of syncd's accounts created."""
    # whoever may edit an issue may put the mark on it, so the creator counts, too
    marked = [issue.id for issue in issues if issue.mark is not None and issue.mark.kind == TRIAL]
    read = services.jira.probe(marked).issues if marked else ()
    return {issue.id for issue in read if issue.creator is not None and issue.creator.id in accounts}
