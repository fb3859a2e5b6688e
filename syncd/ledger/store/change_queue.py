"""Change notices: which incidents may have changed, since when and why.

Beside them stand the incidents that the daemon takes up when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.operation import OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.key_values import hear_status_updates_in
from syncd.ledger.store.loading import get, record_of
from syncd.ledger.store.snapshots import (
    still_open_in,
    tickets_by_issue_in,
    unfinished_in,
    waiting_in_report_in,
)
from syncd.ledger.store.tables import ChangeNoticeRow, IncidentRow
from syncd.policy.case import TicketState

ELSEWHERE = -1
"""The `read_seq` of a change notice of another process: its moments are not those of this run's clock."""


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
    """Store a change notice for each incident; a read that began at `read_seq` or later is fresh enough.

    `notes`: somebody wrote, edited or deleted a note. `ticket`: read the ticket, not the incident.
    """
    values = {"at": now, "read_seq": read_seq, "why": why, "notes": notes, "ticket": ticket}
    rows = [{"incident_id": incident_id, **values} for incident_id in dict.fromkeys(incident_ids)]
    # with an empty list SQLAlchemy would insert a row of defaults
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
    """Do as `notice_changes_in`, in a transaction of its own."""
    with ledger.write() as session:
        notice_changes_in(session, incident_ids, now, read_seq, why, notes=notes, ticket=ticket)


def incidents_with_notices(ledger: Transactions) -> list[str]:
    """Return the incidents with a change notice, the oldest notice first."""
    with ledger.read() as session:
        return list(dict.fromkeys(session.connection().scalars(_WITH_NOTICES)))


def noticed_elsewhere(ledger: Transactions) -> dict[int, str]:
    """Return the incidents with change notices of other processes, by the notice's number."""
    with ledger.read() as session:
        rows = session.connection().execute(_NOTICED_ELSEWHERE)
        return {int(number or 0): incident for number, incident in rows}


_NOTICED_ELSEWHERE = (
    columns(col(ChangeNoticeRow.id), col(ChangeNoticeRow.incident_id))
    .where(col(ChangeNoticeRow.read_seq) == ELSEWHERE)
    .order_by(col(ChangeNoticeRow.id))
)
_WITH_NOTICES = columns(col(ChangeNoticeRow.incident_id)).order_by(col(ChangeNoticeRow.id))


RESYNC = "resync"
"""The reason of a resync's change notices: nobody saw a change of the incident."""


class ChangeNotice(NamedTuple):
    """One change notice (`ChangeNoticeRow`)."""

    id: int
    at: datetime
    why: str
    read_seq: int
    notes: bool
    ticket: bool


def change_notices_of_in(session: Session, incident_id: str) -> list[ChangeNotice]:
    """Return the change notices of an incident that no decision has answered, oldest first."""
    return [
        ChangeNotice(*row)
        for row in session.connection().execute(_CHANGE_NOTICES_OF, {"incident": incident_id})
    ]


_CHANGE_NOTICES_OF = (
    columns(*(col(getattr(ChangeNoticeRow, name)) for name in ChangeNotice._fields))
    .where(col(ChangeNoticeRow.incident_id) == bindparam("incident"))
    .order_by(col(ChangeNoticeRow.id))
)


def drop_notices_in(session: Session, change_notices: Iterable[ChangeNotice]) -> None:
    """Drop change notices that the decision of this transaction answers."""
    ids = [notice.id for notice in change_notices]
    if ids:
        session.connection().execute(_DROP_CHANGE_NOTICES, {"ids": ids})


_DROP_CHANGE_NOTICES = delete(ChangeNoticeRow).where(
    col(ChangeNoticeRow.id).in_(bindparam("ids", expanding=True))
)


def to_take_up(ledger: Transactions) -> list[str]:
    """Return the incidents to decide on when the daemon starts, some of them twice.

    They have operations that wait or are held, they are open or unfinished, or something waits in `report`.
    """
    with ledger.read() as session:
        return [
            *outbox.incidents_with_work(session),
            # the mapping may have changed while the daemon was down: decide on open and held ones again
            *(row.incident_id for row in outbox.listing(session, [OperationState.HELD])),
            *still_open_in(session),
            *unfinished_in(session),
            # the mode may be `enforce` now: what waited in `report` is then done
            *waiting_in_report_in(session),
        ]


def team_of_incident(ledger: Transactions, incident_id: str) -> str | None:
    """Return the team of an incident, None if it has no team or is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return incident.team if incident else None


def store_status_update(ledger: Transactions, incident_id: str, at: datetime | None, now: datetime) -> None:
    """Store when a person published a status update (UTC), and that the webhook tells of them.

    `at` None: no person did. PagerDuty lists status updates nowhere, so this is their only record.
    """
    with ledger.write() as session:
        hear_status_updates_in(session, now)
        row = session.get(IncidentRow, incident_id)
        if row is not None and at is not None and at.isoformat() not in row.status_updates:
            row.status_updates = sorted([*row.status_updates, at.isoformat()])
            session.add(row)


def ticket_of_issue(ledger: Transactions, issue_id: str) -> TicketState | None:
    """Return the ticket with this issue id, None if the issue is no ticket of ours."""
    with ledger.read() as session:
        row = tickets_by_issue_in(session, [issue_id]).get(issue_id)
        return record_of(TicketState, row) if row else None


def note_ticket_event(
    ledger: Transactions,
    ticket: TicketState,
    now: datetime,
    moment: int,
    why: str,
) -> None:
    """Store that a ticket may have changed."""
    with ledger.write() as session:
        notice_changes_in(session, [ticket.incident_id], now, moment, why, ticket=True)
