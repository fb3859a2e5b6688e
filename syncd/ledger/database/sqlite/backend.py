"""The backend of a SQLite file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from loguru import logger
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from syncd.ledger.database.backend import FirstRows, VerifyTrail
from syncd.ledger.database.room import Disk, disk_under, network_disk
from syncd.ledger.database.sqlite.connection import (
    UNWRITABLE,
    check_folder,
    empty_log,
    is_open,
    ledger_file,
    sqlite_engines,
)
from syncd.ledger.database.sqlite.lock import FileLock
from syncd.ledger.database.sqlite.migrate import backup_file, check_revision, migrate, tables_of
from syncd.ledger.database.sqlite.watch import FileWatch

CONNECTIONS = 24
"""How many connections stay open: one for each worker and each of the daemon's other threads. A further
connection is opened, set up and closed again for each use, which costs more than the use itself."""


def head_file(file: Path) -> Path:
    """Return the file beside a ledger that tells how far the ledger's record went."""
    return file.with_name(file.name + ".head")


class SQLiteBackend:
    """A ledger in a SQLite file (`syncd.ledger.database.backend.Backend`)."""

    shared = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.file = ledger_file(url)
        self.name = str(self.file)

        self.head_file: Path | None = head_file(self.file)

    def engines(self) -> tuple[Engine, Engine]:
        """Return an engine for readers and one for writers."""
        return sqlite_engines(self.url, CONNECTIONS)

    def is_open(self, connection: Any) -> bool:
        """Return True while a transaction is open."""
        return is_open(connection)

    def why_unwritable(self, error: DBAPIError) -> str | None:
        """Return SQLite's words if the disk rejects writes."""
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return str(error.orig) if code & 0xFF in UNWRITABLE else None

    def hint_unwritable(self) -> str:
        """Return what the operator can do about a disk that rejects writes."""
        return "free space on its disk, or make it writable"

    def empty_log(self, engine: Engine) -> bool:
        """Empty the write-ahead log; return False if another process reads the ledger and holds it back."""
        return empty_log(engine)

    def exists(self) -> bool:
        """Return True if there is a file; it may be empty."""
        return self.file.exists()

    def is_current(self) -> bool:
        """Return True if the ledger has this version's tables."""
        return check_revision(self.file)

    def tables(self) -> list[str]:
        """Return the names of the file's tables; none if there is no file."""
        return tables_of(self.file)

    def drop(self) -> None:
        """Delete the file and what SQLite keeps beside it."""
        # the file goes before its log: without the log it could be a ledger that lacks the mark of a copy
        for ending in (".head", "", "-wal", "-shm", "-journal"):
            self.file.with_name(self.file.name + ending).unlink(missing_ok=True)

    def check_place(self) -> str | None:
        """Try the folder and the file; a disk on another machine stays in doubt."""
        check_folder(self.file)
        return network_disk(self.file)

    def lock(self) -> FileLock:
        """Return the lock file; make the folder in which it lies."""
        return FileLock(self.file)

    def prepare(self, noted_look: str | None, verify: VerifyTrail) -> None:
        """Keep the file private, and check it unless it is as syncd left it."""
        # imported here: it opens the ledger by this backend
        from syncd.ledger.database.sqlite.left_file import check_left_file

        self._say_missing_log()
        # SQLite gives the files that it puts beside the ledger the ledger's own mode
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.file.chmod(0o600)
        check_left_file(self.file, noted_look, verify)

    def _say_missing_log(self) -> None:
        """Log that the write-ahead log is gone, of which the file beside it tells."""
        wal, shm = (self.file.with_name(self.file.name + ending) for ending in ("-wal", "-shm"))
        if self.file.exists() and shm.exists() and not wal.exists():
            logger.error(
                "{} is missing, and with it the latest rows of the ledger: put it back if you have it. syncd"
                " asks Jira what the ledger made before it makes anything",
                wal,
            )

    def migrate(self, now: datetime, first_rows: FirstRows | None = None) -> str | None:
        """Bring the file to this version's tables, after a copy."""
        return migrate(self.file, now, first_rows)

    def lineage(self, session: Session) -> str | None:
        """Return None: the note beside the file tells an older file."""
        return None

    def watch(self) -> FileWatch:
        """Return the watch over the file."""
        return FileWatch(self.file)

    def own_backup(self) -> None:
        """Return None: syncd copies the file."""

    def disk(self) -> Disk | None:
        """Return the disk under the file."""
        return disk_under(self.file)

    def copy_to(self, file: Path, now: datetime) -> None:
        """Copy the ledger, also while it is in use."""
        backup_file(self.file, file)
