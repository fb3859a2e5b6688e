"""The audit trail for commands: its head, the check of its chain, the events after a sequence number."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.audit import Broken
from syncd.ledger.store.loading import get
from syncd.ledger.store.tables import AuditEventRow, IncidentRow, TicketRow


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """An event of the audit trail, with the incident, ticket and operation that it is about."""

    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]
    number: int | None
    ticket: str | None
    operation: OperationRecord | None


def head(ledger: Transactions) -> tuple[int, str]:
    """Return sequence and hash of the chain's end."""
    with ledger.read() as session:
        return audit.head(session)


def verify(ledger: Transactions, anchor: tuple[int, str] | None = None) -> Broken | None:
    """Check the chain, which must pass through `anchor`; return the first broken row, None if all hold."""
    with ledger.read() as session:
        return audit.verify(session, anchor)


def events_since(ledger: Transactions, seq: int) -> list[TrailEvent]:
    """Return the events after sequence `seq`, oldest first."""
    query = select(AuditEventRow).where(col(AuditEventRow.seq) > seq).order_by(col(AuditEventRow.seq))
    with ledger.read() as session:
        return [_event(session, row) for row in session.exec(query).all()]


def _event(session: Session, row: AuditEventRow) -> TrailEvent:
    incident = session.get(IncidentRow, row.incident_id) if row.incident_id else None
    ticket = session.get(TicketRow, incident.id) if incident else None
    # some events are about no incident, or about one without a ticket
    return TrailEvent(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        data=json.loads(row.text),
        number=incident.number if incident else None,
        ticket=ticket.key if ticket else None,
        operation=get(session, OperationRecord, row.operation_id) if row.operation_id else None,
    )
