"""Change the state of an operation: claim it, put it back, park it, mark it unknown, finish it.

Each change is a compare-and-set on the state that the caller read, so that two callers never take the same
operation. Its audit event is in the same transaction. A finished operation never changes again, except that a
superseded create of a postmortem waits again once a decision asks for it again. The functions raise
`OperationMoved` if the operation left the state that the caller read. They take a row of the
transaction, which they update, or a record, and return the operation as it is afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel, col, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import (
    OPEN_STATES,
    UNSURE_STATES,
    WORKING_STATES,
    Kind,
    Operation,
    OperationBase,
    OperationClass,
    OperationState,
    Target,
)
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.errors import OperationMoved
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import made_of, select_records
from syncd.ledger.store.tables import IncidentRow, OperationRow

UNKNOWN = "unknown"
"""A key in `rendered` of a superseded operation: nobody knows whether the service carried it out."""
TABLE = SQLModel.metadata.tables["operation"]

_NOT_GIVEN_UP: dict[str, None] = {"gave_up_boot_id": None, "gave_up_boottime": None}
Stored = TypeVar("Stored", OperationRow, OperationRecord)


@dataclass(frozen=True)
class GivenUp:
    """The moment when syncd gave up on a request, on the boot-time clock: seconds under a boot id."""

    boot_id: str
    boottime: float


def claim_in(
    session: Session,
    operation_id: int,
    run: str,
    now: datetime,
    rendered: dict[str, JsonValue],
    probe_from: int | None,
) -> OperationRecord | None:
    """Claim a pending operation that is about to leave; return None if it may not leave.

    It may not leave if it is no longer pending, or if its incident became restricted after the operation was
    rendered. The first claim stores the rendered request, and later claims keep it.
    """
    row = _BEFORE_CLAIM.first(session, row=operation_id)
    if row is None:
        return None
    *columns, restricted = row
    operation = made_of(OperationRecord, columns)
    # the request may hold texts of the incident: the next pass renders it again, without them
    if restricted and not rendered.get("restricted"):
        return None
    values: dict[str, Any] = {
        "state": str(OperationState.IN_FLIGHT),
        "instance": run,
        "claimed_at": now,
        "probe_from": probe_from,
        "attempts": operation.attempts + 1,
        # a repeated request must be the same request, or its outcome could not be looked up
        "rendered": operation.rendered or rendered,
        "error": None,
    }
    if not _changed(session, operation_id, OperationState.PENDING, operation.attempts, values):
        return None
    operation = replace(operation, **values)
    say(session, now, "operation.leaves", operation, {"attempt": operation.attempts})
    return operation


_BEFORE_CLAIM = Prepared(
    select_records(OperationRecord)
    .add_columns(col(IncidentRow.restricted))
    .join(IncidentRow, col(OperationRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(OperationRow.id) == bindparam("row"))
)


def _changed(
    session: Session, operation_id: int | None, before: str, attempts: int, values: dict[str, Any]
) -> bool:
    """Store the values if the operation is in the state `before` of this attempt; return True if it was.

    Only the attempt tells a claim from a later one of another daemon.
    """
    places = {"this_row": operation_id, "known_state": before, "known_attempts": attempts}
    return _CHANGE.change(session, **places, **values) == 1


_CHANGE = Prepared(
    update(TABLE).where(
        TABLE.c.id == bindparam("this_row"),
        TABLE.c.state == bindparam("known_state"),
        TABLE.c.attempts == bindparam("known_attempts"),
    )
)


def note(session: Session, operation: OperationRecord, **values: Any) -> OperationRecord:
    """Store values of an operation in any state, and return the operation with them."""
    _NOTE.change(session, this_row=operation.id, **values)
    return replace(operation, **values)


_NOTE = Prepared(update(TABLE).where(TABLE.c.id == bindparam("this_row")))


def wait(
    ledger: Transactions,
    operation: OperationRecord,
    now: datetime,
    why: str,
    changed: OperationBase | None = None,
) -> None:
    """Store what an operation waits for, and since when; `changed` replaces the decided write."""
    meaning = {} if changed is None else {"meaning": changed.meaning}
    with ledger.write() as session:
        note(session, operation, waits_for=why, waits_since=now, **meaning)
        # a notice that came late is asked about, all else shows its own event when it leaves
        if operation.target == Target.MAIL:
            say(session, now, "operation.waits", operation, {"why": why})


def _move(session: Session, operation: Stored, state: OperationState, **values: Any) -> Stored:
    """Take an operation from the state that the caller read to another, and store these values."""
    before = operation.state
    values = {"state": state, **values}
    known = (operation.id, before, operation.attempts)
    if before not in OPEN_STATES or not _changed(session, *known, values):
        raise OperationMoved(operation.id, before, state)
    if isinstance(operation, OperationRecord):
        return replace(operation, **values)
    session.add(operation)
    # the statement above has stored the values: a plain assignment would store them again
    for name, value in values.items():
        set_committed_value(operation, name, value)
    return operation


def say(
    session: Session,
    now: datetime,
    kind: str,
    operation: OperationRow | OperationRecord,
    data: dict[str, JsonValue] | None = None,
) -> None:
    """Append an audit event about an operation."""
    event: dict[str, JsonValue] = {"kind": operation.kind, "op": operation.op, **(data or {})}
    audit.append(session, now, kind, incident=operation.incident_id, operation=operation.id, data=event)


def finish(
    session: Session,
    operation: Stored,
    state: OperationState,
    now: datetime,
    *,
    remote_id: str | None = None,
    why: str = "",
    **values: Any,
) -> Stored:
    """End an operation as done, superseded or dropped, with its audit event.

    `remote_id` is the id that the service gave the result. `values` are stored with it.
    """
    ended = {
        "finished_at": now,
        "remote_id": remote_id or operation.remote_id,
        # a done operation keeps no error of an earlier attempt
        "error": None if state is OperationState.DONE else operation.error,
        **_NOT_GIVEN_UP,
    }
    operation = _move(session, operation, state, **{**ended, **values})
    say(session, now, f"operation.{state}", operation, {"remote": operation.remote_id, "why": why})
    return operation


def end_unknown(session: Session, operation: Stored, now: datetime, why: str, **values: Any) -> Stored:
    """Supersede a state operation with an unknown outcome; the next decision replaces it."""
    rendered = _marked_unknown(operation)
    return finish(
        session, operation, OperationState.SUPERSEDED, now, why=why, **{"rendered": rendered, **values}
    )


def _marked_unknown(operation: OperationRow | OperationRecord) -> dict[str, JsonValue]:
    return {**(operation.rendered or {}), UNKNOWN: True}


def is_spent() -> ColumnElement[bool]:
    """Return the condition that an operation's key is never decided again.

    A create of a postmortem is superseded while nothing asks for the postmortem: the incident was merged, or
    its source was opened again. That may change.
    """
    superseded = col(OperationRow.state) == literal(str(OperationState.SUPERSEDED))
    return ~and_(superseded, col(OperationRow.kind) == literal(str(Kind.CREATE_POSTMORTEM)))


def decide_again(
    session: Session, operation: OperationRecord, decided: dict[str, Any], now: datetime
) -> OperationRecord:
    """Let a superseded operation wait again as it is decided now; its earlier attempts stay known."""
    values = {**decided, "finished_at": None, "rendered": None, "error": None}
    if not _changed(session, operation.id, OperationState.SUPERSEDED, operation.attempts, values):
        raise OperationMoved(operation.id, operation.state, decided["state"])
    operation = replace(operation, **values)
    held = operation.state == OperationState.HELD
    say(session, now, "operation.decided", operation, {"reason": operation.reason, "held": held})
    return operation


def put_back_in(session: Session, operation: Stored, now: datetime, error: str, **values: Any) -> Stored:
    """Make an operation pending again that was certainly not done, and store these values."""
    operation = _move(session, operation, OperationState.PENDING, error=error, **_NOT_GIVEN_UP, **values)
    say(session, now, "operation.not_done", operation)
    return operation


def park_in(session: Session, operation: Stored, now: datetime, error: str, **values: Any) -> Stored:
    """Park an operation that a service refused, with the service's words, until a person retries it."""
    operation = _move(session, operation, OperationState.PARKED, error=error, **values)
    say(session, now, "operation.parked", operation, {"words": audit.salted(session, error)})
    return operation


def mark_unknown_in(
    session: Session, operation: Stored, now: datetime, given_up: GivenUp, error: str
) -> Stored:
    """Mark an operation's outcome as unknown: syncd looks it up until the settle time is over."""
    since = {"gave_up_boot_id": given_up.boot_id, "gave_up_boottime": given_up.boottime}
    operation = _move(session, operation, OperationState.UNKNOWN, error=error, **since)
    say(session, now, "operation.unknown", operation)
    return operation


def recover(ledger: Transactions, run: str, now: datetime, given_up: GivenUp) -> list[str]:
    """Mark operations unknown that an earlier run of the daemon left in flight; return their incidents."""
    query = select(OperationRow).where(
        OperationRow.state == OperationState.IN_FLIGHT,
        or_(col(OperationRow.instance).is_(None), col(OperationRow.instance) != run),
    )
    with ledger.write() as session:
        operations = session.exec(query.order_by(col(OperationRow.id))).all()
        for operation in operations:
            mark_unknown_in(
                session, operation, now, given_up, "the daemon ended while the request was under way"
            )
    return sorted({operation.incident_id for operation in operations})


def park_faulty(
    ledger: Transactions, operation_id: int, now: datetime, given_up: GivenUp, error: str
) -> bool:
    """Park an operation on which syncd itself fails; return False if it is over or parked already.

    If its request left, its outcome is unknown, and a retry looks it up first.
    """
    with ledger.write() as session:
        row = session.get(OperationRow, operation_id)
        if row is None or row.state not in WORKING_STATES:
            return False
        left: dict[str, Any] = {}
        if row.state == OperationState.IN_FLIGHT:
            say(session, now, "operation.unknown", row)
            left = {"gave_up_boot_id": given_up.boot_id, "gave_up_boottime": given_up.boottime}
        park_in(session, row, now, error, **left)
        return True


def put_back(session: Session, operation: Stored) -> Stored:
    """Make a parked operation pending again, to be rendered anew; look it up first if it may be done."""
    if operation.gave_up_boot_id is not None:
        return _move(session, operation, OperationState.UNKNOWN, error=None)
    # a field that was left out may have a value that fits by now
    meaning = {name: value for name, value in operation.meaning.items() if name != "refused"}
    return _move(session, operation, OperationState.PENDING, rendered=None, error=None, meaning=meaning)


def retry(session: Session, row: OperationRow, now: datetime, given_up: GivenUp, by: str) -> str:
    """Let an open operation leave again as soon as it may; return what that means for it.

    `by` asked for it. What may be done already is looked up first, at once.
    """
    before = row.state
    if before == OperationState.HELD:
        release(session, [row], now, by)
        return "was held and is released"
    if before == OperationState.PENDING:
        row = _move(session, row, OperationState.PENDING, rendered=None)
    elif before == OperationState.IN_FLIGHT:
        row = mark_unknown_in(session, row, now, given_up, "the request was under way when syncd ended")
    elif before == OperationState.PARKED:
        row = put_back(session, row)
    say(session, now, "operation.retried", row, {"by": audit.salted(session, by)})
    if row.state == OperationState.UNKNOWN:
        return "may be done already: syncd looks it up first"
    return "waits already, and is tried at once" if before == OperationState.PENDING else ""


def drop(session: Session, row: OperationRow, now: datetime, by: str, reason: str) -> str:
    """Give up an open operation; return what that means for one that may be done already."""
    unsure = outcome_unknown(row)
    # the operation keeps the words, where `syncd forget` can delete them; the audit trail keeps a hash
    row.error = f"dropped by {by}: {reason}"
    why = f"dropped by a person: {audit.salted(session, row.error)}"
    if unsure and row.op_class == OperationClass.STATE:
        finish(session, row, OperationState.DROPPED, now, why=why, rendered=_marked_unknown(row))
    else:
        finish(session, row, OperationState.DROPPED, now, why=why)
    return "is dropped, but it may be done already: syncd looks for it no more" if unsure else ""


def outcome_unknown(operation: OperationRow | OperationRecord) -> bool:
    """Return True if nobody knows whether the service carried out an open operation."""
    return operation.state in UNSURE_STATES or operation.gave_up_boot_id is not None


UNNOTICED = timedelta(minutes=30)
"""How long an issue may be out of sight before a read notices it: two slow polls."""


def free_parked(session: Session, incident_id: str, object_: str, since: datetime, now: datetime) -> None:
    """Free what was parked about an object that was out of sight since a moment (UTC) and is back.

    A once-operation leaves again. A state operation ends, because the rules decide it anew.
    """
    query = select(OperationRow).where(
        OperationRow.incident_id == incident_id,
        OperationRow.object == object_,
        OperationRow.state == OperationState.PARKED,
        # one that was parked long before has another cause, which a person has to mend
        # an operation can be parked before it ever leaves: then its decision counts
        func.coalesce(col(OperationRow.claimed_at), col(OperationRow.decided_at)) >= since - UNNOTICED,
    )
    for row in session.exec(query.order_by(col(OperationRow.id))).all():
        why = "the issue was out of sight and is back"
        if row.op_class == OperationClass.ONCE:
            say(session, now, "operation.freed", put_back(session, row), {"why": why})
        else:
            finish(session, row, OperationState.SUPERSEDED, now, why=why)


def release(session: Session, operations: Iterable[Stored], now: datetime, by: str) -> None:
    """Make held operations pending; `by` asked for it."""
    for operation in operations:
        released = _move(session, operation, OperationState.PENDING)
        say(session, now, "operation.released", released, {"by": audit.salted(session, by)})


def renew(session: Session, operation: OperationRecord, op: Operation, now: datetime) -> OperationRecord:
    """Replace the meaning of an operation that never left by a newer decision's; return it so."""
    operation = note(session, operation, meaning=dict(op.meaning), rendered=None)
    say(session, now, "operation.renewed", operation)
    return operation
