"""The marks of a ledger that was moved to another database: two ledgers of one account would double tickets.

`moved_to` marks the former ledger, with the name of the new one, and `moved_at` tells when (UTC). `copy_of`
marks the new one until the former is marked, with the name of that one.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from syncd.ledger.database.connection import Transactions
from syncd.ledger.errors import LedgerMoved
from syncd.ledger.store.identity import get_meta, set_meta

MOVED_TO = "moved_to"
MOVED_AT = "moved_at"
COPY_OF = "copy_of"


def mark_moved(session: Session, target: str, now: datetime) -> None:
    """Mark a ledger as moved to the ledger of a name."""
    set_meta(session, MOVED_TO, target)
    set_meta(session, MOVED_AT, now.isoformat())


def refuse_half_of_a_move(session: Session) -> None:
    """Raise `LedgerMoved` for a ledger that was moved elsewhere, and for a copy that is not finished."""
    half = _half_of_a_move(session)
    if half is not None:
        raise LedgerMoved(f"{half[0]}: a daemon on it would make every ticket again", half[1])


def moved_words(session: Session) -> str | None:
    """Return why no daemon starts on this ledger and what to do; None for a whole ledger."""
    try:
        refuse_half_of_a_move(session)
    except LedgerMoved as moved:
        return f"{moved}. {moved.hint[:1].upper()}{moved.hint[1:]}"
    return None


def missing_words(ledger: Transactions) -> str | None:
    """Return that a reader gets no later figures from half of a move, and what to do; else None."""
    with ledger.read() as session:
        half = _half_of_a_move(session)
    return None if half is None else f"{half[0]}: it lacks everything later; {half[1]}"


def _half_of_a_move(session: Session) -> tuple[str, str] | None:
    """Return which half of a move this ledger is, and what to do; None for a whole ledger."""
    moved_to, moved_at, copy_of = (get_meta(session, key) for key in (MOVED_TO, MOVED_AT, COPY_OF))
    if moved_to is not None:
        on = f" on {datetime.fromisoformat(moved_at):%Y-%m-%d %H:%M} UTC" if moved_at else ""
        return f"this ledger was moved to {moved_to}{on}", f"set SYNCD_LEDGER_URL to the URL of {moved_to}"
    if copy_of is not None:
        again = "run the same `syncd ledger copy` again: it finishes the copy or begins anew"
        return f"this ledger is an unfinished copy of {copy_of}", again
    return None
