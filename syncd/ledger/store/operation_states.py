"""How an operation changes its state: claimed, put back, parked, settling, finished; one place for all.

Every change is a compare-and-set on the state that the caller knows, so that an operation is never taken
twice, and stands in one transaction with its audit event. What is finished stays finished. The functions
raise `OperationMoved` where the operation no longer stands where the caller read it. They take a row of the
transaction, which they keep up to date, or a record, and return what they were given as it stands now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import bindparam, or_, update
from sqlalchemy import select as columns
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel, col, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import OPEN_STATES, Operation, OperationState
from syncd.ledger.database.connection import Transactions
from syncd.ledger.errors import OperationMoved
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import get
from syncd.ledger.store.tables import IncidentRow, OperationRow

UNKNOWN = "unknown"
"""In what a superseded operation rendered: nobody knows whether it was carried out."""
TABLE = SQLModel.metadata.tables["operation"]

_NOT_GIVEN_UP: dict[str, None] = {"gave_up_boot_id": None, "gave_up_boottime": None}
_Known = TypeVar("_Known", OperationRow, OperationRecord)


@dataclass(frozen=True)
class GivenUp:
    """When an outcome became unknown, on the boot-time clock: seconds under a boot id."""

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
    """Commit that a pending operation is about to leave; None if it is no longer pending.

    Its rendered request is kept from the first claim on. None, too, where its incident became restricted
    after it was rendered: then it is rendered anew, or not wanted any more.
    """
    session.flush()  # what this transaction has changed so far counts
    known = session.connection().execute(_BEFORE_CLAIM, {"row": operation_id}).first()
    if known is None:
        return None
    kept, attempts, restricted = known
    if restricted and not rendered.get("restricted"):
        return None
    values = {
        "state": OperationState.IN_FLIGHT,
        "instance": run,
        "claimed_at": now,
        "probe_from": probe_from,
        "attempts": attempts + 1,
        "rendered": kept or rendered,
        "error": None,
    }
    if not _changed(session, operation_id, OperationState.PENDING, values):
        return None
    operation = get(session, OperationRecord, operation_id)
    if operation is not None:
        say(session, now, "operation.leaves", operation, {"attempt": operation.attempts})
    return operation


_BEFORE_CLAIM = (
    columns(col(OperationRow.rendered), col(OperationRow.attempts), col(IncidentRow.restricted))
    .join(IncidentRow, col(OperationRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(OperationRow.id) == bindparam("row"))
)


def _changed(session: Session, operation_id: int | None, known: str, values: dict[str, Any]) -> bool:
    """Return True if the operation stood in the state `known`, and so took these values."""
    places = {"this_row": operation_id, "known_state": known}
    return session.connection().execute(_CHANGE, {**places, **values}).rowcount == 1


_CHANGE = update(TABLE).where(TABLE.c.id == bindparam("this_row"), TABLE.c.state == bindparam("known_state"))


def note(session: Session, operation: OperationRecord, **values: Any) -> OperationRecord:
    """Write values of an operation whatever its state is, and return it with them."""
    session.connection().execute(_NOTE, {"this_row": operation.id, **values})
    return replace(operation, **values)


_NOTE = update(TABLE).where(TABLE.c.id == bindparam("this_row"))


def _move(session: Session, operation: _Known, state: OperationState, **values: Any) -> _Known:
    """Take an operation from the state that the caller knows to another, with these values."""
    known = operation.state
    values = {"state": state, **values}
    if known not in OPEN_STATES or not _changed(session, operation.id, known, values):
        raise OperationMoved(operation.id, known, state)
    if isinstance(operation, OperationRecord):
        return replace(operation, **values)
    session.add(operation)
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
    told: dict[str, JsonValue] = {"kind": operation.kind, "op": operation.op, **(data or {})}
    audit.append(session, now, kind, incident=operation.incident_id, operation=operation.id, data=told)


def finish(
    session: Session,
    operation: _Known,
    state: OperationState,
    now: datetime,
    *,
    remote_id: str | None = None,
    why: str = "",
    **values: Any,
) -> _Known:
    """End an operation: done (with what the service named it), superseded or dropped, and say so.

    `values` are written with it.
    """
    ended = {
        "finished_at": now,
        "remote_id": remote_id or operation.remote_id,
        "error": None if state is OperationState.DONE else operation.error,
        **_NOT_GIVEN_UP,
    }
    operation = _move(session, operation, state, **{**ended, **values})
    say(session, now, f"operation.{state}", operation, {"remote": operation.remote_id, "why": why})
    return operation


def end_unknown(session: Session, operation: _Known, now: datetime, why: str, **values: Any) -> _Known:
    """End a state operation whose outcome nobody knows: what it meant is decided anew."""
    rendered = {**(operation.rendered or {}), UNKNOWN: True}
    return finish(
        session, operation, OperationState.SUPERSEDED, now, why=why, **{"rendered": rendered, **values}
    )


def put_back_in(session: Session, operation: _Known, now: datetime, error: str, **values: Any) -> _Known:
    """Have an operation that was certainly not done wait to leave again, as it is or with these values."""
    operation = _move(session, operation, OperationState.PENDING, error=error, **_NOT_GIVEN_UP, **values)
    say(session, now, "operation.not_done", operation)
    return operation


def park_in(session: Session, operation: _Known, now: datetime, error: str, **values: Any) -> _Known:
    """Have an operation that a service refuses for what it is wait for a person, in the service's words."""
    operation = _move(session, operation, OperationState.PARKED, error=error, **values)
    say(session, now, "operation.parked", operation, {"words": audit.salted(session, error)})
    return operation


def mark_unknown_in(
    session: Session, operation: _Known, now: datetime, given_up: GivenUp, error: str
) -> _Known:
    """Have an operation whose outcome is unknown looked up from now on, until the settle time is over."""
    since = {"gave_up_boot_id": given_up.boot_id, "gave_up_boottime": given_up.boottime}
    operation = _move(session, operation, OperationState.UNKNOWN, error=error, **since)
    say(session, now, "operation.unknown", operation)
    return operation


def recover(ledger: Transactions, run: str, now: datetime, given_up: GivenUp) -> list[str]:
    """Have operations looked up that an earlier run of the daemon left in flight; return their incidents."""
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


def retry(session: Session, operations: Iterable[_Known], now: datetime, who: str) -> int:
    """Parked operations go back to pending and are rendered anew; return how many."""
    count = 0
    for operation in operations:
        if operation.state == OperationState.PARKED:
            moved = _move(session, operation, OperationState.PENDING, rendered=None, error=None)
            say(session, now, "operation.retried", moved, {"by": audit.salted(session, who)})
            count += 1
    return count


def release(session: Session, operations: Iterable[_Known], now: datetime, who: str) -> None:
    """Held operations go to pending."""
    for operation in operations:
        released = _move(session, operation, OperationState.PENDING)
        say(session, now, "operation.released", released, {"by": audit.salted(session, who)})


def renew(session: Session, operation: OperationRow, op: Operation, now: datetime) -> None:
    """What an operation that never left would say has changed: it will say the latest."""
    operation.meaning, operation.rendered = dict(op.meaning), None
    session.add(operation)
    say(session, now, "operation.renewed", operation)
