"""Which incidents are to be worked on: at the start, and when what they wait for may be there."""

from __future__ import annotations

from datetime import datetime

from syncd.domain.operation import OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import outbox
from syncd.ledger.store.outbox import GivenUp
from syncd.ledger.store.snapshots import still_open_in, unfinished_in


def recover(ledger: Transactions, run: str, now: datetime, given_up: GivenUp) -> list[str]:
    """Have what an earlier run left in flight looked up; return its incidents."""
    with ledger.write() as session:
        return outbox.recover(session, run, now, given_up)


def to_take_up(ledger: Transactions) -> list[str]:
    """Return the incidents that rules may concern: with work, held, open or unfinished."""
    with ledger.read() as session:
        return [
            *outbox.incidents_with_work(session),
            # rules may have changed meanwhile: what is open or held is decided anew
            *(row.incident_id for row in outbox.listing(session, [OperationState.HELD])),
            *still_open_in(session),
            *unfinished_in(session),
        ]


def in_need(ledger: Transactions) -> list[str]:
    """Return the incidents with a pending operation that needs others."""
    with ledger.read() as session:
        return outbox.incidents_that_need_something(session)
