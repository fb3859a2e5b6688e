"""Read for the second judge which issues belong to an incident, and the decisions of people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from syncd.domain.duty import Waiver
from syncd.domain.history import Leave
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.cases import unclaimed_targets
from syncd.ledger.store.loading import get, record_of
from syncd.ledger.store.postmortems import merged_source_rows, waivers_of
from syncd.ledger.store.tables import ActionItemRow, AuditEventRow, IncidentRow, PostmortemRow, TicketRow
from syncd.ledger.views.report_facts import of_team


@dataclass(frozen=True, slots=True)
class ItemOnRecord:
    """An action item: its issue, how it became one (`source`), and since when it is none any more.

    `origin` is the incident for which it counted before a merge handed it over, None without a merge.
    """

    issue_id: str
    key: str
    source: str
    facts: dict[str, Any]
    ended_at: datetime | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class CorrectionOnRecord:
    """A correction as the audit trail has it."""

    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The facts about one incident that the ledger knows and the services cannot tell.

    `sources` are the incidents that were merged into it, also those that were opened again since. `ends` are
    the keys of tickets and postmortems, its own and theirs. `unclaimed` are those of its merge targets that
    no mapping claims. `items` are also those that a merge took from it. `leaves` tell by issue id and account
    when syncd saw the accounts of its owners inactive.
    """

    incident: IncidentRecord
    postmortem: tuple[str, str] | None
    ends: frozenset[str]
    items: tuple[ItemOnRecord, ...]
    sources: tuple[IncidentRecord, ...]
    waivers: tuple[Waiver, ...]
    corrections: tuple[CorrectionOnRecord, ...]
    leaves: dict[str, dict[str, Leave]]
    unclaimed: frozenset[str]


def on_record_of(ledger: Transactions, incident_id: str) -> OnRecord | None:
    """Return what the second judge needs of an incident, None if the ledger does not have it."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return _on_record(session, incident) if incident is not None else None


def _on_record(session: Session, incident: IncidentRecord) -> OnRecord:
    postmortem = session.get(PostmortemRow, incident.id)
    origins = _origins(session, incident.id)
    of_incident = or_(col(ActionItemRow.incident_id) == incident.id, col(ActionItemRow.issue_id).in_(origins))
    items = session.exec(select(ActionItemRow).where(of_incident)).all()
    sources = [record_of(IncidentRecord, row) for row in merged_source_rows(session, incident.id, once=True)]
    corrected = select(AuditEventRow).where(
        AuditEventRow.incident_id == incident.id, AuditEventRow.kind == "duty.corrected"
    )
    return OnRecord(
        incident=incident,
        postmortem=(postmortem.issue_id, postmortem.key) if postmortem else None,
        ends=_ends(session, [incident.id, *(source.id for source in sources)]),
        items=tuple(
            ItemOnRecord(
                item.issue_id,
                item.key,
                item.source,
                item.facts,
                item.ended_at,
                origins.get(item.issue_id),
            )
            for item in items
        ),
        sources=tuple(sources),
        waivers=waivers_of(session, incident.id),
        corrections=tuple(
            CorrectionOnRecord(event.at, json.loads(event.text))
            for event in session.exec(corrected.order_by(col(AuditEventRow.seq))).all()
        ),
        leaves={row.issue_id: _leaves(row.leaves) for row in items}
        | ({postmortem.issue_id: _leaves(postmortem.leaves)} if postmortem is not None else {}),
        unclaimed=unclaimed_targets(session, incident),
    )


def _origins(session: Session, incident_id: str) -> dict[str, str]:
    """Return by issue id the incidents for which items counted first that merges took from or gave to one."""
    handed = select(AuditEventRow).where(AuditEventRow.kind == "item.handed_over")
    origins: dict[str, str] = {}
    concerned = set()
    for event in session.exec(handed.order_by(col(AuditEventRow.seq))).all():
        before = str(json.loads(event.text)["from"])
        if event.issue_id is not None:
            origins.setdefault(event.issue_id, before)
            concerned |= {event.issue_id} if incident_id in (before, event.incident_id) else set()
    return {issue_id: origins[issue_id] for issue_id in concerned}


def _ends(session: Session, incident_ids: list[str]) -> frozenset[str]:
    return frozenset(
        key
        for table in (TicketRow, PostmortemRow)
        for key in session.exec(select(table.key).where(col(table.incident_id).in_(incident_ids)))
    )


def _leaves(stored: dict[str, Any]) -> dict[str, Leave]:
    return {account: Leave.model_validate(leave) for account, leave in stored.items()}


def incidents_resolved(ledger: Transactions, since: datetime, until: datetime, team: str | None) -> list[str]:
    """Return the incidents of a team (None: of all teams) whose last resolve lies in [since, until)."""
    query = select(IncidentRow.id).where(
        col(IncidentRow.resolved_at) >= since,
        col(IncidentRow.resolved_at) < until,
        of_team(team),
        col(IncidentRow.restricted).is_(False),
    )
    with ledger.read() as session:
        return list(session.exec(query.order_by(col(IncidentRow.number))).all())


def rules_changed_at(ledger: Transactions, file: str) -> list[datetime]:
    """Return when the rules of a mapping's file changed after their first load."""
    query = (
        select(AuditEventRow).where(AuditEventRow.kind == "rules.changed").order_by(col(AuditEventRow.seq))
    )
    with ledger.read() as session:
        events = session.exec(query).all()
        return [event.at for event in events if json.loads(event.text).get("file") == file]
