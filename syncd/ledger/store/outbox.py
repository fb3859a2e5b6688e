"""The outbox: record decided writes as operations, and find the operations that are open.

`syncd.ledger.store.operation_states` changes the state of an operation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.operation import (
    OPEN_STATES,
    UNSENT_STATES,
    WORKING_STATES,
    Kind,
    Operation,
    OperationClass,
    OperationState,
)
from syncd.domain.operation.base import object_of_ticket
from syncd.domain.operation.keys import incident_of_create, postmortem_key, ticket_key, words_of_needs
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import json_source, position_in
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.loading import load, made_of, select_records
from syncd.ledger.store.operation_states import (
    TABLE,
    UNKNOWN,
    Stored,
    decide_again,
    end_unknown,
    finish,
    is_spent,
    outcome_unknown,
    say,
)
from syncd.ledger.store.restored import why_not_sent
from syncd.ledger.store.snapshots import LONGEST_LAG
from syncd.ledger.store.tables import OperationRow, PostmortemRow, TicketRow

WAITED_FOR = timedelta(days=1)
"""How long a parked operation holds back the operations that need it."""


def record(
    session: Session,
    operations: Sequence[Operation],
    now: datetime,
    version: str,
    *,
    waiting: Sequence[OperationRecord],
    hold: frozenset[str] = frozenset(),
) -> list[OperationRecord]:
    """Record the operations that an incident needs now; `waiting` are its open ones.

    Return the waiting ones as they are afterwards, and then the new ones.

    A once-operation is left if its key is on record, unless it was superseded and is not spent. A state
    operation supersedes a waiting operation with the same object and aspect and another meaning. A waiting
    state operation that is no longer decided is superseded. An operation under way is left: the next decision
    sees its outcome.
    Operations whose key is in `hold` begin as held.
    """
    decided = {(op.object, op.aspect): op for op in operations if op.op_class is OperationClass.STATE}
    after, busy = _replace_waiting(session, waiting, decided, now)
    once = {op.key: op for op in operations if op.op_class is OperationClass.ONCE}
    recorded = keys_on_record_in(session, once)
    fresh = [op for key, op in once.items() if key not in recorded]
    fresh += [op for place, op in decided.items() if place not in busy]
    again = _decide_again(session, [once[key] for key in sorted(recorded)], now, version, hold)
    return [*after, *again, *_insert(session, fresh, now, version, hold)]


def _decide_again(
    session: Session, operations: Iterable[Operation], now: datetime, version: str, hold: frozenset[str]
) -> list[OperationRecord]:
    """Let those of these operations wait again that are on record as superseded and not spent."""
    again = []
    for op in operations:
        row = _NOT_SPENT.first(session, key=op.key) if op.kind is Kind.CREATE_POSTMORTEM else None
        if row is not None:
            values = _values_of(op, now, version, op.key in hold)
            # what it tried before is looked up before it leaves again
            del values["attempts"]
            again.append(decide_again(session, made_of(OperationRecord, row), values, now))
    return again


_NOT_SPENT = Prepared(
    select_records(OperationRecord).where(col(OperationRow.key) == bindparam("key"), ~is_spent())
)


def keys_on_record(ledger: Transactions, keys: Collection[str]) -> set[str]:
    """Return those of these keys with which an operation was ever decided."""
    with ledger.read() as session:
        return keys_on_record_in(session, keys)


def keys_on_record_in(session: Session, keys: Collection[str]) -> set[str]:
    """Return those of these keys with which an operation was ever decided."""
    return {key for key in keys if on_record(session, key)}


def _replace_waiting(
    session: Session,
    waiting: Iterable[OperationRecord],
    decided: dict[tuple[str, str], Operation],
    now: datetime,
) -> tuple[list[OperationRecord], set[tuple[str, str]]]:
    """Supersede the waiting operations that are no longer decided.

    Return all of them as they are afterwards, and the places that stay taken.
    """
    after: list[OperationRecord] = []
    busy: set[tuple[str, str]] = set()
    for row in waiting:
        place = (row.object, row.aspect)
        op = decided.get(place)
        # amendments drop once-operations; a decision need not repeat them
        if row.op_class != OperationClass.STATE:
            after.append(row)
        # under way, or the same decision: a place has one open operation at most
        elif row.state not in UNSENT_STATES or (op and means_the_same(op, row)):
            busy.add(place)
            after.append(row)
        else:
            why = op.reason if op else "no longer needed"
            end = end_unknown if outcome_unknown(row) else partial(finish, state=OperationState.SUPERSEDED)
            after.append(end(session, row, now=now, why=why))
    return after, busy


def add(session: Session, operations: Sequence[Operation], now: datetime, version: str = "") -> None:
    """Record once-operations beside an incident's decisions; those whose key is on record are left."""
    # checked one at a time, because two of them may have the same key
    for op in operations:
        if op.op_class is OperationClass.ONCE and not on_record(session, op.key):
            _insert(session, [op], now, version, frozenset())


def note_done(
    session: Session, op: Operation, remote_id: str, done_at: datetime, now: datetime
) -> OperationRecord | None:
    """Record a once-operation that an earlier ledger carried out; return None if it is on record."""
    if on_record(session, op.key):
        return None
    (row,) = _insert(session, [op], now, "", frozenset())
    return finish(session, row, OperationState.DONE, done_at, remote_id=remote_id)


def on_record(session: Session, key: str) -> bool:
    """Return True if an operation with this key was ever decided."""
    return _WITH_KEY.first(session, key=key) is not None


_WITH_KEY = Prepared(columns(col(OperationRow.id)).where(col(OperationRow.key) == bindparam("key")))


def is_done(session: Session, incident_id: str, op: str) -> bool:
    """Return True if an operation of the incident is confirmed, by the words of its mark."""
    return _DONE.scalar(session, incident=incident_id, op=op) is not None


_DONE = Prepared(
    columns(col(OperationRow.id)).where(
        col(OperationRow.op) == bindparam("op"),
        col(OperationRow.incident_id) == bindparam("incident"),
        col(OperationRow.state) == literal(str(OperationState.DONE)),
    )
)


def of_key(session: Session, key: str) -> OperationRow | None:
    """Return the latest operation with a key in any state, None if there is none."""
    query = select(OperationRow).where(OperationRow.key == key).order_by(col(OperationRow.id).desc())
    return session.exec(query).first()


def means_the_same(op: Operation, row: OperationRow | OperationRecord) -> bool:
    """Return True if a row records this very decision."""
    # fields that the service refused or demanded: the decision itself is the same
    meant = {name: value for name, value in row.meaning.items() if name not in ("refused", "demanded")}
    return op.kind == row.kind and op.meaning == meant


def stand_as_decided(records: Iterable[OperationRecord], decided: Iterable[Operation]) -> bool:
    """Return True if the recorded state operations are exactly the decided ones, refused fields included."""
    recorded = {
        (record.object, record.aspect): record.meaning
        for record in records
        if record.op_class == OperationClass.STATE
    }
    return recorded == {(op.object, op.aspect): op.meaning for op in decided}


def _insert(
    session: Session, operations: Sequence[Operation], now: datetime, version: str, hold: frozenset[str]
) -> list[OperationRecord]:
    rows = []
    for op in operations:
        values = _values_of(op, now, version, op.key in hold)
        # one statement each: only so the database tells the new row's id
        row = OperationRecord(**values, **_NEVER_LEFT, id=_INSERT.scalar(session, **values))
        say(session, now, "operation.decided", row, {"reason": row.reason, "held": op.key in hold})
        # recorded all the same, so that people can see what was not sent
        why = why_not_sent(session, op)
        if why is not None:
            row = finish(session, row, OperationState.DROPPED, now, why=why)
        rows.append(row)
    return rows


def _values_of(op: Operation, now: datetime, version: str, held: bool) -> dict[str, Any]:
    """Return the values of a new operation's columns, as a later read shows them."""
    return {
        "key": op.key,
        "op": op.op,
        "op_class": str(op.op_class),
        "kind": str(op.kind),
        "target": str(op.target),
        "incident_id": op.incident,
        "object": op.object,
        "aspect": op.aspect,
        "needs": list(op.needs),
        "meaning": dict(op.meaning),
        "reason": op.reason,
        "mapping_version": version,
        "state": str(OperationState.HELD if held else OperationState.PENDING),
        "attempts": 0,
        "waits_for": words_of_needs(op.incident, op.needs) if op.needs else None,
        "waits_since": now,
        "decided_at": now,
    }


_INSERT = Prepared(insert(TABLE).returning(TABLE.c.id))
_NEVER_LEFT: dict[str, Any] = dict.fromkeys(
    (
        "rendered",
        "instance",
        "probe_from",
        "gave_up_boot_id",
        "gave_up_boottime",
        "remote_id",
        "error",
        "claimed_at",
        "finished_at",
    )
)
"""The columns that are null until an operation leaves or ends."""


def unmet(session: Session, row: OperationRow | OperationRecord, now: datetime | None = None) -> list[str]:
    """Return the keys that an operation still waits for; an adopted ticket needs no create.

    An operation does not wait for another that has been parked for more than a day by `now`, unless that
    one creates an issue: no write can go to an issue that does not exist.
    """
    if not row.needs:
        return []
    needed = [other for key in row.needs for other in load(session, OperationRecord, _NEEDED, {"key": key})]
    met = {other.key for other in needed if other.state == OperationState.DONE or _parked_long(other, now)}
    return [key for key in row.needs if key not in met and not _issue_exists(session, key)]


_NEEDED = Prepared(select_records(OperationRecord).where(col(OperationRow.key) == bindparam("key")))


def _parked_long(row: OperationRecord, now: datetime | None) -> bool:
    # an operation can be parked before it ever leaves: then its decision counts
    since = row.claimed_at or row.decided_at
    long = now is not None and now - since > WAITED_FOR
    return long and row.state == OperationState.PARKED and not row.kind.startswith("create_")


def _issue_exists(session: Session, key: str) -> bool:
    """Return True if the issue that a create makes is on record, also if a person made it."""
    incident = incident_of_create(key)
    if key == ticket_key(incident):
        return session.get(TicketRow, incident) is not None
    return key == postmortem_key(incident) and session.get(PostmortemRow, incident) is not None


def incidents_with_work(session: Session) -> list[str]:
    """Return the incidents with an operation that is pending, in flight or of unknown outcome."""
    return list(session.connection().scalars(_WITH_WORK))


_WITH_WORK = (
    columns(col(OperationRow.incident_id))
    .where(col(OperationRow.state).in_([literal(str(state)) for state in WORKING_STATES]))
    .distinct()
    .order_by(col(OperationRow.incident_id))
)


def incidents_waiting_for(ledger: Transactions, key: str) -> list[str]:
    """Return the incidents with a pending operation that needs `key`."""
    query = (
        select(OperationRow.incident_id)
        .where(
            OperationRow.state == OperationState.PENDING,
            # the column is a JSON list: the quotes keep `ticket:P1` apart from `ticket:P10`
            position_in(json_source(col(OperationRow.needs)), f'"{key}"') > 0,
        )
        .distinct()
        .order_by(col(OperationRow.incident_id))
    )
    with ledger.read() as session:
        return list(session.exec(query).all())


def perhaps_done(session: Session, object_: str, aspect: str) -> OperationRecord | None:
    """Return the latest operation of an object and aspect that ever left, if its outcome is unknown."""
    latest = load(session, OperationRecord, _LATEST, {"object": object_, "aspect": aspect})
    # `end_unknown` leaves its trace in `rendered` of a superseded operation
    unsure = [row for row in latest if outcome_unknown(row) or (row.rendered or {}).get(UNKNOWN)]
    return unsure[0] if unsure else None


_LATEST = Prepared(
    select_records(OperationRecord)
    .where(
        col(OperationRow.object) == bindparam("object"),
        col(OperationRow.aspect) == bindparam("aspect"),
        col(OperationRow.attempts) > 0,
    )
    .order_by(col(OperationRow.id).desc())
    .limit(1)
)


def in_doubt(ledger: Transactions, incident_id: str, now: datetime) -> bool:
    """Return True if a read of an incident's ticket may still lack a write of ours that failed.

    Such a write was refused, or ended with an unknown outcome, within the longest lag of Jira's reads.
    """
    with ledger.read() as session:
        return in_doubt_in(session, incident_id, now)


def in_doubt_in(session: Session, incident_id: str, now: datetime) -> bool:
    """Do as `in_doubt` within a transaction."""
    ended = _ENDED_SINCE.all(
        session, incident=incident_id, object=object_of_ticket(incident_id), since=now - LONGEST_LAG
    )
    return any(error is not None or (rendered or {}).get(UNKNOWN) for error, rendered in ended)


_ENDED_SINCE = Prepared(
    columns(col(OperationRow.error), col(OperationRow.rendered)).where(
        col(OperationRow.incident_id) == bindparam("incident"),
        col(OperationRow.object) == bindparam("object"),
        # a refused or unknown state operation ends as superseded, and a newer decision replaces it
        col(OperationRow.op_class) == OperationClass.STATE,
        col(OperationRow.state) == OperationState.SUPERSEDED,
        col(OperationRow.finished_at) > bindparam("since"),
    )
)


def untried(rows: Iterable[Stored]) -> dict[str, Stored]:
    """Return the once-operations among these that wait and never left, by key."""
    waiting = (OperationState.PENDING, OperationState.HELD)
    return {
        row.key: row
        for row in rows
        if row.op_class == OperationClass.ONCE and row.state in waiting and not row.attempts
    }


def counts(session: Session, *which: ColumnElement[bool]) -> dict[str, int]:
    """Return how many operations are in each state; a state without operations counts 0.

    `which` are conditions that an operation fulfils to be counted.
    """
    query = select(OperationRow.state, func.count()).where(*which).group_by(col(OperationRow.state))
    counted = {state: int(number) for state, number in session.exec(query).all()}
    return {str(state): counted.get(state, 0) for state in OperationState}


def listing(session: Session, states: Sequence[OperationState] = OPEN_STATES) -> list[OperationRow]:
    """Return the operations in these states, oldest first."""
    names = [str(state) for state in states]
    query = select(OperationRow).where(col(OperationRow.state).in_(names)).order_by(col(OperationRow.id))
    return list(session.exec(query).all())
