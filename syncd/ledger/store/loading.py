"""Read rows as records: plain columns, without the cost and the identity of ORM objects."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Select, bindparam, inspect, select
from sqlmodel import Session, SQLModel

from syncd.ledger import records
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import tables

Record = TypeVar("Record")

ROWS: dict[Any, type[SQLModel]] = {
    records.IncidentRecord: tables.IncidentRow,
    records.TicketRecord: tables.TicketRow,
    records.PostmortemRecord: tables.PostmortemRow,
    records.ActionItemRecord: tables.ActionItemRow,
    records.OperationRecord: tables.OperationRow,
    records.RequestRecord: tables.RequestRow,
}
"""Which table each kind of record comes from."""


@cache
def columns_of(record: Any) -> tuple[Any, ...]:
    """Return the columns of a kind of record, in the order of its fields."""
    return tuple(getattr(ROWS[record], field.name) for field in fields(record))


def select_records(record: Any) -> Select[Any]:
    """Return a SELECT of the columns of a kind of record; `load` turns its rows into records."""
    return select(*columns_of(record))


def load(
    session: Session, record: type[Record], query: Select[Any], params: dict[str, Any] | None = None
) -> list[Record]:
    """Return the records of a query made by `select_records`."""
    return [record(*row) for row in session.connection().execute(query, params or {})]


@cache
def _by_key(record: Any) -> Select[Any]:
    (key,) = inspect(ROWS[record]).primary_key
    return select_records(record).where(key == bindparam("key"))


def get(session: Session, record: type[Record], key: str | int) -> Record | None:
    """Return the record of a primary key, None where there is none."""
    rows: list[Record] = load(session, record, _by_key(cast(Any, record)), {"key": key})
    return rows[0] if rows else None


def record_of(record: type[Record], row: SQLModel) -> Record:
    """Return the record of a row that is at hand, as it stands in its transaction."""
    return record(**{field.name: getattr(row, field.name) for field in fields(record)})  # type: ignore[arg-type]


def read(ledger: Transactions, record: type[Record], key: str | int) -> Record | None:
    """Return the record of a primary key, in a transaction of its own; None where there is none."""
    with ledger.read() as session:
        return get(session, record, key)
