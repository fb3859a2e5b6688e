"""What a running daemon tells of its ledger: counts and moments, never a title."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal
from sqlalchemy import select as columns
from sqlmodel import col

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import holds, outbox
from syncd.ledger.store.tables import IncidentRow, OperationRow

WAITING = (OperationState.PENDING, OperationState.IN_FLIGHT, OperationState.UNKNOWN)
"""States of operations that nobody need do anything about."""


@dataclass(frozen=True, slots=True)
class DaemonState:
    """`operations` are counted by state; `oldest_waiting` is when the oldest one that waits was decided."""

    open_incidents: int
    operations: dict[str, int]
    oldest_waiting: datetime | None
    brakes: holds.DaemonStatus


def daemon_state(ledger: Transactions) -> DaemonState:
    """Return how the ledger stands."""
    with ledger.read() as session:
        connection = session.connection()
        return DaemonState(
            open_incidents=connection.scalar(_OPEN) or 0,
            operations=outbox.counts(session),
            oldest_waiting=connection.scalar(_OLDEST),
            brakes=holds.standing_in(session),
        )


_OPEN = (
    columns(func.count()).select_from(IncidentRow).where(col(IncidentRow.status) != IncidentStatus.RESOLVED)
)
_OLDEST = (
    columns(col(OperationRow.decided_at))
    .where(col(OperationRow.state).in_([literal(str(state)) for state in WAITING]))
    .order_by(col(OperationRow.decided_at))
    .limit(1)
)
