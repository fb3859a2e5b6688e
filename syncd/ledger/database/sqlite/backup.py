"""Copy a SQLite file, check the copy, and keep the latest copies.

SQLite's own backup makes the copy while the daemon goes on working. A copy gets its final name only after it
was checked and has reached the disk, so every file with such a name is good.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syncd.ledger.database.room import is_full, room_for
from syncd.ledger.database.sqlite.migrate import backup_file, check_revision, revision_of, size_of
from syncd.ledger.errors import LedgerMissing, LedgerUnsafe

KEPT = 14
"""How many of the latest copies stay."""
_NAME = re.compile(r"syncd-\d{8}T\d{6}Z\.db")


@dataclass(frozen=True)
class Backup:
    """A new copy, its size in bytes, and the older copies that were deleted for it."""

    file: Path
    size: int
    removed: tuple[Path, ...]


def back_up(ledger: Path, folder: Path, now: datetime, keep: int = KEPT) -> Backup:
    """Copy a ledger to `folder`, check the copy, and keep the latest `keep` copies.

    Raise `LedgerMissing` if there is no ledger, `NoRoom` if the copy does not fit, `LedgerUnsafe` if it is
    damaged, and `OSError`. The older copies stay then.
    """
    if revision_of(ledger) is None:
        raise LedgerMissing(f"there is no ledger at {ledger} yet")
    with room_for("the copy", folder, size_of(ledger)):
        target = _copy(ledger, folder, now)
    sync_folder(folder)
    # at least the new copy stays
    return Backup(target, target.stat().st_size, _rotate(folder, max(1, keep)))


def _copy(ledger: Path, folder: Path, now: datetime) -> Path:
    """Make and check a copy in `folder`, and return it; leave nothing behind if that fails."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"syncd-{now:%Y%m%dT%H%M%SZ}.db"
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        # Create the file empty with mode 0600: SQLite would create it readable for others.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        backup_file(ledger, partial)
        _into_one_file(partial)
        check_copy(partial)
        settle_file(partial)
        partial.replace(target)
    # also when a signal ends the command: no partial copy stays
    except BaseException:
        for ending in ("", "-wal", "-shm", "-journal"):
            partial.with_name(partial.name + ending).unlink(missing_ok=True)
        raise
    return target


def _into_one_file(copy: Path) -> None:
    # a write-ahead log beside the copy could be left behind when somebody moves the copy
    with closing(sqlite3.connect(copy)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.DatabaseError as error:
            if is_full(error):
                raise
            raise LedgerUnsafe(f"the copy {copy} is damaged: {error}", "look at the disk") from error


def backups(folder: Path) -> list[Path]:
    """Return the copies in a folder, the latest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def check_copy(file: Path) -> None:
    """Raise `LedgerUnsafe` if the file is damaged, `LedgerFromTheFuture` if a newer syncd wrote it."""
    check_revision(file)
    # an empty file, or another database
    if revision_of(file) is None:
        raise LedgerUnsafe(f"{file} is no ledger", "use a copy that `syncd backup` made")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            # integrity_check does not look at foreign keys
            verdict = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
            broken = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    except sqlite3.DatabaseError as error:
        verdict, broken = str(error), 0
    if verdict != "ok" or broken:
        damage = verdict if verdict != "ok" else f"{broken} references lead nowhere"
        raise LedgerUnsafe(f"{file} is damaged: {damage}", "use another copy")


def settle_file(file: Path) -> None:
    """Write a file through to the disk."""
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, so that a rename survives a power cut."""
    settle_file(folder)


def _rotate(folder: Path, keep: int) -> tuple[Path, ...]:
    old = backups(folder)[keep:]
    for path in old:
        path.unlink(missing_ok=True)
    return tuple(old)
