"""All rows of a ledger in one form for every database, to copy them and to compare copies.

A time is text in UTC, JSON is the text that is stored, a flag is True or False.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, Integer, Table
from sqlmodel import Session, SQLModel

from syncd.ledger.database.driver import Driver
from syncd.ledger.errors import LedgerUnsafe

Row = tuple[Any, ...]
Progress = Callable[[str, int], None]
"""Is told the table and how many of its rows are copied."""
_TOLD_EVERY = 1000
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def tables() -> list[Table]:
    """Return the ledger's tables, those that others refer to first."""
    return list(SQLModel.metadata.sorted_tables)


def read_rows(session: Session, table: Table) -> Iterator[Row]:
    """Yield the rows of a table by its key; raise `LedgerUnsafe` for one that cannot be read."""
    driver = Driver(session)
    columns = ", ".join(
        driver.as_text(column.name) if _is(column, JSON) else f'"{column.name}"' for column in table.columns
    )
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    forms = [_form(column) for column in table.columns]
    statement = f'SELECT {columns} FROM "{table.name}" ORDER BY {keys}'  # noqa: S608 - names of ours
    for values in driver.stream(statement, ()):
        try:
            row = tuple(form(value) for form, value in zip(forms, values, strict=True))
        except (TypeError, ValueError) as error:
            raise LedgerUnsafe(
                f"a row of the table {table.name} is damaged: {error}",
                "see what is broken: syncd audit verify",
            ) from error
        yield row


def _is(column: Any, kind: type) -> bool:
    return isinstance(getattr(column.type, "impl_instance", column.type), kind)


def _form(column: Any) -> Callable[[Any], Any]:
    if _is(column, DateTime):
        return _time
    if _is(column, Boolean):
        return lambda value: None if value is None else bool(value)
    if _is(column, JSON):
        return lambda value: _NUL.sub(r"\1\\ufffd", value) if value and "\\u0000" in value else value
    return lambda value: value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _time(value: Any) -> str | None:
    if value is None:
        return None
    at = datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
    return str(at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))


class _Counted:
    """Rows on their way, counted and hashed as they pass."""

    def __init__(self, rows: Iterable[Row], passed: Callable[[int], None] = lambda _number: None) -> None:
        self.number = 0
        self._rows = rows
        self._passed = passed
        self._hash = sha256()

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += 1
            self._hash.update(json.dumps(row, separators=(",", ":")).encode())
            if self.number % _TOLD_EVERY == 0:
                self._passed(self.number)
            yield row

    def digest(self) -> tuple[int, str]:
        """Return how many rows passed, and a hash of them."""
        return self.number, self._hash.hexdigest()


def digest_of(session: Session, table: Table) -> tuple[int, str]:
    """Return how many rows a table has, and a hash of all of them; it is the same in every database."""
    rows = _Counted(read_rows(session, table))
    for _ in rows:
        pass
    return rows.digest()


def copy_rows(source: Session, target: Session, told: Progress) -> dict[str, int]:
    """Copy all rows into a new ledger's tables, read them back, and return how many each table has.

    Raise `LedgerUnsafe` if the rows that were read back differ. The caller commits.
    """
    driver, numbers = Driver(target), dict[str, int]()
    driver.take_time()
    for table in reversed(tables()):
        # the migration puts the head of the trail into its table; the trail itself takes no deletion
        if table.name != "audit_event":
            driver.write(f'DELETE FROM "{table.name}"', ())  # noqa: S608 - a name of ours
    for table in tables():
        name = str(table.name)
        rows = _Counted(read_rows(source, table), partial(told, name))
        driver.insert(name, [column.name for column in table.columns], rows)
        if digest_of(target, table) != rows.digest():
            raise LedgerUnsafe(f"the copy of the table {name} differs", "nothing was kept; try again")
        told(name, rows.number)
        numbers[name] = rows.number
    driver.continue_ids([table.name for table in tables() if "id" in table.c and _is(table.c.id, Integer)])
    return numbers
