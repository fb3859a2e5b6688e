"""When the passing of time asks for a decision."""

from __future__ import annotations

from datetime import datetime

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import postmortems


def next_due(ledger: Transactions, after: datetime) -> datetime | None:
    """Return the next moment at which the passing of time alone asks for a decision on any incident."""
    with ledger.read() as session:
        return postmortems.next_due(session, after)


def due_incidents(ledger: Transactions, now: datetime, limit: int = 200) -> list[str]:
    """Return claimed incidents for which the passing of time alone asks for another decision by now."""
    with ledger.read() as session:
        return list(postmortems.due_incidents(session, now, limit))
