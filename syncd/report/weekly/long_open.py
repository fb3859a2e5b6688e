"""Incidents that are open for more than a week and would owe a postmortem: their clock has not begun.

The report lists them, also those that opened before the rules began.
`syncd.policy.postmortem.resolved_periods.open_too_long` decides how long an incident is open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.membership import entries_of, member_of
from syncd.ledger.views.daemon_state import merged_sources, open_since
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.merged_sources import Member
from syncd.policy.postmortem.merged_sources import merged_sources as sources_of
from syncd.policy.postmortem.resolved_periods import LONG_OPEN, open_too_long
from syncd.policy.time.state_changes import state_changes_of
from syncd.report.weekly.facts import Lasting


def lasting(
    ledger: Transactions, mappings: Sequence[Mapping], team: str | None, now: datetime
) -> Iterator[Lasting]:
    """Yield the incidents of a team (None: of all teams) that are open for too long, the oldest first."""
    mappings_by_team = {mapping.team: mapping for mapping in mappings}
    for row in open_since(ledger, now - LONG_OPEN, team):
        mapping = mappings_by_team.get(row.team or "")
        if mapping is None or row.exercise is not None:
            continue
        incident = Incident.model_validate(row.snapshot)
        section = mapping.service(incident.service) or ServiceSection()
        book = Rulebook.without_project(mapping, section)
        open_for = open_too_long(_case(ledger, row, incident, mappings_by_team, now), book)
        if open_for is not None:
            yield Lasting(
                id=row.id,
                number=row.number,
                team=mapping.team,
                severity=row.severity or "unknown",
                created_at=row.created_at,
                lasts=open_for,
                restricted=row.restricted,
            )


def _case(
    ledger: Transactions,
    row: IncidentRecord,
    incident: Incident,
    mappings_by_team: dict[str, Mapping],
    now: datetime,
) -> Case:
    entries = list(entries_of(row))
    return Case(
        incident=incident,
        severity_periods=tuple(SeverityPeriod.model_validate(period) for period in row.severity_periods),
        state_changes=state_changes_of(entries, incident) if entries else None,
        merged_sources=sources_of(row.id, _members(ledger, row, mappings_by_team), now),
        now=now,
    )


def _members(
    ledger: Transactions, row: IncidentRecord, mappings_by_team: dict[str, Mapping]
) -> Iterator[Member]:
    """Yield the incidents that were merged into this one, with their teams' rules."""
    for source in merged_sources(ledger, row.id):
        mapping = mappings_by_team.get(source.team or "")
        if mapping is not None:
            incident = Incident.model_validate(source.snapshot)
            section = mapping.service(incident.service) or ServiceSection()
            yield member_of(source, incident, mapping, section)
