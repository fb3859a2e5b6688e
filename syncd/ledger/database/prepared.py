"""Statements that SQLAlchemy compiles once and the driver executes: result objects cost more than the SQL.

The values go through SQLAlchemy's types in both directions, so they are those of `Connection.execute`. Errors
are SQLAlchemy's, too, and listeners to `before_cursor_execute` are told of each statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlmodel import Session

from syncd.ledger.database.driver import driver_of, error_of

Row = tuple[Any, ...]
_Processor = Callable[[Any], Any]


class Prepared:
    """A statement of a module: a SELECT, or a change that needs no default values; without an expanding IN.

    `values` are those of its parameters, and of the columns that a change sets.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        # a dialect of a class has no settings of its own, and each ledger opened makes another
        self._compiled: dict[tuple[type[Dialect], tuple[str, ...]], _Compiled] = {}

    def all(self, session: Session, /, **values: Any) -> list[Row]:
        """Return all rows."""
        connection, compiled = self._for(session, values)
        cursor = compiled.execute(connection, values)
        try:
            rows: list[Row] = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            raise error_of(connection, compiled.sql, error) from error
        return compiled.rows(cursor, rows)

    def first(self, session: Session, /, **values: Any) -> Row | None:
        """Return the first row, None if there is none."""
        connection, compiled = self._for(session, values)
        cursor = compiled.execute(connection, values)
        try:
            row: Row | None = cursor.fetchone()
        except connection.dialect.loaded_dbapi.Error as error:
            raise error_of(connection, compiled.sql, error) from error
        return compiled.rows(cursor, [row])[0] if row is not None else None

    def scalars(self, session: Session, /, **values: Any) -> list[Any]:
        """Return the first column of all rows."""
        return [row[0] for row in self.all(session, **values)]

    def scalar(self, session: Session, /, **values: Any) -> Any:
        """Return the first column of the first row, None if there is no row."""
        row = self.first(session, **values)
        return row[0] if row is not None else None

    def change(self, session: Session, /, **values: Any) -> int:
        """Execute an INSERT, UPDATE or DELETE; return how many rows it changed."""
        connection, compiled = self._for(session, values)
        return int(compiled.execute(connection, values).rowcount)

    def _for(self, session: Session, values: Mapping[str, Any]) -> tuple[Connection, _Compiled]:
        connection = session.connection()
        key = (type(connection.dialect), tuple(values))
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _Compiled(self._statement, connection.dialect, values)
        return connection, compiled


class _Compiled:
    """The SQL of a statement in one dialect, and what turns Python's values into the driver's and back."""

    def __init__(self, statement: Any, dialect: Dialect, values: Mapping[str, Any]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
        if compiled.post_compile_params or compiled.insert_prefetch or compiled.update_prefetch:
            raise TypeError(f"this statement is another one for other values: {compiled}")
        self.sql = str(compiled)
        self._order: list[str] | None = compiled.positiontup
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._parameters = _processors(
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name, bind in compiled.binds.items()
        )
        self._dialect = dialect
        columns = (
            statement.column_descriptions if statement.is_select else statement.returning_column_descriptions
        )
        self._types = [column["type"] for column in columns]
        self._results: list[tuple[int, _Processor]] | None = None

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Execute the statement in the transaction of a connection; return the driver's cursor."""
        places: dict[str, Any] = {**self._fixed, **values}
        for name, process in self._parameters:
            places[name] = process(places[name])
        parameters = places if self._order is None else tuple([places[name] for name in self._order])
        for tell in connection.engine.dispatch.before_cursor_execute:
            tell(connection, None, self.sql, parameters, None, False)
        try:
            return driver_of(connection).execute(self.sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise error_of(connection, self.sql, error) from error

    def rows(self, cursor: Any, rows: list[Row]) -> list[Row]:
        """Return rows of a cursor with Python's values."""
        if self._results is None:
            # only an answer tells how the database spells a number
            codes = [column[1] for column in cursor.description]
            self._results = _processors(
                (index, kind.dialect_impl(self._dialect).result_processor(self._dialect, code))
                for index, (kind, code) in enumerate(zip(self._types, codes, strict=True))
            )
        return [self._row(row, self._results) for row in rows] if self._results else rows

    def _row(self, values: Row, processors: list[tuple[int, _Processor]]) -> Row:
        row = list(values)
        for index, process in processors:
            value = row[index]
            # NULL is None for every type, and half of the columns of an incident hold it
            if value is not None:
                row[index] = process(value)
        return tuple(row)


def _processors(pairs: Any) -> list[tuple[Any, _Processor]]:
    return [(place, process) for place, process in pairs if process is not None]
