"""Copies of the ledger that can be trusted: consistent, checked, on disk, and not more than are wanted.

A copy is made by SQLite's own backup while the daemon goes on working. It gets its name only when it was
found whole and has reached the disk, so that a file of that name is a good one.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syncd.ledger.database.migrate import backup_file, check_revision, revision_of
from syncd.ledger.errors import LedgerMissing, LedgerUnsafe

KEPT = 14
"""Copies that stay, the latest ones."""
_NAME = re.compile(r"syncd-\d{8}T\d{6}Z\.db")


@dataclass(frozen=True)
class Backup:
    """A copy that was made, its size in bytes, and the older ones that had to go."""

    file: Path
    size: int
    removed: tuple[Path, ...]


def back_up(ledger: Path, folder: Path, now: datetime, keep: int = KEPT) -> Backup:
    """Copy a ledger to `folder`, check the copy, and keep the latest `keep`.

    Raises `LedgerMissing` where there is none, `LedgerUnsafe` where the copy is damaged, `OSError`.
    """
    if revision_of(ledger) is None:
        raise LedgerMissing(f"there is no ledger at {ledger} yet", "start it: syncd run")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"syncd-{now:%Y%m%dT%H%M%SZ}.db"
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    # Made by us before anything is in it, so that nobody else can read it even for a moment.
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        backup_file(ledger, partial)
        _into_one_file(partial)
        check_copy(partial)
        settle_file(partial)
        partial.replace(target)
    except BaseException:
        for ending in ("", "-wal", "-shm"):
            partial.with_name(partial.name + ending).unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return Backup(target, target.stat().st_size, _rotate(folder, max(1, keep)))


def _into_one_file(copy: Path) -> None:
    """Without a write-ahead log beside it, a copy can be read from anywhere and is never half of one."""
    with closing(sqlite3.connect(copy)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.DatabaseError as error:
            raise LedgerUnsafe(f"the copy {copy} is damaged: {error}", "look at the disk") from error


def backups(folder: Path) -> list[Path]:
    """The copies in a folder, the latest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def check_copy(file: Path) -> None:
    """Raise `LedgerUnsafe` unless the file is whole, and `LedgerFromTheFuture` for a newer syncd's."""
    check_revision(file)
    if revision_of(file) is None:
        raise LedgerUnsafe(f"{file} is no ledger", "use a copy that `syncd backup` made")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
            broken = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    except sqlite3.DatabaseError as error:
        verdict, broken = str(error), 0
    if verdict != "ok" or broken:
        said = verdict if verdict != "ok" else f"{broken} references lead nowhere"
        raise LedgerUnsafe(f"{file} is damaged: {said}", "use another copy")


def settle_file(file: Path) -> None:
    """See a file onto the disk."""
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """See a folder's names onto the disk."""
    settle_file(folder)


def _rotate(folder: Path, keep: int) -> tuple[Path, ...]:
    old = backups(folder)[keep:]
    for path in old:
        path.unlink(missing_ok=True)
    return tuple(old)
