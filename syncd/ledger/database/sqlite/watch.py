"""Watch a ledger's open file: it may be deleted, replaced, or overwritten with an older content."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Lock

from sqlalchemy import Engine, event

from syncd.ledger.database.sqlite.connection import commits_in
from syncd.ledger.errors import LedgerReplaced


class FileWatch:
    """The watch over one ledger's file (`syncd.ledger.database.backend.Watch`)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._wal = log_of(file)
        self._files: dict[Path, tuple[int, int]] = {}
        self._header = -1
        self._commits = 0
        self._noting = Lock()
        self._kept: sqlite3.Connection | None = None

    def begin(self, engine: Engine) -> None:
        """Begin to watch the file; the engine opens no other file in its place."""
        # closed after the connections: a close in between would end SQLite's locks of this process
        self._header = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        self._commits = commits_in(self._header)
        at = os.fstat(self._header)
        self._files[self._file] = (at.st_dev, at.st_ino)
        event.listen(engine, "connect", self._check_new, insert=True)

    def check(self) -> None:
        """Raise `LedgerReplaced` if the file was deleted, replaced or overwritten since it was opened."""
        for file in (self._file, self._wal):
            self._check_file(file)
        self.after_commit()

    def _check_new(self, connection: sqlite3.Connection, _record: object) -> None:
        """Check the file before a connection reads, which would apply the former file's log to it."""
        try:
            self._check_file(self._file)
        except LedgerReplaced:
            connection.close()
            raise

    def _check_file(self, file: Path) -> None:
        try:
            at = file.stat()
        except FileNotFoundError:
            if file in self._files:
                raise self._replaced(file, "was deleted") from None
            return
        ident = (at.st_dev, at.st_ino)
        if self._files.setdefault(file, ident) != ident:
            raise self._replaced(file, "was replaced by another file")

    def after_commit(self) -> None:
        """Raise `LedgerReplaced` if the file was overwritten.

        A commit may move the log into the file, so an older content that comes next must be seen.
        """
        if self._header < 0:
            return
        # first what was read before: another writer may read the header meanwhile, and find more
        before = self._commits
        commits = commits_in(self._header)
        # it only grows, but an older content that was copied into the file has a lower one
        if commits < before:
            raise self._replaced(self._file, "was overwritten with an older content")
        with self._noting:
            self._commits = max(self._commits, commits)

    @staticmethod
    def _replaced(file: Path, what: str) -> LedgerReplaced:
        return LedgerReplaced(
            f"{file} {what} while syncd was running, so syncd stops: it would write into a file that is lost",
            "put the right file back, or a copy: syncd restore; then start syncd again, which proves what the"
            " file lacks before it writes",
        )

    def look(self) -> str:
        """Return how the file looks now."""
        return look_of(self._file)

    def before_close(self) -> None:
        """Keep the log of a former content apart: SQLite would move its rows into the older one."""
        if self._is_overwritten():
            self._kept = keep_from_mixing(self._file)

    def _is_overwritten(self) -> bool:
        """Return True if the files of a ledger that was taken away are those that were opened."""
        with suppress(FileNotFoundError):
            at = {file: file.stat() for file in self._files}
            return all((at[file].st_dev, at[file].st_ino) == ident for file, ident in self._files.items())
        return False

    def close(self) -> None:
        """Close the header."""
        if self._header >= 0:
            os.close(self._header)
            self._header = -1

    def after_close(self) -> None:
        """Set the log of a former content aside."""
        if self._kept is not None:
            set_log_aside(self._file)
            self._kept.close()


def look_of(file: Path) -> str:
    """Return by what a file is told from an older or a newer one: its size and the time of its last write.

    In WAL mode the file changes only when SQLite moves the log into it.
    """
    at = file.stat()
    return f"{at.st_size}/{at.st_mtime_ns}"


def log_of(file: Path) -> Path:
    """Return the write-ahead log of a ledger's file."""
    return file.with_name(file.name + "-wal")


def set_log_aside(file: Path) -> Path | None:
    """Rename the write-ahead log, so that SQLite does not apply it; return its new name, if there was one."""
    log, aside = log_of(file), file.with_name(file.name + "-wal.of-another-file")
    if not log.exists():
        return None
    log.replace(aside)
    file.with_name(file.name + "-shm").unlink(missing_ok=True)
    return aside


def keep_from_mixing(file: Path) -> sqlite3.Connection | None:
    """Return a connection that keeps SQLite from moving the log into the file when all others are closed.

    It can write nothing itself, and stays open until the process ends.
    """
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    with suppress(sqlite3.DatabaseError):
        # it holds SQLite's lock on the file from its first read on
        connection.execute("PRAGMA user_version").fetchone()
        return connection
    connection.close()
    return None
