"""Change notices: which incidents may have changed, since when and why.

Beside them stand the incidents that the daemon takes up when it starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, insert
from sqlalchemy import select as columns
from sqlmodel import Session, and_, col, or_

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import has_json_entries
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.key_values import hear_status_updates_in
from syncd.ledger.store.loading import get
from syncd.ledger.store.snapshots import STILL_OPEN, tickets_by_issue_in
from syncd.ledger.store.tables import ChangeNoticeRow, IncidentRow

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
    for incident_id in dict.fromkeys(incident_ids):
        _NOTICE_CHANGES.change(session, incident_id=incident_id, **values)


_NOTICE_CHANGES = Prepared(insert(ChangeNoticeRow))


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
    with ledger.read_one() as session:
        return list(dict.fromkeys(_WITH_NOTICES.scalars(session)))


def noticed_elsewhere(ledger: Transactions) -> dict[int, str]:
    """Return the incidents with change notices of other processes, by the notice's number."""
    with ledger.read_one() as session:
        return dict(_NOTICED_ELSEWHERE.all(session))


_NOTICED_ELSEWHERE = Prepared(
    columns(col(ChangeNoticeRow.id), col(ChangeNoticeRow.incident_id))
    .where(col(ChangeNoticeRow.read_seq) == ELSEWHERE)
    .order_by(col(ChangeNoticeRow.id))
)
_WITH_NOTICES = Prepared(columns(col(ChangeNoticeRow.incident_id)).order_by(col(ChangeNoticeRow.id)))


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
    return [ChangeNotice(*row) for row in _CHANGE_NOTICES_OF.all(session, incident=incident_id)]


_CHANGE_NOTICES_OF = Prepared(
    columns(*(col(getattr(ChangeNoticeRow, name)) for name in ChangeNotice._fields))
    .where(col(ChangeNoticeRow.incident_id) == bindparam("incident"))
    .order_by(col(ChangeNoticeRow.id))
)


def drop_notices_in(session: Session, change_notices: Iterable[ChangeNotice]) -> None:
    """Drop change notices that the decision of this transaction answers."""
    ids = [notice.id for notice in change_notices]
    # all writers wait for this one, and webhooks leave many notices of the same incident
    for share in (ids[start : start + _DROPPED] for start in range(0, len(ids), _DROPPED)):
        values = {f"notice_{place}": ident for place, ident in enumerate(share)}
        _drop_notices(len(share)).change(session, **values)


_DROPPED = 50
"""Change notices that one statement drops."""


@cache
def _drop_notices(number: int) -> Prepared:
    places: list[ColumnElement[int]] = [bindparam(f"notice_{place}") for place in range(number)]
    return Prepared(delete(ChangeNoticeRow).where(col(ChangeNoticeRow.id).in_(places)))


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
            *session.connection().scalars(_WAITING_IN_REPORT),
        ]


def still_open_in(session: Session) -> list[str]:
    """Return the claimed incidents that are triggered or acknowledged."""
    return list(session.connection().scalars(_STILL_OPEN))


_STILL_OPEN = (
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.team).is_not(None), STILL_OPEN)
    .order_by(col(IncidentRow.number))
)


_WAITING_IN_REPORT = (
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.team).is_not(None), has_json_entries(col(IncidentRow.dry_run_notes)))
    .order_by(col(IncidentRow.number))
)


def unfinished_in(session: Session) -> list[str]:
    """Return the claimed incidents that are resolved and unfinished, or that a noise rule holds back."""
    return list(session.connection().scalars(_UNFINISHED))


_UNFINISHED = (
    columns(col(IncidentRow.id))
    .where(
        col(IncidentRow.team).is_not(None),
        or_(
            and_(col(IncidentRow.status) == IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False)),
            col(IncidentRow.noise_rule).is_not(None),
        ),
    )
    .order_by(col(IncidentRow.number))
)


def team_of_incident(ledger: Transactions, incident_id: str) -> str | None:
    """Return the team of an incident, None if it has no team or is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return incident.team if incident else None


def teams_of_incidents(ledger: Transactions, incident_ids: Collection[str]) -> dict[str, str]:
    """Return the teams of those of these incidents that have one."""
    if not incident_ids:
        return {}
    with ledger.read() as session:
        rows = session.connection().execute(_TEAMS, {"ids": sorted(incident_ids)})
        return {incident_id: team for incident_id, team in rows if team is not None}


_TEAMS = (
    columns(col(IncidentRow.id), col(IncidentRow.team))
    .where(col(IncidentRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(IncidentRow.id))
)


def made_by_us(ledger: Transactions, marks: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of these incidents and marks (16 hex digits) whose operation is confirmed."""
    if not marks:
        return set()
    with ledger.read() as session:
        return {(incident_id, op) for incident_id, op in marks if outbox.is_done(session, incident_id, op)}


class Heard(NamedTuple):
    """The news of a webhook: a change notice (`ChangeNoticeRow`), and a status update with its time.

    `status_update`: somebody published one; `published` (UTC): a person did, at that time.
    """

    incident_id: str
    read_seq: int
    why: str
    notes: bool = False
    status_update: bool = False
    published: datetime | None = None
    ticket: bool = False


def store_heard(ledger: Transactions, heard: Sequence[Heard], now: datetime) -> None:
    """Store what webhooks tell, all in one transaction.

    PagerDuty lists status updates nowhere, so what stands here is their only record.
    """
    if not heard:
        return
    with ledger.write() as session:
        for told in heard:
            if told.status_update:
                hear_status_updates_in(session, now)
                _store_status_update(session, told)
        # of several that ask for the same, the latest asks for the freshest read
        latest = {(told.incident_id, told.why, told.notes, told.ticket): told for told in heard}
        for told in latest.values():
            _NOTICE_CHANGES.change(
                session,
                incident_id=told.incident_id,
                at=now,
                read_seq=told.read_seq,
                why=told.why,
                notes=told.notes,
                ticket=told.ticket,
            )


def _store_status_update(session: Session, told: Heard) -> None:
    row = session.get(IncidentRow, told.incident_id)
    if row is not None and told.published is not None:
        row.status_updates = sorted({*row.status_updates, told.published.isoformat()})
        session.add(row)


def incidents_of_issues(ledger: Transactions, issue_ids: Collection[str]) -> dict[str, str]:
    """Return the incidents whose tickets are among these issues, by issue id."""
    if not issue_ids:
        return {}
    with ledger.read() as session:
        return {
            issue: row.incident_id for issue, row in tickets_by_issue_in(session, sorted(issue_ids)).items()
        }
