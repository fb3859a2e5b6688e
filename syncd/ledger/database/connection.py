"""Open the ledger's database: set what its promises rest on, read it back, refuse it if it differs.

Readers begin with BEGIN, writers with BEGIN IMMEDIATE: a writer that began as a reader could fail in the
middle. No transaction is open while a request to a service is under way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Protocol

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session

from syncd.ledger.errors import LedgerError, LedgerUnsafe, LedgerUnwritable

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "secure_delete": 1,
}
"""The settings of every connection. 2 is synchronous=FULL; secure_delete overwrites deleted texts."""

CONNECTIONS = 16
"""How many connections stay open: one for each worker and each of the daemon's other threads. A further
connection is opened, set up and closed again for each use, which costs more than the use itself."""
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
"""The error codes (low byte) with which SQLite says that the disk rejects writes."""


def ledger_file(url: str) -> Path:
    """Return the database file of a ledger URL; raise `LedgerError` if the URL names no SQLite file."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise LedgerError(
            f"SYNCD_LEDGER_URL {parsed.render_as_string()!r} is not a SQLite file",
            "use sqlite:////var/lib/syncd/syncd.db",
        )
    return Path(parsed.database)


def _on_connect(connection: Any, _record: object) -> None:
    # the driver would begin transactions by itself; `Reading` and `Writing` begin them here
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
        # some file systems ignore WAL silently, so the value is read back
        value_in_force = cursor.execute(f"PRAGMA {name}").fetchone()[0]
        if value_in_force != value:
            connection.close()
            raise LedgerUnsafe(
                f"the ledger refuses {name}={value} and stays at {value_in_force}",
                "keep the ledger on a local disk that supports WAL",
            )
    cursor.close()


class Reading(SQLiteDialect_pysqlite):
    """The dialect of readers: it begins each transaction, since the driver does not (`_on_connect`).

    A listener on the engine could begin as well, but with any listener each statement takes a fifth longer.
    """

    supports_statement_cache = True
    begin = "BEGIN"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        dbapi_connection.cursor().execute(self.begin)


class Writing(Reading):
    """The dialect of writers: it takes SQLite's write lock when a transaction begins, and counts commits.

    `user_version` grows with each commit that changed a row. It lies in the file's header, so each checkpoint
    writes it: a file whose header goes back was overwritten with an older content (`commits_in`). SQLite's
    own change counter stands still for most commits of a write-ahead log.
    """

    supports_statement_cache = True
    begin = "BEGIN IMMEDIATE"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction, and remember how many rows this connection changed before it."""
        super().do_begin(dbapi_connection)
        dbapi_connection.info["changes"] = _changes(dbapi_connection)

    def do_commit(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Count the commit if it changes a row, then commit."""
        if _changes(dbapi_connection) != dbapi_connection.info.get("changes"):
            cursor = dbapi_connection.cursor()
            commits = cursor.execute("PRAGMA user_version").fetchone()[0]
            cursor.execute(f"PRAGMA user_version={commits + 1}")
        dbapi_connection.commit()


def _changes(connection: PoolProxiedConnection) -> int:
    driver: Any = connection.driver_connection
    return int(driver.total_changes)


_COMMITS_AT = 60
"""Where the header of a SQLite file holds `user_version`: four bytes, big-endian."""


def commits_in(descriptor: int) -> int:
    """Return how many commits the main file of a ledger holds, from the header of the open file."""
    return int.from_bytes(os.pread(descriptor, 4, _COMMITS_AT), "big")


# SQLAlchemy finds a dialect by the driver name in the URL
for _dialect in (Reading, Writing):
    registry.register(f"sqlite.{_dialect.__name__.lower()}", __name__, _dialect.__name__)


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Return an engine for readers and one for writers of a ledger URL, on the same connections.

    Each connection has the settings of `PRAGMAS`; raise `LedgerUnsafe` on connecting if one is refused.
    """
    ledger_file(url)
    parsed = make_url(url)
    # a pooled connection serves one thread after another; errors must not show the texts of incidents
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "hide_parameters": True}
    reading = create_engine(parsed.set(drivername="sqlite+reading"), pool_size=CONNECTIONS, **options)
    writing = create_engine(parsed.set(drivername="sqlite+writing"), pool=reading.pool, **options)
    event.listen(reading, "connect", _on_connect)
    return reading, writing


class Transactions(Protocol):
    """Transactions on one ledger, as verbs and views need them. Only the ledger's own modules call these."""

    def write(self) -> AbstractContextManager[Session]:
        """Open a writing transaction."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """Open one consistent view for reading."""
        ...


class OneView:
    """The transaction of `one_view`: all views that get it read the same state of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield the one consistent view."""
        yield self._session

    def write(self) -> AbstractContextManager[Session]:
        """Raise `LedgerError`: a view changes nothing."""
        raise LedgerError("a view of the ledger cannot be written through", "")


@contextmanager
def one_view(ledger: Transactions) -> Iterator[OneView]:
    """Open a transaction in which several views read the same state of the ledger.

    No request to a service may be made inside.
    """
    with ledger.read() as session:
        yield OneView(session)


class Database:
    """Sessions on one ledger; writers of this process queue here instead of in SQLite's busy wait.

    `read()` begins one consistent view for reading. `trouble` holds the disk's words since it rejected a
    write; `Ledger.end_trouble` clears it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.file = ledger_file(url)
        self.engine, self._writer = open_engines(url)
        self.read = sessionmaker(self.engine, class_=Session, expire_on_commit=False)
        self._turn = RLock()
        self.trouble: str | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a writing transaction: commit it at the end, roll it back if anything raises.

        Raise `LedgerUnwritable` if the disk rejects writes.
        """
        try:
            with self._turn, Session(self._writer, expire_on_commit=False) as session, session.begin():
                # take SQLite's write lock now: what the caller reads first must still hold when it writes
                session.connection()
                yield session
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
                raise
            self.note_trouble(str(error.orig))
            message = f"{self.file} cannot be written: {error.orig}"
            raise LedgerUnwritable(message, "make room on its disk, or make it writable") from error

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing, so that it holds no deleted text.

        Return False if another process reads the ledger and holds the log back.
        """
        with self._turn, self.engine.connect() as connection:
            # the connection's own statement: a checkpoint cannot run inside a transaction
            driver: Any = connection.connection.driver_connection
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def note_trouble(self, words: str) -> None:
        """Remember the disk's words about a write that it rejected."""
        self.trouble = words

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def unusable(error: Exception) -> str | None:
    """Return the database's words if a file is locked, full or no database; None for any other error.

    Any other complaint of the database is a defect of syncd.
    """
    # the exact types: their subclasses (a broken constraint, wrong SQL) are such defects
    return str(getattr(error, "orig", error)) if type(error) in (OperationalError, DatabaseError) else None


def concerns_all(error: Exception) -> bool:
    """Return True if an error of the ledger concerns all work and not the operation that met it."""
    return isinstance(error, LedgerUnwritable) or unusable(error) is not None


_RUN = 1_000_000_000
"""Moments that each run of the executor has for itself, so that a later run's are always higher."""


class LogicalClock:
    """The counter of one run of the executor."""

    def __init__(self, run: int) -> None:
        self._count = count(run * _RUN + 1)
        self._lock = Lock()

    def next(self) -> int:
        """Return the next moment: call it just before a request leaves and just after one is confirmed."""
        with self._lock:
            return next(self._count)
