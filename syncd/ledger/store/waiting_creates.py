"""Read models of the creates of tickets: those that wait, those to render, those whose outcome is unknown.

The batches ask here; `leaving` holds the verbs for a create that leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import CreateTicket, Kind, OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import json_source
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow


@dataclass(frozen=True)
class Waiting:
    """A ticket's create that never left; a `plain` one carries no instructions beyond its incident."""

    operation_id: int
    incident_id: str
    team: str | None
    severity: str | None
    status: str
    plain: bool


def waiting_creates(ledger: Transactions, limit: int) -> list[Waiting]:
    """Return at most `limit` tickets' creates that never left: open incidents first, then the oldest."""
    with ledger.read() as session:
        rows = session.connection().execute(_CREATES, {"most": limit}).all()
    return [
        # a create of a restricted incident, or one with refused fields, is not plain
        Waiting(number, incident, team, severity, status, meaning.keys() <= {"roles"})
        for number, incident, meaning, team, severity, status in rows
    ]


_CREATES = (
    columns(
        col(OperationRow.id),
        col(OperationRow.incident_id),
        col(OperationRow.meaning),
        col(IncidentRow.team),
        col(IncidentRow.severity),
        col(IncidentRow.status),
    )
    .join(IncidentRow, col(IncidentRow.id) == col(OperationRow.incident_id))
    .where(
        col(OperationRow.state) == OperationState.PENDING,
        col(OperationRow.kind) == Kind.CREATE_TICKET,
        col(OperationRow.attempts) == 0,
    )
    .order_by(
        case((col(IncidentRow.status) == IncidentStatus.RESOLVED, 1), else_=0),
        col(OperationRow.id),
    )
    .limit(bindparam("most"))
)


def lost_creates(ledger: Transactions) -> list[OperationRecord]:
    """Return the plain creates of tickets whose outcome is unknown, oldest first."""
    with ledger.read() as session:
        operations = load(session, OperationRecord, _LOST)
    return [operation for operation in operations if operation.typed(CreateTicket).is_plain]


_LOST = (
    select_records(OperationRecord)
    .where(col(OperationRow.state) == OperationState.UNKNOWN, col(OperationRow.kind) == Kind.CREATE_TICKET)
    .order_by(col(OperationRow.id))
)


def creates_to_render(
    ledger: Transactions, operation_ids: Sequence[int]
) -> list[tuple[OperationRecord, IncidentRecord]]:
    """Return these creates with their incidents, oldest first, without incidents that have a ticket."""
    with ledger.read() as session:
        operations = load(session, OperationRecord, _BY_IDS, {"ids": list(operation_ids)})
        ids = [operation.incident_id for operation in operations]
        incidents = {
            incident.id: incident for incident in load(session, IncidentRecord, _INCIDENTS, {"ids": ids})
        }
        ticketed = _with_ticket(session, ids)
    return [
        (operation, incidents[operation.incident_id])
        for operation in operations
        if operation.incident_id in incidents and operation.incident_id not in ticketed
    ]


_BY_IDS = (
    select_records(OperationRecord)
    .where(col(OperationRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(OperationRow.id))
)
_INCIDENTS = select_records(IncidentRecord).where(col(IncidentRow.id).in_(bindparam("ids", expanding=True)))


def incidents_in_need(ledger: Transactions) -> list[str]:
    """Return the incidents with a pending operation that needs other operations."""
    with ledger.read() as session:
        return list(session.connection().scalars(_IN_NEED))


_IN_NEED = (
    columns(col(OperationRow.incident_id))
    .where(
        col(OperationRow.state) == OperationState.PENDING,
        json_source(col(OperationRow.needs)) != "[]",
    )
    .distinct()
    .order_by(col(OperationRow.incident_id))
)


def incidents_with_ticket(ledger: Transactions, incident_ids: Sequence[str]) -> set[str]:
    """Return those of these incidents that have a ticket."""
    with ledger.read() as session:
        return _with_ticket(session, incident_ids)


def _with_ticket(session: Session, incident_ids: Sequence[str]) -> set[str]:
    return set(session.connection().scalars(_TICKETED, {"ids": list(incident_ids)}))


_TICKETED = columns(col(TicketRow.incident_id)).where(
    col(TicketRow.incident_id).in_(bindparam("ids", expanding=True))
)
