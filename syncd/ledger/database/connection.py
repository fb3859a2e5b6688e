"""How the ledger is opened: the settings that its promises rest on, read back and refused if they differ.

Readers begin deferred, writers begin immediate, so that a writer never fails in the middle for having
begun as a reader. No transaction is open while a request to a service is under way.
"""

from __future__ import annotations

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
"""What every connection sets and reads back (2: synchronous=FULL; what was deleted is overwritten)."""

CONNECTIONS = 16
"""Connections that are kept open: one for each worker and each of the daemon's other threads. A further one
is opened, set up and closed again each time, which costs more than what it is opened for."""
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
"""What SQLite answers where the disk is the matter, in the low byte of its error code."""


def ledger_file(url: str) -> Path:
    """Given a ledger URL, return the file of its database; only SQLite is served so far."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise LedgerError(
            f"SYNCD_LEDGER_URL {parsed.render_as_string()!r} is not a SQLite file",
            "use sqlite:////var/lib/syncd/syncd.db",
        )
    return Path(parsed.database)


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, wanted in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={wanted}")
        found = cursor.execute(f"PRAGMA {name}").fetchone()[0]
        if found != wanted:
            connection.close()
            raise LedgerUnsafe(
                f"the ledger refuses {name}={wanted} and stays at {found}",
                "keep the ledger on a local disk that supports WAL",
            )
    cursor.close()


class Reading(SQLiteDialect_pysqlite):
    """How a reader begins: the driver begins nothing by itself (`_on_connect`).

    A listener on the engine could begin as well, but with any listener every statement takes a fifth longer.
    """

    supports_statement_cache = True
    begin = "BEGIN"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        dbapi_connection.cursor().execute(self.begin)


class Writing(Reading):
    """How a writer begins."""

    supports_statement_cache = True
    begin = "BEGIN IMMEDIATE"


for _dialect in (Reading, Writing):
    registry.register(f"sqlite.{_dialect.__name__.lower()}", __name__, _dialect.__name__)


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Given a ledger URL, return an engine for readers and one for writers, on the same connections.

    The connections are set up as the ledger needs them.
    """
    ledger_file(url)
    parsed = make_url(url)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "hide_parameters": True}
    reading = create_engine(parsed.set(drivername="sqlite+reading"), pool_size=CONNECTIONS, **options)
    writing = create_engine(parsed.set(drivername="sqlite+writing"), pool=reading.pool, **options)
    event.listen(reading, "connect", _on_connect)
    return reading, writing


class Transactions(Protocol):
    """What verbs and views need: transactions on one ledger. Only the ledger's own modules call these."""

    def write(self) -> AbstractContextManager[Session]:
        """One writing transaction."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """One consistent view for reading."""
        ...


class OneView:
    """The transaction of `one_view`: every view that is given it reads the same state of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """The one consistent view."""
        yield self._session

    def write(self) -> AbstractContextManager[Session]:
        """Raise `LedgerError`: a view changes nothing."""
        raise LedgerError("a view of the ledger cannot be written through", "")


@contextmanager
def one_view(ledger: Transactions) -> Iterator[OneView]:
    """Have several views read one and the same state of the ledger, while nothing else is waited for."""
    with ledger.read() as session:
        yield OneView(session)


class Database:
    """Sessions on one ledger; writers of this process queue here instead of in SQLite's busy wait.

    `read()` begins one consistent view for reading. `trouble` is what the disk said when it took no write;
    whoever sees it well again clears it.
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
        """One writing transaction: committed at the end, rolled back when anything raises.

        Raises `LedgerUnwritable` where the disk takes no write.
        """
        try:
            with self._turn, Session(self._writer, expire_on_commit=False) as session, session.begin():
                session.connection()  # begins here, not with the first statement
                yield session
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
                raise
            self.trouble = str(error.orig)
            said = f"{self.file} cannot be written: {error.orig}"
            raise LedgerUnwritable(said, "make room on its disk, or make it writable") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def unusable(error: Exception) -> str | None:
    """Return what the database says of a locked, full or foreign file; None where it is something else.

    What else a database complains about is our fault.
    """
    return str(getattr(error, "orig", error)) if type(error) in (OperationalError, DatabaseError) else None


_RUN = 1_000_000_000


class LogicalClock:
    """The counter of one run of the executor."""

    def __init__(self, run: int) -> None:
        self._count = count(run * _RUN + 1)
        self._lock = Lock()

    def next(self) -> int:
        """The next moment: take it just before a request leaves, and just after a write was confirmed."""
        with self._lock:
            return next(self._count)
