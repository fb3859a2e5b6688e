"""How far back a ledger's own memory goes."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, func, or_, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.restored import restored_at
from syncd.ledger.store.tables import AuditEventRow, MetaRow

Data = dict[str, Any]


def history(ledger: Transactions) -> Data:
    """How far back this ledger's own memory goes: its birth, its last restore, and how much of what an
    earlier ledger knew is `rebuilt`, counted by what it is, so that reports can say so."""
    with ledger.read() as session:
        born = session.get(MetaRow, "born")
        at = restored_at(session)
        return {
            "born": born.value if born else None,
            "restored": at.isoformat() if at else None,
            "rebuilt": _rebuilt(session),
        }


_REBUILT = {
    "ticket.adopted": "ticket",
    "postmortem.adopted": "postmortem",
    "item.adopted": "action item",
    "duty.rebuilt": "breach",
    "waiver.rebuilt": "waiver",
}
"""What an event counts as; an issue without our mark was adopted, and not made by an earlier ledger."""


def _rebuilt(session: Session) -> dict[str, int]:
    query = (
        select(AuditEventRow.kind, func.count())
        .where(col(AuditEventRow.kind).in_(_REBUILT))
        .where(
            or_(
                col(AuditEventRow.kind).not_in(["ticket.adopted", "postmortem.adopted"]),
                col(AuditEventRow.text).contains('"by":"mark"'),
            )
        )
        .group_by(col(AuditEventRow.kind))
    )
    counts = {kind: int(number) for kind, number in session.exec(query).all()}
    return {words: counts[kind] for kind, words in _REBUILT.items() if kind in counts}
