"""Store what an operation made: a ticket, a postmortem, an action item, a note or a comment.

What is on record already was adopted before its create was confirmed: it is taken as the operation's own.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store import audit
from syncd.ledger.store.confirmation import New, NewActionItem, NewPair, NewTicket
from syncd.ledger.store.tables import ActionItemRow, MirrorLinkRow, PostmortemRow, TicketRow


def store_made(session: Session, incident_id: str, new: New, now: datetime) -> None:
    """Store what a create made; what was adopted meanwhile, before its create was confirmed, stays."""
    if isinstance(new, NewPair):
        _store_pair(session, incident_id, new)
        return
    if isinstance(new, NewActionItem):
        _store_item(session, incident_id, new, now)
        return
    # a key is PROJECT-NUMBER
    born: dict[str, Any] = {
        "incident_id": incident_id,
        "issue_id": new.issue_id,
        "key": new.key,
        "project": new.key.rpartition("-")[0],
        "origin": "operation",
        "agreed": new.agreed,
        "written_seq": new.written_seq,
        "created_at": now,
    }
    row: TicketRow | PostmortemRow | None
    if isinstance(new, NewTicket):
        row = _on_record(session, TicketRow, incident_id, new.issue_id)
    else:
        row = _on_record(session, PostmortemRow, incident_id, new.issue_id)
    if row is None:
        session.add(
            TicketRow(**born, refused=new.refused) if isinstance(new, NewTicket) else PostmortemRow(**born)
        )
    elif (row.incident_id, row.issue_id) == (incident_id, new.issue_id):
        # the issue is this operation's own: what was agreed on later holds
        row.origin, row.agreed = "operation", {**new.agreed, **row.agreed}
        if isinstance(new, NewTicket) and isinstance(row, TicketRow):
            row.refused = sorted({*row.refused, *new.refused})
        session.add(row)
    else:
        # a person adopted another issue, or this one for another incident
        keys: list[JsonValue] = [row.key, new.key]
        audit.append(session, now, "candidates", incident=incident_id, data={"keys": keys})


Issue = TypeVar("Issue", TicketRow, PostmortemRow)


def _on_record(session: Session, table: type[Issue], incident_id: str, issue_id: str) -> Issue | None:
    """Return the row of an incident, else the row of an issue; None if neither is on record."""
    # a create is all but always the first that the ledger hears of its issue
    if _KNOWN[table].scalar(session, incident=incident_id, issue=issue_id) is None:
        return None
    row: Issue | None = session.get(table, incident_id)
    if row is None:
        row = session.exec(select(table).where(table.issue_id == issue_id)).first()
    return row


_KNOWN: dict[type[TicketRow | PostmortemRow], Prepared] = {
    table: Prepared(
        columns(col(table.incident_id)).where(
            or_(col(table.incident_id) == bindparam("incident"), col(table.issue_id) == bindparam("issue"))
        )
    )
    for table in (TicketRow, PostmortemRow)
}


def _store_pair(session: Session, incident_id: str, new: NewPair) -> None:
    # what is on record knows more than what was found again; an id that is None is that of no row
    if _SAME_PAIR.scalar(session, note=new.note_id, comment=new.comment_id) is None:
        _ADD_PAIR.change(session, incident_id=incident_id, **asdict(new))


_SAME_PAIR = Prepared(
    columns(col(MirrorLinkRow.id)).where(
        or_(
            col(MirrorLinkRow.note_id) == bindparam("note"),
            col(MirrorLinkRow.comment_id) == bindparam("comment"),
        )
    )
)
_ADD_PAIR = Prepared(insert(MirrorLinkRow))


def _store_item(session: Session, incident_id: str, new: NewActionItem, now: datetime) -> None:
    item = session.get(ActionItemRow, new.issue_id)
    if item is None:
        item = ActionItemRow(
            issue_id=new.issue_id,
            incident_id=incident_id,
            key=new.key,
            project=new.key.rpartition("-")[0],
            source=new.source,
            team=new.team,
            first_seen_at=now,
        )
    item.facts = {**item.facts, **new.facts}
    session.add(item)
