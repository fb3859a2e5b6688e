"""SQLAlchemy's dialect for a ledger in PostgreSQL.

Readers see one state of the ledger. Writers wait for each other by an advisory lock, which each takes before
it reads anything: so what a writer reads still holds when it writes, as with SQLite's BEGIN IMMEDIATE.
Whole numbers have 64 bits, and texts sort by their bytes, as in SQLite.
"""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import Column, String
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDDLCompiler, PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import sqltypes

from syncd.ledger.errors import CommitUnknown

WRITERS = 0x73796E01
"""The first half of the advisory lock that a writing transaction holds; the second is the schema's."""
SCHEMA_KEY = "hashtext(current_schema())"
"""The second half of both advisory locks: two ledgers in one database do not disturb each other."""


class _BigInteger(sqltypes.BigInteger):
    render_bind_cast = True


class _Types(PGTypeCompiler):
    def visit_INTEGER(self, type_: Any, **options: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        return "BIGINT"


class _Tables(PGDDLCompiler):
    def get_column_specification(self, column: Column[Any], **options: Any) -> str:
        text: str = super().get_column_specification(column, **options)  # type: ignore[no-untyped-call]
        kind = column.type.dialect_impl(self.dialect)
        is_text = isinstance(getattr(kind, "impl_instance", kind), String)
        return f'{text} COLLATE "C"' if is_text else text


class Reading(PGDialect_psycopg):
    """The dialect of readers: one consistent view that can write nothing."""

    supports_statement_cache = True
    ddl_compiler = _Tables
    type_compiler_cls = _Types
    colspecs = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        **PGDialect_psycopg.colspecs,
        sqltypes.Integer: _BigInteger,
    }
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Return True if the server has not ended the connection since it was used last."""
        ask: Any = super().do_ping
        idle = select.poll()
        try:
            idle.register(dbapi_connection.fileno(), select.POLLIN)
        except self.loaded_dbapi.OperationalError:
            # it is closed: a ping says so in the way that the pool understands
            return bool(ask(dbapi_connection))
        # whatever an idle connection has to read is the server's farewell; no need to ask each time
        return not idle.poll(0) or bool(ask(dbapi_connection))

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        # several statements in one message, which the driver must not prepare
        cursor: Any = dbapi_connection.cursor()
        cursor.execute(self.begin, prepare=False)


class Writing(Reading):
    """The dialect of writers: each waits until it is the only writer of the ledger on any machine."""

    supports_statement_cache = True
    # a writer that stands still must not hold up those of another machine
    begin = (
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
        "SET LOCAL idle_in_transaction_session_timeout = '10s';"
        f"SELECT pg_advisory_xact_lock({WRITERS}, {SCHEMA_KEY})"
    )

    def do_commit(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Commit; raise `CommitUnknown` if the connection broke before the answer."""
        driver: Any = dbapi_connection.driver_connection
        try:
            driver.commit()
        except self.loaded_dbapi.OperationalError as error:
            if driver.closed:
                raise CommitUnknown(str(error)) from error
            raise


for _dialect in (Reading, Writing):
    registry.register(f"postgresql.{_dialect.__name__.lower()}", __name__, _dialect.__name__)
