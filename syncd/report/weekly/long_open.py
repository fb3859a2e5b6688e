"""Incidents open for more than a week that would owe a postmortem: their clock has not begun.

The report names them (rules: "The postmortem: two duties", the table); what lasts how long is a rule's
business (`syncd.policy.postmortem.resolved_periods.open_too_long`). One that was open before the rules began
is listed, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from syncd.domain.base import Reference
from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.project import ResolvedProject
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.postmortems import log_of
from syncd.ledger.views.daemon_state import merged_sources, open_since
from syncd.policy.case import Case, MergedSource, Rulebook
from syncd.policy.postmortem.resolved_periods import LONG_OPEN, open_too_long
from syncd.policy.time.state_changes import Entry, state_changes_of
from syncd.report.weekly.figures import Lasting


def lasting(
    ledger: Transactions, mappings: Sequence[Mapping], team: str | None, now: datetime
) -> Iterator[Lasting]:
    """Those of a team (None: of all teams), the oldest first."""
    by_team = {one.team: one for one in mappings}
    for row in open_since(ledger, now - LONG_OPEN, team):
        mapping = by_team.get(row.team or "")
        if mapping is None:
            continue
        incident = Incident.model_validate(row.snapshot)
        section = mapping.service(incident.service) or ServiceSection()
        # the project is no matter of what lasts too long, and is known to the running daemon alone
        project = ResolvedProject(
            id="", key=mapping.jira.project, incident_type=Reference(id="", name=""), statuses={}
        )
        book = Rulebook(mapping=mapping, section=section, project=project)
        lasts = open_too_long(_case(ledger, row, incident, by_team, now), book)
        if lasts is not None:
            yield Lasting(
                id=row.id,
                number=row.number,
                team=mapping.team,
                severity=row.severity or "unknown",
                created_at=row.created_at,
                lasts=lasts,
                restricted=row.restricted,
            )


def _case(
    ledger: Transactions, row: IncidentRecord, incident: Incident, by_team: dict[str, Mapping], now: datetime
) -> Case:
    entries = [
        Entry(kind=one.kind, at=one.at, agent=one.agent.name if one.agent else "") for one in log_of(row)
    ]
    return Case(
        incident=incident,
        severity_periods=tuple(SeverityPeriod.model_validate(one) for one in row.severity_periods),
        state_changes=state_changes_of(entries, incident) if entries else None,
        merged_sources=tuple(_merged_sources(ledger, row, by_team)),
        now=now,
    )


def _merged_sources(
    ledger: Transactions, row: IncidentRecord, by_team: dict[str, Mapping]
) -> Iterator[MergedSource]:
    """What was merged into it, as far as a postmortem was owed for it."""
    for source in merged_sources(ledger, row.id):
        mapping = by_team.get(source.team or "")
        if mapping is None or source.severity not in mapping.severities:
            continue
        incident = Incident.model_validate(source.snapshot)
        section = mapping.service(incident.service) or ServiceSection()
        yield MergedSource(
            id=source.id,
            number=source.number,
            severity=source.severity,
            owes=mapping.owes_postmortem(source.severity, section),
            merged_at=incident.over_since or source.created_at,
        )
