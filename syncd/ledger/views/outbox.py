"""What `syncd outbox`, `syncd plan` and `syncd run --once` ask the ledger about operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncd.domain.operation import OPEN_STATES, OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.tables import OperationRow
from syncd.ledger.views.postmortems import iso

Data = dict[str, Any]


def listing(ledger: Transactions, states: Sequence[OperationState] = OPEN_STATES) -> list[OperationRecord]:
    """Return the operations in these states, oldest first."""
    with ledger.read() as session:
        return [record_of(OperationRecord, row) for row in outbox.listing(session, states)]


def counts(ledger: Transactions) -> dict[str, int]:
    """Return how many operations stand in each state."""
    with ledger.read() as session:
        return outbox.counts(session)


def outbox_data(ledger: Transactions, states: Sequence[OperationState] = OPEN_STATES) -> Data:
    """Return the open operations and the counts by state."""
    with ledger.read() as session:
        return {
            "counts": outbox.counts(session),
            "operations": [operation_data(row) for row in outbox.listing(session, states)],
        }


def operation_data(row: OperationRow | OperationRecord) -> Data:
    """One operation as `outbox` and `show` list it."""
    return {
        "id": row.id,
        "incident": row.incident_id,
        "kind": row.kind,
        "target": row.target,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempts,
        "error": row.error,
        "needs": row.needs,
        "remote_id": row.remote_id,
        "decided_at": iso(row.decided_at),
        "finished_at": iso(row.finished_at),
    }
