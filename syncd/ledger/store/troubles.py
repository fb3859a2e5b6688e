"""Troubles: what syncd cannot read or do about one object at the moment, while all else goes on.

A trouble is recorded and logged once, and removed when it is over. `show` and `status` print the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.lookups import incident_and_ticket_in, name_in
from syncd.ledger.store.names import log_after_commit
from syncd.ledger.store.tables import TroubleRow

INCIDENT = "read the incident"
"""The trouble of an incident that cannot be read: its stored snapshot stays meanwhile."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble: `what` completes "syncd cannot"; since when (UTC), and why.

    `whose` is an incident's id, a project's key or a team's name. `number`, `ticket`, `team` and `restricted`
    are the incident's.
    """

    whose: str
    what: str
    since: datetime
    why: str
    number: int | None = None
    ticket: str | None = None
    team: str | None = None
    restricted: bool = False


def note_trouble_in(session: Session, whose: str, what: str, why: str, now: datetime) -> None:
    """Record and log a trouble if it is new; `why` holds no text of an incident."""
    if session.get(TroubleRow, (whose, what)) is not None:
        return
    session.add(TroubleRow(whose=whose, what=what, since=now, why=why))
    if what == INCIDENT:
        # the service's words may hold a person's
        data: dict[str, JsonValue] = {"words": audit.salted(session, why)}
        audit.append(session, now, "incident.unreadable", incident=whose, data=data)
    log_after_commit(
        session,
        whose,
        "WARNING",
        "{}: syncd cannot {}; it goes on without and tries again by itself: {}",
        name_in(session, whose),
        what,
        why,
    )


def note_trouble(ledger: Transactions, whose: str, what: str, why: str, now: datetime) -> None:
    """Do as `note_trouble_in`, in a transaction of its own."""
    with ledger.write() as session:
        note_trouble_in(session, whose, what, why, now)


def note_unread(ledger: Transactions, unread: Mapping[str, str], now: datetime, since: int) -> None:
    """Record incidents of a list that cannot be read, by id with the reason, each with a change notice.

    A read by id that began at moment `since` or later is fresh enough.
    """
    with ledger.write() as session:
        for incident_id, why in unread.items():
            note_trouble_in(session, incident_id, INCIDENT, why, now)
        notice_changes_in(session, unread, now, since, "it could not be read")


def trouble_is_over(ledger: Transactions, whose: str, what: str) -> None:
    """Remove a trouble, and log that it is over."""
    with ledger.write() as session:
        row = session.get(TroubleRow, (whose, what))
        if row is not None:
            session.delete(row)
            name = name_in(session, whose)
            log_after_commit(session, whose, "INFO", "{}: syncd can {} again", name, what)


def troubles(ledger: Transactions) -> list[Trouble]:
    """Return all troubles, the oldest first."""
    with ledger.read() as session:
        return troubles_in(session)


def troubles_in(session: Session, whose: str | None = None) -> list[Trouble]:
    """Return the troubles of an object (None: all), the oldest first."""
    query = select(TroubleRow).order_by(col(TroubleRow.since), col(TroubleRow.whose), col(TroubleRow.what))
    if whose is not None:
        query = query.where(col(TroubleRow.whose) == whose)
    return [_trouble(session, row) for row in session.exec(query).all()]


def _trouble(session: Session, row: TroubleRow) -> Trouble:
    incident, ticket = incident_and_ticket_in(session, row.whose)
    trouble = Trouble(row.whose, row.what, row.since, row.why, ticket=ticket.key if ticket else None)
    if incident is None:
        return trouble
    return replace(trouble, number=incident.number, team=incident.team, restricted=incident.restricted)
