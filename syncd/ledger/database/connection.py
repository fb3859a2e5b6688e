"""Transactions on the ledger: one for each verb, one consistent view for each reader.

No transaction is open while a request to a service is under way. The database itself is behind
`syncd.ledger.database.backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Protocol, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlmodel import Session

from syncd.ledger.database.backend import Backend, backend_of
from syncd.ledger.database.group_commit import GroupCommit
from syncd.ledger.database.plain_session import PlainSession
from syncd.ledger.errors import LedgerError, LedgerUnwritable


def open_engines(backend: Backend) -> tuple[Engine, Engine]:
    """Return an engine for readers and one for writers of a ledger."""
    return backend.engines()


View = Callable[[], AbstractContextManager[Session]]
"""Opens a view for reading."""


class Transactions(Protocol):
    """Transactions on one ledger, as verbs and views need them. Only the ledger's own modules call these."""

    def write(self, *, leading: bool = True) -> AbstractContextManager[Session]:
        """Open a writing transaction; only a leader may write, unless the write needs no leader."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """Open one consistent view for reading."""
        ...

    def read_one(self) -> AbstractContextManager[Session]:
        """Open a view for one `Prepared` statement: alone it sees one state without a transaction.

        On a server that saves two of three round trips.
        """
        ...


class OneView:
    """The transaction of `one_view`: all views that get it read the same state of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield the one consistent view."""
        yield self._session

    read_one = read

    def write(self, *, leading: bool = True) -> AbstractContextManager[Session]:
        """Raise `LedgerError`: a view changes nothing."""
        raise LedgerError("a view of the ledger cannot be written through", "")


@contextmanager
def one_view(ledger: Transactions) -> Iterator[OneView]:
    """Open a transaction in which several views read the same state of the ledger.

    No request to a service may be made inside.
    """
    with ledger.read() as session:
        yield OneView(session)


class _View(PlainSession):
    """A reading transaction; it begins when somebody asks for its connection."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> Session:
        return cast(Session, self)

    def __exit__(self, *_: object) -> None:
        try:
            self.close_session()
        finally:
            if self._connection is not None:
                self._connection.close()

    def connection(self) -> Connection:
        """Return the connection; the first call begins the transaction."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.begin()
        return self._connection


class _OneStatement:
    """A connection without a transaction that serves one statement."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> Session:
        return cast(Session, self)

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def connection(self) -> Connection:
        """Return the connection; raise `LedgerError` at a second statement, which might see another state."""
        if self._connection is not None:
            raise LedgerError("a view for one statement was asked for a second one", "")
        self._connection = self._engine.connect()
        return self._connection


class Database:
    """Sessions on one ledger; writers of this process queue here (`group_commit`), not in the database.

    `read()` begins one consistent view for reading, `read_one()` a view for one statement. `name` is the
    ledger's place for people. `trouble` holds the database's words since it rejected a write;
    `Ledger.end_trouble` clears it.
    """

    def __init__(self, url: str, state_dir: Path | None = None) -> None:
        self.url = url
        self.state_dir = state_dir
        self.backend = backend_of(url, state_dir)
        self.name = self.backend.name
        self.engine, self._writer = open_engines(self.backend)
        self.read: View = partial(_View, self.engine)
        self.read_one: View = partial(_OneStatement, self.engine)
        # a file cannot be away; a server can at any moment
        if self.backend.shared:
            self._guard_views(self._remote_view)
        self._writers = GroupCommit(self._writer, self.backend.is_open, keeps=not self.backend.shared)
        self.trouble: str | None = None

    @contextmanager
    def write(self, *, leading: bool = True) -> Iterator[Session]:
        """Open a writing transaction: commit it at the end, roll it back if anything raises.

        Every process may write here what needs no leader: change notices and requests. What the caller reads
        first still holds when it writes. Writers that wait for each other share a commit. Raise
        `LedgerUnwritable` if the database rejects writes.
        """
        try:
            with self._writers.write() as session:
                yield session
        except DBAPIError as error:
            self._raise_trouble(error, "written")
            raise
        for act in session.info.get(_AFTER_COMMIT, ()):
            act()

    def share_statements(self, other: Database) -> None:
        """Use the SQL that the statements on another ledger became, and share what becomes of ours."""
        for engine, others in ((self.engine, other.engine), (self._writer, other._writer)):
            if engine.url.drivername == others.url.drivername:
                compiled = others.get_execution_options().get("compiled_cache", others._compiled_cache)
                engine.dialect = others.dialect
                engine.update_execution_options(compiled_cache=compiled)

    def _guard_views(self, guard: Callable[[View], AbstractContextManager[Session]]) -> None:
        self.read, self.read_one = partial(guard, self.read), partial(guard, self.read_one)

    @contextmanager
    def _remote_view(self, views: View) -> Iterator[Session]:
        """Open a consistent view; raise `LedgerUnwritable` if the server is away."""
        try:
            with views() as session:
                yield session
        except DBAPIError as error:
            self._raise_trouble(error, "read")
            raise

    def _raise_trouble(self, error: DBAPIError, done: str) -> None:
        """Note a database that rejects all work, and raise `LedgerUnwritable`; else do nothing."""
        words = self.backend.why_unwritable(error)
        if words is not None:
            self.note_trouble(words)
            message = f"{self.name} cannot be {done}: {words}"
            raise LedgerUnwritable(message, self.backend.hint_unwritable()) from error

    def empty_log(self) -> bool:
        """Delete what the database keeps of deleted texts outside of its tables.

        Return False if another process reads the ledger and holds that back.
        """
        with self._writers.alone():
            return self.backend.empty_log(self.engine)

    def note_trouble(self, words: str) -> None:
        """Remember the database's words about a write that it rejected."""
        self.trouble = words

    def close(self) -> None:
        """Close all connections."""
        self._writers.close()
        self.engine.dispose()


_AFTER_COMMIT = "after commit"


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Do something outside the ledger once the writing transaction of a session is committed, else never."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


def unusable(error: Exception) -> str | None:
    """Return the database's words if it is locked, full, away or damaged; None for any other error.

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
