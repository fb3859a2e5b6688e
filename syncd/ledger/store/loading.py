"""Read rows as values: plain columns, without the cost of ORM objects.

Each field of a value comes from the column with the same name.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from sqlalchemy import Select, bindparam, inspect, select
from sqlmodel import Session, SQLModel

from syncd.domain.duty import Duty, Waiver
from syncd.ledger import records
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store import tables
from syncd.policy import case

Record = TypeVar("Record")

ROWS: dict[Any, type[SQLModel]] = {
    records.IncidentRecord: tables.IncidentRow,
    records.OperationRecord: tables.OperationRow,
    records.RequestRecord: tables.RequestRow,
    case.TicketState: tables.TicketRow,
    case.PostmortemState: tables.PostmortemRow,
    case.ItemState: tables.ActionItemRow,
    case.MirrorPair: tables.MirrorLinkRow,
    Duty: tables.DutyRow,
    Waiver: tables.WaiverRow,
}
"""The table of each kind of value."""
_OTHER_COLUMNS = {"issue": "snapshot"}
"""The columns whose names differ from their fields' names."""


@cache
def _names(record: Any) -> tuple[str, ...]:
    if issubclass(record, BaseModel):
        return tuple(record.model_fields)
    return tuple(field.name for field in fields(record))


@cache
def columns_of(record: Any) -> tuple[Any, ...]:
    """Return the columns of a kind of value, in the order of its fields."""
    return tuple(getattr(ROWS[record], _OTHER_COLUMNS.get(name, name)) for name in _names(record))


def made_of(record: type[Record], values: Any) -> Record:
    """Return a value from the values of its columns, in the order of `columns_of`."""
    if issubclass(record, BaseModel):
        return cast(Record, record.model_validate(dict(zip(_names(record), values, strict=True))))
    return record(*values)


def select_records(record: Any) -> Select[Any]:
    """Return a SELECT of the columns of a kind of value; `load` turns its rows into values."""
    return select(*columns_of(record))


def load(
    session: Session,
    record: type[Record],
    query: Select[Any] | Prepared,
    params: dict[str, Any] | None = None,
) -> list[Record]:
    """Return the values of a query made by `select_records`."""
    if isinstance(query, Prepared):
        return [made_of(record, row) for row in query.all(session, **(params or {}))]
    return [made_of(record, row) for row in session.connection().execute(query, params or {})]


@cache
def _by_key(record: Any) -> Prepared:
    (key,) = inspect(ROWS[record]).primary_key
    return Prepared(select_records(record).where(key == bindparam("key")))


def get(session: Session, record: type[Record], key: str | int) -> Record | None:
    """Return the value with a primary key, None if there is none."""
    rows: list[Record] = load(session, record, _by_key(cast(Any, record)), {"key": key})
    return rows[0] if rows else None


def record_of(record: type[Record], row: SQLModel) -> Record:
    """Return the value of a row, as the row is in its transaction."""
    return made_of(
        record, [getattr(row, _OTHER_COLUMNS.get(name, name)) for name in _names(cast(Any, record))]
    )


def read(ledger: Transactions, record: type[Record], key: str | int) -> Record | None:
    """Return the value with a primary key, None if there is none."""
    with ledger.read_one() as session:
        return get(session, record, key)
