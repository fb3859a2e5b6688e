"""The outbox: how a decided write becomes an operation, and which operations are open.

How an operation changes its state stands in `syncd.ledger.store.operation_states`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import String, bindparam, func, insert, literal, type_coerce
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.operation import OPEN_STATES, Operation, OperationClass, OperationState
from syncd.domain.operation.base import object_of_ticket
from syncd.domain.operation.keys import incident_of_create, postmortem_key, ticket_key
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.operation_states import TABLE, UNKNOWN, finish, say
from syncd.ledger.store.restored import WHY, lies_before_beginning
from syncd.ledger.store.snapshots import LONGEST_LAG
from syncd.ledger.store.tables import OperationRow, PostmortemRow, TicketRow

_Known = TypeVar("_Known", OperationRow, OperationRecord)
WAITED_FOR = timedelta(days=1)
"""So long a parked operation holds back what could do without it."""
_REPLACEABLE = (OperationState.PENDING, OperationState.PARKED, OperationState.HELD)


def record(
    session: Session,
    incident: str,
    operations: Sequence[Operation],
    now: datetime,
    version: str,
    *,
    hold: frozenset[str] = frozenset(),
    waiting: Sequence[OperationRow] | None = None,
) -> list[OperationRow]:
    """Given all that an incident needs now, bring its rows into line and return the new ones.

    A once-operation whose key stands already is left. A state operation replaces a waiting one of the
    same object and aspect that means something else; waiting ones that are no longer wanted are
    superseded. One that is under way is left: the next decision sees its outcome.
    Operations whose key is in `hold` begin as held. `waiting` are the incident's open rows, where the
    caller has read them in this transaction.
    """
    wanted = {(op.object, op.aspect): op for op in operations if op.op_class is OperationClass.STATE}
    waiting = open_of(session, incident) if waiting is None else waiting
    busy = _replace_waiting(session, waiting, wanted, now)
    once = {op.key: op for op in operations if op.op_class is OperationClass.ONCE}
    known = keys_on_record_in(session, once)
    fresh = [op for key, op in once.items() if key not in known]
    fresh += [op for place, op in wanted.items() if place not in busy]
    return _insert(session, fresh, now, version, hold)


def keys_on_record(ledger: Transactions, keys: Collection[str]) -> set[str]:
    """Return those of these keys of which an operation was ever decided."""
    with ledger.read() as session:
        return keys_on_record_in(session, keys)


def keys_on_record_in(session: Session, keys: Collection[str]) -> set[str]:
    """Return those of these keys of which an operation was ever decided."""
    if not keys:
        return set()
    return set(session.connection().scalars(_KEYS, {"keys": list(keys)}))


_KEYS = columns(col(OperationRow.key)).where(col(OperationRow.key).in_(bindparam("keys", expanding=True)))


def _replace_waiting(
    session: Session,
    waiting: Iterable[OperationRow],
    wanted: dict[tuple[str, str], Operation],
    now: datetime,
) -> set[tuple[str, str]]:
    busy: set[tuple[str, str]] = set()
    for row in waiting:
        if row.op_class != OperationClass.STATE:
            continue
        place = (row.object, row.aspect)
        op = wanted.get(place)
        if row.state not in _REPLACEABLE or (op and means_the_same(op, row)):
            busy.add(place)
        else:
            why = op.reason if op else "no longer needed"
            finish(session, row, OperationState.SUPERSEDED, now, why=why)
    return busy


def add(session: Session, operations: Sequence[Operation], now: datetime, version: str = "") -> None:
    """Record once-operations beside what an incident's decisions ask for; those on record are left."""
    for op in operations:
        if op.op_class is OperationClass.ONCE and not on_record(session, op.key):
            _insert(session, [op], now, version, frozenset())


def note_done(
    session: Session, op: Operation, remote_id: str, done_at: datetime, now: datetime
) -> OperationRow | None:
    """Put a once-operation on record that an earlier ledger carried out; None where it stands there."""
    if on_record(session, op.key):
        return None
    (row,) = _insert(session, [op], now, "", frozenset())
    finish(session, row, OperationState.DONE, done_at, remote_id=remote_id)
    return row


def on_record(session: Session, key: str) -> bool:
    """Whether an operation of this key was ever decided."""
    return session.exec(select(OperationRow.id).where(OperationRow.key == key)).first() is not None


def of_key(session: Session, key: str) -> OperationRow | None:
    """The latest operation of a key, whatever became of it."""
    query = select(OperationRow).where(OperationRow.key == key).order_by(col(OperationRow.id).desc())
    return session.exec(query).first()


def means_the_same(op: Operation, row: OperationRow | OperationRecord) -> bool:
    """Whether a row is this very decision; what a service refused of it (`refused`) changes nothing."""
    meant = {name: value for name, value in row.meaning.items() if name != "refused"}
    return op.kind == row.kind and op.meaning == meant


def stand_as_decided(records: Iterable[OperationRecord], wanted: Iterable[Operation]) -> bool:
    """Return True if the state operations among these are exactly the wanted ones, refusals included."""
    known = {(one.object, one.aspect): one.meaning for one in records if one.op_class == OperationClass.STATE}
    return known == {(op.object, op.aspect): op.meaning for op in wanted}


def _insert(
    session: Session, operations: Sequence[Operation], now: datetime, version: str, hold: frozenset[str]
) -> list[OperationRow]:
    if not operations:
        return []
    values = [_values_of(op, now, version, op.key in hold) for op in operations]
    connection = session.connection()
    ids = [connection.execute(_INSERT, one).lastrowid for one in values]
    rows = list(session.exec(_BY_ID, params={"ids": ids}).all())
    for row, op in zip(rows, operations, strict=True):
        held = row.state == OperationState.HELD
        say(session, now, "operation.decided", row, {"reason": row.reason, "held": held})
        if lies_before_beginning(session, op):
            finish(session, row, OperationState.DROPPED, now, why=WHY)
    return rows


def _values_of(op: Operation, now: datetime, version: str, held: bool) -> dict[str, Any]:
    return {
        "key": op.key,
        "op": op.op,
        "op_class": op.op_class,
        "kind": op.kind,
        "target": op.target,
        "incident_id": op.incident,
        "object": op.object,
        "aspect": op.aspect,
        "needs": list(op.needs),
        "meaning": dict(op.meaning),
        "reason": op.reason,
        "mapping_version": version,
        "state": OperationState.HELD if held else OperationState.PENDING,
        "attempts": 0,
        "decided_at": now,
    }


_INSERT = insert(TABLE)
_BY_ID = (
    select(OperationRow)
    .where(col(OperationRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(OperationRow.id))
)


def open_of(session: Session, incident: str) -> list[OperationRow]:
    """The open operations of an incident, oldest first; mostly there are none, so their ids come first."""
    ids = session.connection().scalars(_OPEN_OF, {"incident": incident}).all()
    return list(session.exec(_BY_ID, params={"ids": ids}).all()) if ids else []


_OPEN_OF = (
    columns(col(OperationRow.id))
    .where(
        col(OperationRow.incident_id) == bindparam("incident"),
        col(OperationRow.state).in_([literal(str(state)) for state in OPEN_STATES]),
    )
    .order_by(col(OperationRow.id))
)


def unmet(session: Session, row: OperationRow | OperationRecord, now: datetime | None = None) -> list[str]:
    """The keys that an operation still waits for; a ticket that was adopted needs no create.

    What has been parked for longer than a day by `now` is waited for no more, but for the create of an
    issue: nothing can be done on what is not there.
    """
    if not row.needs:
        return []
    rows = session.exec(select(OperationRow).where(col(OperationRow.key).in_(row.needs))).all()
    met = {one.key for one in rows if one.state == OperationState.DONE or _parked_long(one, now)}
    return [key for key in row.needs if key not in met and not _is_there(session, key)]


def _parked_long(row: OperationRow, now: datetime | None) -> bool:
    since = row.claimed_at or row.decided_at
    long = now is not None and now - since > WAITED_FOR
    return long and row.state == OperationState.PARKED and not row.kind.startswith("create_")


def _is_there(session: Session, key: str) -> bool:
    """Whether a create's issue stands on record, whoever made it."""
    incident = incident_of_create(key)
    if key == ticket_key(incident):
        return session.get(TicketRow, incident) is not None
    return key == postmortem_key(incident) and session.get(PostmortemRow, incident) is not None


def incidents_with_work(session: Session) -> list[str]:
    """Incidents with an operation that is pending, under way or unknown."""
    return list(session.connection().scalars(_WITH_WORK))


_AT_WORK = (OperationState.PENDING, OperationState.IN_FLIGHT, OperationState.UNKNOWN)
_WITH_WORK = (
    columns(col(OperationRow.incident_id))
    .where(col(OperationRow.state).in_([literal(str(state)) for state in _AT_WORK]))
    .distinct()
    .order_by(col(OperationRow.incident_id))
)


def incidents_waiting_for(ledger: Transactions, key: str) -> list[str]:
    """Return the incidents with a pending operation that needs `key`."""
    query = (
        select(OperationRow.incident_id)
        .where(
            OperationRow.state == OperationState.PENDING,
            func.instr(type_coerce(OperationRow.needs, String), f'"{key}"') > 0,
        )
        .distinct()
        .order_by(col(OperationRow.incident_id))
    )
    with ledger.read() as session:
        return list(session.exec(query).all())


def perhaps_done(session: Session, object_: str, aspect: str) -> OperationRow | None:
    """The latest operation of an object and aspect that ever left, if nobody knows what became of it."""
    query = (
        select(OperationRow)
        .where(OperationRow.object == object_, OperationRow.aspect == aspect, OperationRow.attempts > 0)
        .order_by(col(OperationRow.id).desc())
        .limit(1)
    )
    row = session.exec(query).first()
    if row is None:
        return None
    open_yet = row.state in (OperationState.IN_FLIGHT, OperationState.UNKNOWN)
    return row if open_yet or (row.rendered or {}).get(UNKNOWN) else None


def in_doubt(ledger: Transactions, incident_id: str, now: datetime) -> bool:
    """Return True if a read of an incident's ticket may still lack a write of ours that failed.

    Such a write was refused, or ended with an unknown outcome, within the longest lag of Jira's reads.
    """
    since = now - LONGEST_LAG
    where = {"incident": incident_id, "object": object_of_ticket(incident_id), "since": since}
    with ledger.read() as session:
        return any(
            error is not None or (rendered or {}).get(UNKNOWN)
            for error, rendered in session.connection().execute(_ENDED_SINCE, where)
        )


_ENDED_SINCE = columns(col(OperationRow.error), col(OperationRow.rendered)).where(
    col(OperationRow.incident_id) == bindparam("incident"),
    col(OperationRow.object) == bindparam("object"),
    col(OperationRow.op_class) == OperationClass.STATE,
    col(OperationRow.state) == OperationState.SUPERSEDED,
    col(OperationRow.finished_at) > bindparam("since"),
)


def untried(rows: Iterable[_Known]) -> dict[str, _Known]:
    """Of an incident's rows, the once-operations that wait and never left, by key."""
    waiting = (OperationState.PENDING, OperationState.HELD)
    return {
        row.key: row
        for row in rows
        if row.op_class == OperationClass.ONCE and row.state in waiting and not row.attempts
    }


def counts(session: Session) -> dict[str, int]:
    """How many operations stand in each open state, and how many are done."""
    query = select(OperationRow.state, func.count()).group_by(col(OperationRow.state))
    found = {state: int(number) for state, number in session.exec(query).all()}
    return {str(state): found.get(state, 0) for state in OperationState}


def listing(session: Session, states: Sequence[OperationState] = OPEN_STATES) -> list[OperationRow]:
    """The operations in these states, oldest first."""
    wanted = [str(state) for state in states]
    query = select(OperationRow).where(col(OperationRow.state).in_(wanted)).order_by(col(OperationRow.id))
    return list(session.exec(query).all())
