"""What an operation is decided upon, read again when it leaves: its incident and that team's rulebook."""

from __future__ import annotations

from syncd.domain.incident import Incident
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.engine.rulebook import book_for
from syncd.ledger.store.tables import IncidentRow, OperationRow
from syncd.policy.case import Rulebook


def incident_and_book(desk: Desk, row: OperationRow, *, home: bool = False) -> tuple[Incident, Rulebook]:
    """The operation's incident as last read, and the rulebook of its team; `home`: see `book_for`.

    Raises `DecideAgain` where no mapping claims it any more, and what `book_for` raises.
    """
    with desk.ledger.db.read() as session:
        known = session.get(IncidentRow, row.incident_id)
    if known is None:
        raise DecideAgain
    book = book_for(desk, known, home=home)
    if book is None:
        raise DecideAgain
    return Incident.model_validate(known.snapshot), book
