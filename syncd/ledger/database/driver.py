"""The driver's own statements, for the audit trail: SQLAlchemy costs more than the statement itself.

A parameter is written as `?`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from syncd.ledger.errors import LedgerUnsafe

_AT_ONCE = 1000
"""Rows that a server sends at once."""


class Driver:
    """The driver's connection in the transaction of a session; its errors are those of SQLAlchemy."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()
        self._driver = driver_of(self._connection)
        self._dialect: Any = self._connection.dialect
        self._on_server = self._dialect.name == "postgresql"

    def one(self, statement: str) -> Any:
        """Return the first row of a statement without parameters, None if it has none."""
        try:
            return self._driver.execute(statement).fetchone()
        except self._dialect.loaded_dbapi.Error as error:
            raise self._error(statement, error) from error

    def write(self, statement: str, values: Sequence[Any]) -> None:
        """Execute a statement; raise `DBAPIError` if the database rejects it."""
        try:
            self._driver.execute(_numbered(statement) if self._on_server else statement, values)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._error(statement, error) from error

    def stream(self, statement: str, values: Sequence[Any]) -> Iterator[Any]:
        """Yield the rows of a statement without holding them all in memory."""
        try:
            if not self._on_server:
                yield from self._driver.execute(statement, values)
                return
            # with a name the rows stay on the server until they are read
            with closing(self._driver.cursor(name="stream")) as cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(_numbered(statement), values)
                yield from cursor
        except self._dialect.loaded_dbapi.Error as error:
            raise self._error(statement, error) from error

    def as_text(self, column: str) -> str:
        """Return the SQL that reads a JSON column as the text that is stored."""
        return f'"{column}"::text' if self._on_server else f'"{column}"'

    def take_time(self) -> None:
        """Let the statements of this transaction take as long as they need."""
        if self._on_server:
            for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
                self._driver.execute(f"SET LOCAL {setting} = 0")

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows without holding them all in memory; raise `DBAPIError` if the database rejects one."""
        names = ", ".join(f'"{column}"' for column in columns)
        statement = f'COPY "{table}" ({names}) FROM STDIN'
        try:
            if self._on_server:
                with self._driver.cursor() as cursor, cursor.copy(statement) as copy:
                    for row in rows:
                        copy.write_row(row)
                return
            places = ", ".join("?" * len(columns))
            statement = f'INSERT INTO "{table}" ({names}) VALUES ({places})'  # noqa: S608 - names of ours
            self._driver.executemany(statement, rows)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._error(statement, error) from error

    def continue_ids(self, tables: Iterable[str]) -> None:
        """Let new rows get higher ids than those that were inserted with an id."""
        if not self._on_server:
            return
        for table in tables:
            sequence = self.one(f"SELECT pg_get_serial_sequence('{table}', 'id')")
            if sequence[0] is not None:
                last = f'(SELECT max(id) FROM "{table}")'  # noqa: S608 - a name of ours
                self.one(f"SELECT setval('{sequence[0]}', coalesce({last}, 1), {last} IS NOT NULL)")

    def _error(self, statement: str, error: Exception) -> BaseException:
        return error_of(self._connection, statement, error)


def driver_of(connection: Connection) -> Any:
    """Return the driver's connection."""
    driver: Any = connection.connection.driver_connection
    if driver is None:
        raise LedgerUnsafe("the ledger is not connected", "start the daemon again")
    return driver


def error_of(connection: Connection, statement: str, error: Exception) -> BaseException:
    """Return the error that SQLAlchemy would raise: `Database.write` tells a full disk by it.

    A connection that is broken serves nobody any more.
    """
    dialect: Any = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if broken:
        connection.invalidate(error)
    return DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=broken,
        dialect=dialect,
    )


@cache
def _numbered(statement: str) -> str:
    return statement.replace("?", "%s")
