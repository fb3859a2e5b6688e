"""How tests read and prepare a ledger behind its verbs; only this file and `tests/ledger` open sessions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import delete, event, insert, text
from sqlmodel import SQLModel, col, select

from syncd.domain.operation import Target
from syncd.ledger.database.connection import Database, Transactions
from syncd.ledger.database.driver import Driver
from syncd.ledger.database.leadership import Leadership
from syncd.ledger.open import Ledger, open_for_reading
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit, holds
from syncd.ledger.store.change_queue import incidents_with_notices, notice_changes_in
from syncd.ledger.store.epoch import begin_epoch
from syncd.ledger.store.key_values import hear_status_updates_in
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    ChangeNoticeRow,
    DutyRow,
    IncidentRow,
    OperationRow,
    PersonRow,
    PostmortemRow,
    RequestRow,
    TicketRow,
    UnseenWriteRow,
    WaiverRow,
)
from syncd.ledger.store.weekly_reports import ReportRun, keep_in

__all__ = [
    "ActionItemRow",
    "AuditEventRow",
    "ChangeNoticeRow",
    "DutyRow",
    "IncidentRow",
    "OperationRecord",
    "OperationRow",
    "PersonRow",
    "PostmortemRow",
    "RequestRow",
    "TicketRow",
    "UnseenWriteRow",
    "WaiverRow",
    "awaiting",
    "events",
    "forget_tickets",
    "holding",
    "insert_rows",
    "keep_report",
    "look_at_everything",
    "opened",
    "operations",
    "pause",
    "put",
    "rows",
    "texts_of",
    "writes_to_operations",
]

Row = TypeVar("Row", bound=SQLModel)


@contextmanager
def opened(file: Path) -> Iterator[Database]:
    """Yield the ledger in a file, to read and prepare it while another process may hold its lock."""
    db = open_for_reading(f"sqlite:///{file.absolute()}")
    try:
        yield db
    finally:
        db.close()


def rows(ledger: Transactions, table: type[Row]) -> list[Row]:
    """Return all rows of a table, in the order of their keys."""
    with ledger.read() as session:
        return list(session.exec(select(table)).all())


def texts_of(ledger: Transactions, query: str) -> list[str]:
    """Return the first column of a query in SQL, as texts."""
    with ledger.read() as session:
        return [str(row[0]) for row in session.connection().execute(text(query))]


NOBODY_KNOWS = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of an event whose time no test reads."""


def put(ledger: Transactions, *given: SQLModel) -> None:
    """Store rows in this order, each with the event that tells of it; overwrite a row with the same key."""
    with ledger.write() as session:
        for row in given:
            session.merge(row)
            # Row by row, so that a row exists before another one refers to it.
            session.flush()
            if isinstance(row, DutyRow):
                data: dict[str, Any] = {"duty": row.kind, "subject": row.subject, "clock": row.clock or 1}
                kind = f"duty.{row.state}"
                audit.append(session, row.started_at, kind, incident=row.incident_id, data=data)
            elif isinstance(row, PostmortemRow | ActionItemRow):
                audit.append(session, NOBODY_KNOWS, "found", incident=row.incident_id, issue=row.issue_id)


def insert_rows(ledger: Transactions, table: type[SQLModel], values: list[dict[str, Any]]) -> None:
    """Add many rows at once, all with the same columns: by COPY where the database has it."""
    if not values:
        return
    with ledger.write() as session:
        connection = session.connection()
        if connection.dialect.name != "postgresql":
            connection.execute(insert(table), values)
            return
        columns = list(values[0])
        copied = ([_as_copied(row[column]) for column in columns] for row in values)
        Driver(session).insert(str(table.__tablename__), columns, copied)


def _as_copied(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def operations(ledger: Transactions, *states: str) -> list[OperationRecord]:
    """Return the operations in these states (none given: all), oldest first."""
    query = select_records(OperationRecord).order_by(col(OperationRow.id))
    if states:
        query = query.where(col(OperationRow.state).in_(states))
    with ledger.read() as session:
        return load(session, OperationRecord, query)


def events(ledger: Transactions, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Return kind and data of the audit events of these kinds, oldest first."""
    query = select(AuditEventRow).where(col(AuditEventRow.kind).in_(kinds)).order_by(col(AuditEventRow.seq))
    with ledger.read() as session:
        return [(row.kind, json.loads(row.text)) for row in session.exec(query).all()]


def awaiting(ledger: Transactions) -> list[str]:
    """Return the incidents that have a change notice."""
    return incidents_with_notices(ledger)


def look_at_everything(ledger: Ledger, now: Any) -> None:
    """Write a change notice for every incident and every ticket."""
    with ledger.write() as session:
        ids: Iterable[str] = session.exec(select(IncidentRow.id)).all()
        moment = ledger.logical_clock.next()
        notice_changes_in(session, ids, now, moment, "once more", notes=True)
        notice_changes_in(session, ids, now, moment, "once more", ticket=True)


def forget_tickets(ledger: Transactions) -> None:
    """Delete all tickets and the operations that created them."""
    with ledger.write() as session:
        connection = session.connection()
        connection.execute(delete(TicketRow))
        connection.execute(delete(OperationRow).where(col(OperationRow.kind) == "create_ticket"))


def pause(ledger: Transactions, target: Target, by: str, reason: str, now: Any) -> None:
    """Pause a target: nothing leaves for it from now on."""
    with ledger.write() as session:
        holds.pause(session, [target], reason, by, now)


def hear_status_updates(ledger: Transactions, now: datetime) -> None:
    """Record that PagerDuty's webhook told of a status update: from then on syncd reminds of owed updates."""
    with ledger.write() as session:
        hear_status_updates_in(session, now)


@contextmanager
def holding(ledger: Transactions) -> Iterator[None]:
    """Hold the write lock, so that nobody else can write."""
    with ledger.write():
        yield


@contextmanager
def writes_to_operations(ledger: Ledger) -> Iterator[list[str]]:
    """Yield the statements that add or change operations, as they are executed."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("UPDATE OPERATION", "INSERT INTO OPERATION")):
            statements.append(statement)

    writer = ledger._writer
    event.listen(writer, "before_cursor_execute", note)
    yield statements
    event.remove(writer, "before_cursor_execute", note)


def keep_report(ledger: Transactions, run: ReportRun) -> None:
    """Keep the figures of a report as a sent mail does."""
    with ledger.write() as session:
        keep_in(session, run)


def lead(ledger: Ledger, leadership: Leadership) -> None:
    """Make the leadership the one in force, as the daemon that takes the lock does."""
    ledger.leadership = leadership
    with ledger.write(leading=False) as session:
        begin_epoch(session, leadership)
