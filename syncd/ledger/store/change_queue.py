"""The change notices: which incidents may have changed, since when, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import ChangeNoticeRow


def notice_changes_in(
    session: Session,
    incident_ids: Iterable[str],
    now: datetime,
    read_seq: int,
    why: str,
    *,
    notes: bool = False,
    ticket: bool = False,
) -> None:
    """Write a change notice for each incident; a read that began at `read_seq` or later is fresh enough.

    `notes`: somebody wrote, edited or deleted a note. `ticket`: the ticket is to be read, not the incident.
    """
    said = {"at": now, "read_seq": read_seq, "why": why, "notes": notes, "ticket": ticket}
    rows = [{"incident_id": incident_id, **said} for incident_id in dict.fromkeys(incident_ids)]
    if rows:
        session.connection().execute(_NOTICE_CHANGES, rows)


_NOTICE_CHANGES = insert(ChangeNoticeRow)


def notice_changes(
    ledger: Transactions,
    incident_ids: Iterable[str],
    now: datetime,
    read_seq: int,
    why: str,
    *,
    notes: bool = False,
    ticket: bool = False,
) -> None:
    """As `notice_changes_in`, in a transaction of its own."""
    with ledger.write() as session:
        notice_changes_in(session, incident_ids, now, read_seq, why, notes=notes, ticket=ticket)


def incidents_with_notices_in(session: Session) -> list[str]:
    """Return the incidents that may have changed, the longest known first."""
    return list(dict.fromkeys(session.connection().scalars(_WITH_NOTICES)))


def incidents_with_notices(ledger: Transactions) -> list[str]:
    """Return the incidents that may have changed, the longest known first."""
    with ledger.read() as session:
        return incidents_with_notices_in(session)


_WITH_NOTICES = columns(col(ChangeNoticeRow.incident_id)).order_by(col(ChangeNoticeRow.id))


class ChangeNotice(NamedTuple):
    """One change notice (`ChangeNoticeRow`)."""

    id: int
    at: datetime
    why: str
    read_seq: int
    notes: bool
    ticket: bool


def change_notices_of_in(session: Session, incident_id: str) -> list[ChangeNotice]:
    """Return what was said about one incident and not yet looked at."""
    return [
        ChangeNotice(*one)
        for one in session.connection().execute(_CHANGE_NOTICES_OF, {"incident": incident_id})
    ]


_CHANGE_NOTICES_OF = columns(*(col(getattr(ChangeNoticeRow, name)) for name in ChangeNotice._fields)).where(
    col(ChangeNoticeRow.incident_id) == bindparam("incident")
)


def drop_notices_in(session: Session, change_notices: Iterable[ChangeNotice]) -> None:
    """Drop change notices that the decision of this transaction answers."""
    ids = [notice.id for notice in change_notices]
    if ids:
        session.connection().execute(_DROP_CHANGE_NOTICES, {"ids": ids})


_DROP_CHANGE_NOTICES = delete(ChangeNoticeRow).where(
    col(ChangeNoticeRow.id).in_(bindparam("ids", expanding=True))
)
