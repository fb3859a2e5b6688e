"""The seam between the ledger and its database: all that differs is behind `Backend`.

A ledger's URL names its backend. Nothing above this folder asks which database it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from syncd.ledger.database.lock import LedgerLock
from syncd.ledger.database.room import Disk

VerifyTrail = Callable[[Session], object | None]
"""Returns what is wrong with the audit trail that a session reads, None if nothing is."""
FirstRows = Callable[[Session], None]
"""Writes rows into new tables, in the transaction that makes them."""


class Watch(Protocol):
    """Tells if a ledger is still the one that this process opened."""

    def begin(self, engine: Engine) -> None:
        """Begin to watch the ledger, which is migrated, and what the engine opens."""
        ...

    def check(self) -> None:
        """Raise `LedgerReplaced` if the ledger is another one by now; called before each write."""
        ...

    def after_commit(self) -> None:
        """Raise `LedgerReplaced` if a commit went into an older content."""
        ...

    def look(self) -> str:
        """Return by what the ledger is told from another one at the next start; it holds no space."""
        ...

    def before_close(self) -> None:
        """Prepare the end of all connections to a ledger that was replaced."""
        ...

    def close(self) -> None:
        """End the watch, after the connections were closed."""
        ...

    def after_close(self) -> None:
        """Finish what `before_close` began."""
        ...


class OwnBackup(NamedTuple):
    """How a database backs up and restores its ledgers itself, as lines to type."""

    backup: str
    restore: str


class Backend(Protocol):
    """One ledger in its database, opened or not."""

    url: str
    name: str
    """The ledger's place for people and for the log; it never holds a password."""
    shared: bool
    """True if processes of several machines can open the ledger: one leads, the others are standbys."""
    head_file: Path | None
    """The file on this machine that tells how far the ledger's record went; None: there is none."""

    def engines(self) -> tuple[Engine, Engine]:
        """Return an engine for readers and one for writers."""
        ...

    def is_open(self, connection: Any) -> bool:
        """Return True while a transaction is open on a connection of the driver.

        A database may end one by itself after an error; then all that was written in it is lost.
        """
        ...

    def why_unwritable(self, error: DBAPIError) -> str | None:
        """Return the database's words if it rejects all writes for now; None for any other error."""
        ...

    def hint_unwritable(self) -> str:
        """Return what the operator can do about a database that rejects writes."""
        ...

    def empty_log(self, engine: Engine) -> bool:
        """Delete what the database keeps of deleted texts; return False if it cannot be done now."""
        ...

    def exists(self) -> bool:
        """Return True if the ledger has its tables, perhaps of another version.

        Raise `LedgerUnreadable` if that cannot be told.
        """
        ...

    def is_current(self) -> bool:
        """Return True if the ledger has this version's tables; raise `LedgerFromTheFuture` for newer ones."""
        ...

    def tables(self) -> list[str]:
        """Return the names of all tables where the ledger is or shall be."""
        ...

    def drop(self) -> None:
        """Delete the ledger with all that it holds, under the lock."""
        ...

    def check_place(self) -> str | None:
        """Raise `LedgerError` if the server or the disk cannot keep a ledger; take no lock.

        Return what stays in doubt, None if nothing does.
        """
        ...

    def lock(self) -> LedgerLock:
        """Return the lock of the ledger, not yet taken."""
        ...

    def prepare(self, noted_look: str | None, verify: VerifyTrail) -> None:
        """Prepare the ledger's place for work under the lock; `noted_look` is how it was left, if known."""
        ...

    def migrate(self, now: datetime, first_rows: FirstRows | None = None) -> str | None:
        """Bring the ledger to this version's tables under the lock; return the former revision, if any.

        Tables that are made or changed appear together with `first_rows`, in one transaction.
        """
        ...

    def lineage(self, session: Session) -> str | None:
        """Return by what a server is told from one that took its place, None where files tell that."""
        ...

    def watch(self) -> Watch:
        """Return the watch over the ledger."""
        ...

    def own_backup(self) -> OwnBackup | None:
        """Return how the database backs up its ledgers itself, None if syncd does it."""
        ...

    def disk(self) -> Disk | None:
        """Return the disk under the ledger, None if it is on another machine."""
        ...

    def copy_to(self, file: Path, now: datetime) -> None:
        """Copy the ledger, also while it is in use, to a new SQLite file."""
        ...


def backend_of(url: str, state_dir: Path | None = None) -> Backend:
    """Return the backend of a ledger URL; raise `LedgerError` for a URL of no database that syncd knows.

    `state_dir` is the folder for what belongs beside a ledger that is no file.
    """
    # each imports its driver, and a start needs one
    if url.partition(":")[0].partition("+")[0] == "postgresql":
        from syncd.ledger.database.postgresql.backend import PostgreSQLBackend

        return PostgreSQLBackend(url, state_dir)
    from syncd.ledger.database.sqlite.backend import SQLiteBackend

    return SQLiteBackend(url)
