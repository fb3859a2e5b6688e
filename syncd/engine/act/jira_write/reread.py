"""What an operation is decided upon, read again when it leaves: its incident and that team's rulebook."""

from __future__ import annotations

from syncd.domain.incident import Incident
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.engine.rulebook import book_for
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.leaving import Basis, basis_of
from syncd.policy.case import Rulebook


def incident_and_book(context: EngineContext, operation: OperationRecord) -> tuple[Incident, Rulebook]:
    """The operation's incident as it stands in the ledger now, and the rulebook of its team.

    Raises `DecideAgain` where no mapping claims it any more, and what `book_for` raises.
    """
    return book_of_basis(context, basis_of(context.ledger, operation.incident_id))


def book_of_basis(context: EngineContext, basis: Basis, *, home: bool = False) -> tuple[Incident, Rulebook]:
    """The incident as it was read, and the rulebook of its team; `home`: see `book_for`.

    Raises `DecideAgain` where no mapping claims it any more, and what `book_for` raises.
    """
    if basis.incident is None:
        raise DecideAgain
    book = book_for(context, basis.incident, home=home)
    if book is None:
        raise DecideAgain
    return Incident.model_validate(basis.incident.snapshot), book
