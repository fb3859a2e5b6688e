"""The evidence of a period for auditors, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, inspect
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col, func, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    IncidentRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.ledger.views.postmortems import iso

Data = dict[str, Any]


def incidents_of(ledger: Transactions, since: datetime, until: datetime) -> list[IncidentRecord]:
    """Return the incidents of mapped services created in [since, until), by their numbers."""
    query = select_records(IncidentRecord).where(
        col(IncidentRow.created_at) >= since,
        col(IncidentRow.created_at) < until,
        col(IncidentRow.team).is_not(None),
    )
    with ledger.read() as session:
        return load(session, IncidentRecord, query.order_by(col(IncidentRow.number)))


def evidence_of(ledger: Transactions, incident: IncidentRecord, until: int = 2**63 - 1) -> Data:
    """Return all records of one incident: itself, its duties, and each automatic act with its reason.

    Its events are those up to the row `until` of the trail.
    """
    with ledger.read() as session:
        return _evidence(session, incident, until)


def _evidence(session: Session, incident: IncidentRecord, until: int) -> Data:
    ticket, postmortem = session.get(TicketRow, incident.id), session.get(PostmortemRow, incident.id)
    return {
        "incident": {
            "id": incident.id,
            "number": incident.number,
            "title": incident.snapshot.get("title", ""),
            "team": incident.team,
            "service": (incident.snapshot.get("service") or {}).get("name"),
            "severity": incident.severity,
            "severity_assumed": incident.assumed,
            "severities": incident.severity_periods,
            "status": incident.status,
            "created_at": iso(incident.created_at),
            "acknowledged_at": iso(incident.acknowledged_at),
            "resolved_at": iso(incident.resolved_at),
            "first_seen_at": iso(incident.first_seen_at),
            "merged_into": incident.merged_into,
            "noise_rule": incident.noise_rule,
        },
        "ticket": _postmortem_or_item(ticket, "origin", "created_at") if ticket else None,
        "postmortem": _postmortem_or_item(postmortem, "origin", "created_at") if postmortem else None,
        "duties": [_plain(duty, "id", "incident_id") for duty in _all(session, DutyRow, incident.id)],
        "waivers": [_plain(waiver, "id", "incident_id") for waiver in _all(session, WaiverRow, incident.id)],
        "action_items": [
            {**_postmortem_or_item(item, "source", "first_seen_at", "ended_at", "facts"), **_owner(item)}
            for item in _all(session, ActionItemRow, incident.id)
        ],
        "operations": [
            {
                name: _value(getattr(operation, name))
                for name in (
                    *("id", "op", "kind", "target", "state", "reason", "mapping_version", "attempts"),
                    *("remote_id", "decided_at", "claimed_at", "finished_at"),
                )
            }
            for operation in _all(session, OperationRow, incident.id)
        ],
        "events": [
            {
                "seq": event.seq,
                "at": iso(event.at),
                "kind": event.kind,
                "operation": event.operation_id,
                "data": audit.event_data(event.seq, event.text),
                "hash": event.hash,
            }
            for event in _events(session, incident.id, until)
        ],
    }


def _events(session: Session, incident: str, until: int) -> Iterator[AuditEventRow]:
    query = select(AuditEventRow).where(
        AuditEventRow.incident_id == incident, col(AuditEventRow.seq) <= until
    )
    yield from session.exec(query.order_by(col(AuditEventRow.seq)))


def _all(session: Session, table: Any, incident: str) -> list[Any]:
    query = select(table).where(table.incident_id == incident)
    return list(session.exec(query.order_by(*inspect(table).primary_key)).all())


def _postmortem_or_item(row: Any, *names: str) -> Data:
    status = ((row.snapshot or {}).get("status") or {}).get("name")
    data: Data = {"key": row.key, "issue_id": row.issue_id, "status": status}
    return data | {name: _value(getattr(row, name)) for name in names}


def _owner(row: ActionItemRow) -> Data:
    snapshot = row.snapshot or {}
    return {
        "summary": snapshot.get("summary"),
        "owner": (snapshot.get("assignee") or {}).get("name"),
        "due": snapshot.get("due_date"),
    }


def _plain(row: SQLModel, *left_out: str) -> Data:
    names = [name for name in type(row).model_fields if name not in left_out]
    return {name: _value(getattr(row, name)) for name in names}


def _value(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def first_event(ledger: Transactions, incident_ids: Iterable[str]) -> int | None:
    """Return the first row of the trail that is about one of these incidents, None if there is none."""
    with ledger.read() as session:
        seqs = [session.connection().scalar(_FIRST, {"incident": ident}) for ident in incident_ids]
    return min((seq for seq in seqs if seq is not None), default=None)


_FIRST = columns(func.min(col(AuditEventRow.seq))).where(
    col(AuditEventRow.incident_id) == bindparam("incident")
)
