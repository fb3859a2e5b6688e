"""The change notices: which incidents may have changed, since when, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import LookAgainRow


def look_again_in(
    session: Session,
    incident_ids: Iterable[str],
    now: datetime,
    moment: int,
    why: str,
    *,
    notes: bool = False,
    ticket: bool = False,
) -> None:
    """Note that these incidents may have changed; a read that began at `moment` or later is fresh enough.

    `notes`: somebody wrote, edited or deleted a note. `ticket`: the ticket is to be read, not the incident.
    """
    said = {"at": now, "moment": moment, "why": why, "notes": notes, "ticket": ticket}
    rows = [{"incident_id": incident_id, **said} for incident_id in dict.fromkeys(incident_ids)]
    if rows:
        session.connection().execute(_LOOK_AGAIN, rows)


_LOOK_AGAIN = insert(LookAgainRow)


def look_again(
    ledger: Transactions,
    incident_ids: Iterable[str],
    now: datetime,
    moment: int,
    why: str,
    *,
    notes: bool = False,
    ticket: bool = False,
) -> None:
    """As `look_again_in`, in a transaction of its own."""
    with ledger.write() as session:
        look_again_in(session, incident_ids, now, moment, why, notes=notes, ticket=ticket)


def awaiting_a_look_in(session: Session) -> list[str]:
    """Return the incidents that may have changed, the longest known first."""
    return list(dict.fromkeys(session.connection().scalars(_AWAITING)))


def awaiting_a_look(ledger: Transactions) -> list[str]:
    """Return the incidents that may have changed, the longest known first."""
    with ledger.read() as session:
        return awaiting_a_look_in(session)


_AWAITING = columns(col(LookAgainRow.incident_id)).order_by(col(LookAgainRow.id))


class Look(NamedTuple):
    """One word about an incident (`LookAgainRow`)."""

    id: int
    at: datetime
    why: str
    moment: int
    notes: bool
    ticket: bool


def looks_of_in(session: Session, incident_id: str) -> list[Look]:
    """Return what was said about one incident and not yet looked at."""
    return [Look(*one) for one in session.connection().execute(_LOOKS_OF, {"incident": incident_id})]


_LOOKS_OF = columns(*(col(getattr(LookAgainRow, name)) for name in Look._fields)).where(
    col(LookAgainRow.incident_id) == bindparam("incident")
)


def looked_in(session: Session, looks: Iterable[Look]) -> None:
    """What was said is answered by the decision of this transaction."""
    ids = [look.id for look in looks]
    if ids:
        session.connection().execute(_LOOKED, {"ids": ids})


_LOOKED = delete(LookAgainRow).where(col(LookAgainRow.id).in_(bindparam("ids", expanding=True)))
