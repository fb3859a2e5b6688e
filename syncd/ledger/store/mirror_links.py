"""Notes and the comments that say the same: how one of them was rewritten after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.operation.texts import Rewrite
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.confirmation import PairRecord, Rewritten
from syncd.ledger.store.tables import MirrorLinkRow


def _pair(session: Session, operation: OperationRecord) -> MirrorLinkRow | None:
    copy = operation.typed(Rewrite)
    query = select(MirrorLinkRow).where(
        col(MirrorLinkRow.note_id) == copy.note, col(MirrorLinkRow.comment_id) == copy.comment
    )
    return session.exec(query).first()


def store_rewritten(
    session: Session, operation: OperationRecord, rewritten: Rewritten, now: datetime
) -> None:
    """Store which version of the original a copy stands for from now on, and how the copy reads."""
    pair = _pair(session, operation)
    if pair is None:
        return
    if pair.origin == "note":
        pair.note_hash, pair.comment_hash = rewritten.version, rewritten.copied or pair.comment_hash
    else:
        pair.comment_hash, pair.note_hash = rewritten.version, rewritten.copied or pair.note_hash
    session.add(pair)
    if rewritten.left:
        data: dict[str, JsonValue] = {"rule": "mirror", "reason": rewritten.left}
        incident = operation.incident_id
        audit.append(session, now, "left", incident=incident, operation=operation.id, data=data)


def store_copy(
    ledger: Transactions,
    operation: OperationRecord,
    judge: Callable[[PairRecord], Rewritten | None],
    now: datetime,
) -> bool:
    """Store what is known of a copy that need not be written; return True if it has to be written.

    `judge`: given the pair of note and comment, what is stored; None: the copy is ours to write. False,
    too, where there is no such pair any more.
    """
    with ledger.write() as session:
        pair = _pair(session, operation)
        if pair is None:
            return False
        rewritten = judge(PairRecord(pair.origin, pair.note_hash, pair.comment_hash))
        if rewritten is None:
            return True
        store_rewritten(session, operation, rewritten, now)
        return False
