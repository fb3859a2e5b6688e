"""Bring a SQLite file to this version's tables: under the lock, after a backup, with foreign keys off.

Foreign keys are off while tables are rebuilt, because Alembic's batch mode would cascade children away. They
are checked before the commit.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, event

from syncd.ledger.database import migrate as revisions
from syncd.ledger.database.backend import FirstRows
from syncd.ledger.database.room import is_full, room_for
from syncd.ledger.errors import LedgerUnreadable, LedgerUnsafe


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def revision_of(file: Path) -> str | None:
    """Return the revision of a ledger file, None for a missing or empty file.

    Raise `LedgerUnreadable` if the file cannot be read as a database.
    """
    if not file.exists():
        return None
    try:
        with closing(_read_only(file)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        # an empty file is a database without tables
        if "no such table" in str(error):
            return None
        raise LedgerUnreadable(
            f"{file} cannot be read as a ledger: {error}",
            "check the path and its rights, or restore a backup",
        ) from error
    return str(row[0]) if row else None


def tables_of(file: Path) -> list[str]:
    """Return the names of a file's tables; none if there is no file."""
    if not file.exists():
        return []
    try:
        with closing(_read_only(file)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            return [str(name) for (name,) in rows]
    except sqlite3.DatabaseError as error:
        raise LedgerUnreadable(
            f"{file} cannot be read as a database: {error}", "name another file"
        ) from error


def check_revision(file: Path) -> bool:
    """Return True if the file is at `revisions.HEAD`; raise `LedgerFromTheFuture` for an unknown revision."""
    return revisions.is_head(revision_of(file), str(file))


def size_of(file: Path) -> int:
    """Return the bytes of a ledger with its write-ahead log, which a copy of it may need."""
    parts = (file, file.with_name(file.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def backup_file(file: Path, target: Path) -> None:
    """Copy a ledger, also while it is in use; raise `LedgerUnsafe` if the copy is damaged.

    Raise `sqlite3.DatabaseError` if the disk is full; callers turn it into `NoRoom` (`room_for`).
    """
    with closing(_read_only(file)) as source, closing(sqlite3.connect(target)) as copy:
        target.chmod(0o600)
        try:
            source.backup(copy)
            verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            # a full disk damages nothing
            if is_full(error):
                raise
            verdict = str(error)
    if verdict != "ok":
        raise LedgerUnsafe(f"the copy {target} is damaged: {verdict}", "keep the original and ask for help")


def _plain(connection: Any, _record: object) -> None:
    # Alembic's statements run in the one transaction that `migrate` begins
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA foreign_keys=OFF")


def migrate(file: Path, now: datetime, first_rows: FirstRows | None = None) -> str | None:
    """Bring `file` to this version; return the revision that it had, None if it is new. Hold the lock.

    An existing ledger is copied to `<file>.before-<revision>-<time>` first. Raise `LedgerUnsafe` if a
    reference or a trigger would be broken: the ledger stays as it was.
    """
    before = revision_of(file)
    if check_revision(file):
        return before
    if before is not None:
        copy = file.with_name(f"{file.name}.before-{revisions.HEAD}-{now:%Y%m%dT%H%M%SZ}")
        try:
            with room_for("the copy before the migration", file.parent, size_of(file)):
                backup_file(file, copy)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
    engine = create_engine(URL.create("sqlite", database=str(file)))
    event.listen(engine, "connect", _plain)
    try:
        with engine.connect() as connection:
            # no reader may see tables that are half migrated
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            revisions.upgrade(connection, first_rows)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise LedgerUnsafe(
                    f"the migration would break {len(broken)} references", "report this; nothing changed"
                )
            connection.commit()
    finally:
        engine.dispose()
    file.chmod(0o600)
    return before
