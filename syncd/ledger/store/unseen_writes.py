"""Keep what syncd wrote until a read has shown it, and find out that a write had no effect.

A service can answer a write as done and change nothing. So the transaction that ends an operation stores the
places that it wrote. A read that shows another value there than before deletes them. What no read has shown a
minute later is read by id; after two such reads, and if nobody changed it meanwhile, it had no effect. Times
count on the boot-time clock; after a reboot they begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, update
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col, select

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, ObjectKind, split_object
from syncd.domain.operation.base import object_of
from syncd.domain.operation.postmortem import DutyIssueEdit, DutyIssueLink
from syncd.domain.operation.rendered import Rendered
from syncd.domain.operation.ticket import LinkTickets
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import get
from syncd.ledger.store.tables import (
    ActionItemRow,
    IncidentRow,
    IssueRow,
    PostmortemRow,
    TicketRow,
    UnseenWriteRow,
)
from syncd.policy.ticket.revert_counter import incident_value
from syncd.policy.ticket.unseen_writes import field_of, normal_print, shown_at, written_at

LOOK_AFTER = 60.0
"""Seconds after an answer, and again after the first look, until syncd reads by id what no read showed."""
LOOKS = 2
"""Reads by id that must show nothing of a write before it counts as without effect."""
SENDS = 2
"""How often syncd sends a write that has no effect before it parks it."""

Shown = Callable[[str], str | None]
"""Given a place, return a hash of the value that a read shows there, None if the read does not hold it."""


@dataclass(frozen=True)
class Answered:
    """When a service answered a write: on the boot-time clock, and by the service's own clock (UTC)."""

    boot_id: str
    boottime: float
    at: datetime


@dataclass(frozen=True)
class Awaited:
    """One written place that no read has shown; `issue` is None for a place of the incident."""

    object: str
    place: str
    incident: str
    issue: str | None
    operation: int
    looks: int
    answered_at: datetime


def row_of(session: Session, object_: str) -> IssueRow | None:
    """Return the ticket, postmortem or action item of an object, None for any other object."""
    kind, ident = split_object(object_)
    if kind == ObjectKind.TICKET:
        return session.get(TicketRow, ident)
    if kind == ObjectKind.POSTMORTEM:
        return session.get(PostmortemRow, ident)
    return session.get(ActionItemRow, ident) if kind == ObjectKind.ACTION_ITEM else None


def expect(session: Session, operation: OperationRecord, answered: Answered) -> None:
    """Store the places that an operation wrote, before its confirmation changes the snapshot."""
    rendered = operation.rendering
    written = written_at(rendered, operation.aspect) if rendered is not None else {}
    if not written:
        return
    row = row_of(session, operation.object)
    before = _before(session, operation, row, written)
    for place, wanted in written.items():
        earlier = session.get(UnseenWriteRow, (operation.object, place))
        known = {*(earlier.before if earlier else ()), *([before[place]] if place in before else ())}
        known -= {wanted}
        if earlier is not None:
            session.delete(earlier)
            session.flush()
        # nothing to see: the value stood there already, or no read holds it
        if not known:
            continue
        again = earlier is not None and earlier.wanted == wanted
        session.add(
            UnseenWriteRow(
                object=operation.object,
                place=place,
                incident_id=operation.incident_id,
                issue_id=row.issue_id if row is not None else None,
                operation_id=operation.id,
                before=sorted(known),
                wanted=wanted,
                sends=earlier.sends + 1 if again and earlier is not None else 1,
                placed_status=row.placed_status if isinstance(row, TicketRow) else None,
                answered_at=answered.at,
                answered_boot_id=answered.boot_id,
                answered_boottime=answered.boottime,
            )
        )


def _before(
    session: Session, operation: OperationRecord, row: IssueRow | None, places: Iterable[str]
) -> dict[str, str]:
    """Return a hash of the present value of each place, as far as the ledger has it."""
    if operation.kind == Kind.CHANGE_INCIDENT:
        incident = session.get(IncidentRow, operation.incident_id)
        return _of_incident(Incident.model_validate(incident.snapshot), places) if incident else {}
    if row is None or not row.snapshot:
        return {}
    issue = Issue.model_validate(row.snapshot)
    shown = {place: shown_at(issue, place) for place in places}
    return {place: value for place, value in shown.items() if value is not None}


def _of_incident(incident: Incident, places: Iterable[str]) -> dict[str, str]:
    return {place: normal_print(incident_value(incident, place)) for place in places}


def forget_shown(session: Session, object_: str, issue: Issue) -> None:
    """Delete the written places of an issue at which a read shows another value than before."""
    _forget(session, object_, lambda place: shown_at(issue, place))


def forget_shown_incident(session: Session, incident: Incident) -> None:
    """Delete the written places of an incident at which a read shows another value than before."""
    object_ = object_of(ObjectKind.INCIDENT, incident.id)
    _forget(session, object_, lambda place: normal_print(incident_value(incident, place)))


def _forget(session: Session, object_: str, shown: Shown) -> None:
    for place, before in _PLACES_OF.all(session, object=object_):
        value = shown(place)
        if value is not None and value not in before:
            _DELETE.change(session, object=object_, place=place)


def unseen_in(session: Session, incident_id: str) -> list[tuple[str, str, bool]]:
    """Return the written places of an incident that no read has shown: object, place, without effect."""
    return [
        (object_, place, no_effect)
        for object_, place, no_effect in _OF_INCIDENT.all(session, incident=incident_id)
    ]


def due(ledger: Transactions, present: Answered) -> list[Awaited]:
    """Return the written places to read by id now, those of one object one after the other.

    Places that were written before a reboot wait anew. An issue out of sight shows nothing.
    """
    # mostly nothing is awaited, and one statement tells that
    with ledger.read_one() as session:
        if _AWAITED.first(session) is None:
            return []
    with ledger.read() as session:
        rows = [
            (Awaited(*place), boot_id, boottime)
            for boot_id, boottime, *place in _AWAITED.all(session)
            if _in_sight(session, place[0])
        ]
        rebooted = any(boot_id != present.boot_id for _, boot_id, _ in rows)
        ready = [
            place
            for place, boot_id, boottime in rows
            if boot_id == present.boot_id and present.boottime - boottime >= LOOK_AFTER * (place.looks + 1)
        ]
    if rebooted:
        with ledger.write() as session:
            values = {"this_boot": present.boot_id, "boottime": present.boottime}
            session.connection().execute(_WAIT_ANEW, values)
    return ready


def _in_sight(session: Session, object_: str) -> bool:
    issue = row_of(session, object_)
    return issue is None or issue.out_of_sight_since is None


def still_unseen(ledger: Transactions, looked_at: Sequence[Awaited]) -> list[Awaited]:
    """Return those of these places that a read by id did not show, as they stand after it was stored."""
    with ledger.read() as session:
        rows = [(place, session.get(UnseenWriteRow, (place.object, place.place))) for place in looked_at]
        return [place for place, row in rows if row is not None and row.operation_id == place.operation]


@dataclass(frozen=True)
class NoEffect:
    """A write that had no effect: its operation, the fields, and how often syncd has sent it."""

    operation: int
    incident: str
    fields: tuple[str, ...]
    sends: int


def looked(
    ledger: Transactions,
    places: Sequence[Awaited],
    changed: Mapping[str, bool],
    now: datetime,
) -> NoEffect | None:
    """Store that a read by id of one object showed nothing of these places; return what had no effect.

    `changed` tells by place, of those that were read often enough, if somebody else changed it since: then
    that value stands.
    """
    without: list[UnseenWriteRow] = []
    with ledger.write() as session:
        for place in places:
            row = session.get(UnseenWriteRow, (place.object, place.place))
            if row is None or row.operation_id != place.operation:
                continue
            row.looks += 1
            if changed.get(place.place):
                session.delete(row)
            elif row.looks >= LOOKS:
                row.no_effect = True
                without.append(row)
                _undo(session, row)
        if not without:
            return None
        fields = sorted({field_of(row.place) for row in without})
        first, sends = without[0], max(row.sends for row in without)
        data: dict[str, JsonValue] = {"fields": [*fields], "sends": sends}
        audit.append(
            session,
            now,
            "write.no_effect",
            incident=first.incident_id,
            issue=first.issue_id,
            operation=first.operation_id,
            data=data,
        )
        return NoEffect(first.operation_id, first.incident_id, tuple(fields), sends)


def _undo(session: Session, row: UnseenWriteRow) -> None:
    """Take back what the ledger agreed on for a write that had no effect, so that it is decided again."""
    operation, issue = get(session, OperationRecord, row.operation_id), row_of(session, row.object)
    if operation is None or issue is None:
        return
    decided, agreed = operation.operation, dict[str, JsonValue]()
    if isinstance(issue, TicketRow) and row.place == "status":
        issue.placed_status = row.placed_status
    if isinstance(decided, DutyIssueEdit):
        agreed = {**decided.agree}
    elif isinstance(decided, DutyIssueLink):
        agreed = {decided.purpose: decided.other}
    elif isinstance(decided, LinkTickets):
        agreed = {decided.purpose: decided.other_incident}
    kept = issue.facts if isinstance(issue, ActionItemRow) else issue.agreed
    after = {name: value for name, value in kept.items() if name not in agreed or value != agreed[name]}
    if isinstance(issue, ActionItemRow):
        issue.facts = after
    else:
        issue.agreed = after
    session.add(issue)


@dataclass(frozen=True)
class Doubt:
    """Why an operation should not leave as it is: no read has shown the same write that left before.

    `no_effect`: it was sent often enough, and these `fields` never changed. Otherwise the reads go on.
    """

    no_effect: bool
    fields: tuple[str, ...]


def doubt(ledger: Transactions, operation: OperationRecord, rendered: Rendered) -> Doubt | None:
    """Return why a pending operation should not leave now, None if it may leave."""
    written = written_at(rendered, operation.aspect)
    if not written:
        return None
    with ledger.read() as session:
        rows = session.exec(_OF_OBJECT, params={"object": operation.object}).all()
        same = {row.place: row for row in rows if written.get(row.place) == row.wanted}
    # it writes something new, too
    if same.keys() != written.keys():
        return None
    if all(row.no_effect for row in same.values()):
        fields = tuple(sorted({field_of(place) for place in same}))
        return Doubt(True, fields) if min(row.sends for row in same.values()) >= SENDS else None
    return Doubt(False, ())


def forget_all(session: Session) -> None:
    """Forget all written places, as in a copy that takes the place of a lost ledger."""
    session.connection().execute(delete(UnseenWriteRow))


_TABLE = SQLModel.metadata.tables["unseen_write"]
_WHERE = (_TABLE.c.object == bindparam("object"), _TABLE.c.place == bindparam("place"))
_DELETE = Prepared(delete(_TABLE).where(*_WHERE))
_PLACES_OF = Prepared(
    columns(col(UnseenWriteRow.place), col(UnseenWriteRow.before))
    .where(col(UnseenWriteRow.object) == bindparam("object"))
    .order_by(col(UnseenWriteRow.place))
)
_OF_OBJECT = (
    select(UnseenWriteRow)
    .where(col(UnseenWriteRow.object) == bindparam("object"))
    .order_by(col(UnseenWriteRow.place))
)
_OF_INCIDENT = Prepared(
    columns(col(UnseenWriteRow.object), col(UnseenWriteRow.place), col(UnseenWriteRow.no_effect))
    .where(col(UnseenWriteRow.incident_id) == bindparam("incident"))
    .order_by(col(UnseenWriteRow.object), col(UnseenWriteRow.place))
)
_AWAITED = Prepared(
    columns(
        col(UnseenWriteRow.answered_boot_id),
        col(UnseenWriteRow.answered_boottime),
        # the fields of `Awaited`
        col(UnseenWriteRow.object),
        col(UnseenWriteRow.place),
        col(UnseenWriteRow.incident_id),
        col(UnseenWriteRow.issue_id),
        col(UnseenWriteRow.operation_id),
        col(UnseenWriteRow.looks),
        col(UnseenWriteRow.answered_at),
    )
    .where(col(UnseenWriteRow.no_effect).is_(False))
    .order_by(col(UnseenWriteRow.answered_at), col(UnseenWriteRow.object), col(UnseenWriteRow.place))
)
_WAIT_ANEW = (
    update(_TABLE)
    .where(_TABLE.c.answered_boot_id != bindparam("this_boot"))
    .values(answered_boot_id=bindparam("this_boot"), answered_boottime=bindparam("boottime"), looks=0)
)
