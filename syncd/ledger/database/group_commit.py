"""Writing transactions of this process: one after the other; writers that wait anyway share a commit.

A commit makes the disk write, and all other writers wait for it. A writer that finds the ledger free begins
a transaction and commits it. If others wait when it is done, it hands the open transaction to the next one,
in the order in which they came; the last one commits for all. Each writer has a savepoint of its own, so one
that fails undoes only what it wrote itself. `GroupCommit.write` ends after the commit: until then no writer
may act outside the ledger on what it wrote.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from threading import Event, Lock, get_ident
from typing import Any, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from syncd.ledger.database.plain_session import PlainSession
from syncd.ledger.errors import CommitUnknown, LedgerError

MOST = 50
"""How many writers share one commit at most."""


class _Group:
    """One transaction, and the writers that share it; `over` is set when it is committed or failed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        try:
            self.transaction = connection.begin()
        except BaseException:
            connection.close()
            raise
        self.driver: Any = self.connection.connection.driver_connection
        self.writers = 1
        self.over = Event()
        self.error: BaseException | None = None


class _Part(PlainSession):
    """The writes of one writer in a transaction; with a `savepoint` they can be undone alone."""

    def __init__(self, connection: Connection, *, savepoint: bool) -> None:
        super().__init__()
        self._connection = connection
        self._savepoint = connection.begin_nested() if savepoint else None

    def __enter__(self) -> Session:
        return cast(Session, self)

    def __exit__(self, kind: object, *_: object) -> None:
        savepoint = self._savepoint
        try:
            if kind is None and self.session is not None:
                # it writes the objects that the writer changed
                self.session.commit()
            if kind is None and savepoint is not None:
                savepoint.commit()
        finally:
            self.close_session()
            # the database or the session may have undone it already
            if savepoint is not None and savepoint.is_active:
                savepoint.rollback()

    def connection(self) -> Connection:
        """Return the connection; raise `PendingRollbackError` after a write of this writer failed."""
        session = self.session
        # the session has undone the savepoint: what follows would be committed with the other writers
        if session is not None and not session.is_active:
            session.connection()
        return self._connection


class _Turn:
    """A writer's place in the queue; one that comes `alone` begins when no transaction is open.

    `group` is the transaction that is handed to the writer; None: it begins one.
    """

    def __init__(self, *, alone: bool) -> None:
        self.thread = get_ident()
        self.alone = alone
        self.comes = Event()
        self.group: _Group | None = None


class GroupCommit:
    """The queue of this process's writers on one ledger.

    `is_open` returns True while a transaction is open on a connection of the driver: a database may end it
    by itself after an error (a full disk), and then all that was written in it is lost. `keeps`: the writers
    keep one connection between their transactions, because the database cannot be away meanwhile.
    """

    def __init__(
        self, engine: Engine, is_open: Callable[[Any], bool], most: int = MOST, *, keeps: bool = False
    ) -> None:
        self._engine = engine
        self._keeps = keeps
        self._kept: Connection | None = None
        self._is_open = is_open
        self._most = most
        self._lock = Lock()
        self._waiting: deque[_Turn] = deque()
        self._writer: int | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a writing transaction: commit it at the end, alone or with others; undo it if anything raises.

        Raise the error of the commit if it fails: then nothing is stored of any writer that shared it.
        """
        group = self._wait_for_turn(alone=False)
        first = group is None
        if group is None:
            group = self._begin()
        try:
            # the first needs no savepoint: nobody shares the transaction before its end
            with _Part(group.connection, savepoint=not first) as session:
                yield session
            if not self._is_open(group.driver):
                raise LedgerError("the database ended a transaction by itself", "")
        except BaseException as error:
            if first or not self._is_open(group.driver):
                self._abandon(group, error)
            elif not self._hand_on(group):
                self._commit(group)
            raise
        if self._hand_on(group):
            group.over.wait()
        else:
            self._commit(group)
        if group.error is not None:
            raise _for_one_writer(group.error)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all writers of this process waiting; no transaction is open."""
        self._wait_for_turn(alone=True)
        try:
            yield
        finally:
            self._pass_turn()

    def _wait_for_turn(self, *, alone: bool) -> _Group | None:
        """Wait until this thread may write; return the transaction that it joins, None if none is open."""
        with self._lock:
            if self._writer == get_ident():
                raise LedgerError("this thread has a writing transaction open and begins another", "")
            if self._writer is None:
                self._writer = get_ident()
                return None
            turn = _Turn(alone=alone)
            self._waiting.append(turn)
        try:
            turn.comes.wait()
        except BaseException:
            self._leave_queue(turn)
            raise
        return turn.group

    def _leave_queue(self, turn: _Turn) -> None:
        """Give up the place of a writer that was interrupted while it waited."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        # its turn came at this very moment, and others wait for its end
        if turn.group is None:
            self._pass_turn()
        elif not self._hand_on(turn.group):
            self._commit(turn.group)

    def _begin(self) -> _Group:
        try:
            kept, self._kept = self._kept, None
            return _Group(kept or self._engine.connect())
        except BaseException:
            self._pass_turn()
            raise

    def _hand_on(self, group: _Group) -> bool:
        """Hand an open transaction to the next writer; return False if it is time to commit it."""
        with self._lock:
            if not self._waiting or self._waiting[0].alone or group.writers >= self._most:
                return False
            group.writers += 1
            self._call(group)
            return True

    def _call(self, group: _Group | None) -> None:
        turn = self._waiting.popleft()
        turn.group = group
        self._writer = turn.thread
        turn.comes.set()

    def _pass_turn(self) -> None:
        """Let the next writer begin; no transaction is open."""
        with self._lock:
            self._writer = None
            if self._waiting:
                self._call(None)

    def _commit(self, group: _Group) -> None:
        """Commit a transaction and wake the writers that share it; `group.error` tells them if it failed."""
        try:
            group.transaction.commit()
        except BaseException as error:
            self._abandon(group, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._end(group)

    def _abandon(self, group: _Group, error: BaseException) -> None:
        """Roll a transaction back; each writer that shares it raises the error."""
        group.error = error
        try:
            # past SQLAlchemy, for which a transaction is over as soon as its commit fails
            if self._is_open(group.driver):
                group.driver.rollback()
        finally:
            self._end(group)

    def close(self) -> None:
        """Close the connection that the writers keep; nobody writes any more."""
        self._keeps = False
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _end(self, group: _Group) -> None:
        try:
            # after an error the next writer gets a fresh one
            if self._keeps and group.error is None:
                self._kept = group.connection
            else:
                group.connection.close()
        finally:
            self._pass_turn()
            group.over.set()


def _for_one_writer(error: BaseException) -> Exception:
    """Return the error of a shared transaction as one of its writers raises it, in a thread of its own."""
    if isinstance(error, DBAPIError):
        return copy(error)
    # the daemon stops
    if isinstance(error, CommitUnknown):
        return error
    lost = LedgerError(f"a transaction was given up with all writes that shared it: {type(error).__name__}")
    lost.__cause__ = error
    return lost
