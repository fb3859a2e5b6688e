"""The marks of a ledger that was moved to another database: two ledgers of one account would double tickets.

`moved_to` marks the former ledger, with the name of the new one. `copy_of` marks the new one until the former
is marked, with the name of that one.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.ledger.errors import LedgerMoved
from syncd.ledger.store.identity import get_meta

MOVED_TO = "moved_to"
COPY_OF = "copy_of"


def refuse_half_of_a_move(session: Session) -> None:
    """Raise `LedgerMoved` for a ledger that was moved elsewhere, and for a copy that is not finished."""
    moved_to, copy_of = get_meta(session, MOVED_TO), get_meta(session, COPY_OF)
    if moved_to is not None:
        raise LedgerMoved(
            f"this ledger was moved to {moved_to}: a daemon on the old one would make every ticket again",
            f"set SYNCD_LEDGER_URL to the URL of {moved_to}",
        )
    if copy_of is not None:
        raise LedgerMoved(
            f"this ledger is an unfinished copy of {copy_of}",
            "run the same `syncd ledger copy` again: it finishes the copy or begins anew",
        )


def moved_words(session: Session) -> str | None:
    """Return why no daemon starts on this ledger and what to do; None for a whole ledger."""
    try:
        refuse_half_of_a_move(session)
    except LedgerMoved as moved:
        return f"{moved}. {moved.hint[:1].upper()}{moved.hint[1:]}"
    return None
