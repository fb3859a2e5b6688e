"""The room on a disk: refuse a file that does not fit, and describe the disk of a ledger for `status`."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from syncd.ledger.errors import LedgerUnwritable, NoRoom

LOW = 100_000_000
"""Bytes: with less, a disk is nearly full."""
FULL = 1_000_000
"""Bytes: with less, SQLite soon cannot write any more."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SQLITE_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)
"""The codes with which SQLite passes on that a disk is full, or that a quota or a limit is reached."""


def _present(path: Path) -> Path:
    """Return the path itself or its nearest folder that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def disk_of(path: Path) -> Path:
    """Return the mount point of a path's disk; the path itself need not exist."""
    place = _present(path).resolve()
    while not place.is_mount():
        place = place.parent
    return place


MOUNTS = Path("/proc/self/mounts")
"""Linux's list of mounted disks."""
_ON_ANOTHER_MACHINE = re.compile(r"nfs\d*|cifs|smb\w*|afs|ceph|lustre|fuse\.(?:sshfs|glusterfs|cephfs\S*)")
"""Types of file systems that lie on another machine."""


def network_disk(path: Path) -> str | None:
    """Return words about a path's disk if it is on another machine, as Linux names it; else None."""
    disk, kind = disk_of(path), ""
    # elsewhere there is no such list
    with suppress(OSError):
        for line in MOUNTS.read_text("utf-8", "replace").splitlines():
            _, mount_point, type_, *_ = line.split(" ")
            # a later line hides an earlier one; a blank stands there as \040
            if mount_point.replace("\\040", " ") == str(disk):
                kind = type_
    return f"{disk} is a disk on another machine ({kind})" if _ON_ANOTHER_MACHINE.fullmatch(kind) else None


@contextmanager
def room_for(what: str, folder: Path, size: int) -> Iterator[None]:
    """Raise `NoRoom` if `size` bytes do not fit into a folder, before or while the block writes them."""
    if shutil.disk_usage(_present(folder)).free < size:
        raise NoRoom(disk_of(folder), what, size)
    try:
        yield
    except (OSError, sqlite3.Error, DBAPIError, LedgerUnwritable) as error:
        if not is_full(error):
            raise
        words = "" if shutil.disk_usage(_present(folder)).free < size or _is_out(error) else str(error)
        raise NoRoom(disk_of(folder), what, size, words) from error


def _is_out(error: BaseException | None) -> bool:
    """Return True if the system itself says that there is no space."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    if isinstance(error, DBAPIError):
        return _is_out(error.orig)
    return isinstance(error, LedgerUnwritable) and _is_out(error.__cause__)


def is_full(error: BaseException | None) -> bool:
    """Return True if an error, or the one from which it was raised, says that a disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) in _SQLITE_NO_ROOM
    if isinstance(error, DBAPIError):
        return is_full(error.orig)
    return isinstance(error, LedgerUnwritable) and is_full(error.__cause__)


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of a ledger: its mount point, free bytes, and state (`ok`, `low`, `full`, `read-only`)."""

    path: Path
    free: int
    state: str


def disk_under(file: Path) -> Disk:
    """Return the disk under a ledger file, without writing to it."""
    numbers = os.statvfs(file.parent)
    free = numbers.f_bavail * numbers.f_frsize
    # a disk without inodes takes no new file either, such as the write-ahead log; some count none at all
    inodes_gone = numbers.f_files > 0 and numbers.f_favail == 0
    if numbers.f_flag & os.ST_RDONLY:
        state = "read-only"
    elif free < FULL or inodes_gone:
        state = "full"
    else:
        # the next nightly copy is as large as the ledger
        state = "low" if free < max(LOW, 2 * file.stat().st_size) else "ok"
    return Disk(disk_of(file), free, state)
