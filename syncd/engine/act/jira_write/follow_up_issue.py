"""What the writes to postmortems and action items have in common: which one it is, and what is kept of it."""

from __future__ import annotations

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.postmortems import PaperRow
from syncd.ledger.store.tables import ActionItemRow, OperationRow, PostmortemRow


def paper_in(session: Session, row: OperationRow) -> PaperRow | None:
    """The postmortem or action item that an operation is about, None where it is not on record."""
    kind, _, ident = row.object.partition(":")
    if kind == "postmortem":
        return session.get(PostmortemRow, ident)
    return session.get(ActionItemRow, ident) if kind == "action_item" else None


def paper_row(desk: Desk, row: OperationRow) -> PaperRow:
    """As `paper_in`; raises `DecideAgain` where it is not on record yet."""
    with desk.ledger.db.read() as session:
        found = paper_in(session, row)
    if found is None:
        raise DecideAgain
    return found


def agree(paper: PaperRow, agreed: dict[str, JsonValue]) -> None:
    """Keep what was agreed on by a write of ours: on an action item it stands among its facts."""
    if not agreed:
        return
    if isinstance(paper, PostmortemRow):
        paper.agreed = {**paper.agreed, **agreed}
    else:
        paper.facts = {**paper.facts, **agreed}


def written(
    session: Session, desk: Desk, row: OperationRow, paper: PaperRow, kind: str, data: dict[str, JsonValue]
) -> None:
    """A write of ours to it was confirmed: later reads count, and it stands on record."""
    paper.written_moment = desk.ledger.moments.next()
    session.add(paper)
    audit.append(
        session,
        desk.clock.now(),
        kind,
        incident=row.incident_id,
        issue=paper.issue_id,
        operation=row.id,
        data=data,
    )
