"""The lock of a SQLite file: the process that holds `<file>.lock`, by a descriptor that closes on exec."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from syncd.ledger.database.leadership import Leadership
from syncd.ledger.database.lock import Holder
from syncd.ledger.errors import LedgerBusy


class FileLock:
    """The lock of one ledger file (`syncd.ledger.database.lock.LedgerLock`)."""

    def __init__(self, ledger: Path) -> None:
        self._folder = ledger.parent
        self.path = ledger.with_name(ledger.name + ".lock")
        self._fd: int | None = None
        self.leadership: Leadership | None = None

    def acquire(self, holder_name: str) -> None:
        """Take the lock at once, or raise `LedgerBusy` with the name that its holder wrote into it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").split("\n")[0].strip()
            os.close(fd)
            raise LedgerBusy(str(self.path), holder) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{holder_name}, pid {os.getpid()}\n".encode(), 0)
        self._fd = fd

    def lead(self, boottime: Callable[[], float]) -> None:
        """Do nothing: the lock ends only with this process."""

    def note(self, words: str | None) -> None:
        """Write a line about the ledger for other processes below the holder's name; None removes it.

        The file has its block already, so this works on a full disk, where the ledger takes no word.
        """
        if self._fd is None:
            return
        first = os.pread(self._fd, 200, 0).split(b"\n")[0] + b"\n"
        # a read-only disk shows by itself
        with suppress(OSError):
            os.ftruncate(self._fd, len(first))
            if words is not None:
                os.pwrite(self._fd, words.encode()[:200] + b"\n", len(first))

    def release(self) -> None:
        """Give the lock back; do nothing if this process does not hold it."""
        # the file stays: with a new file of the same name two processes could hold two locks
        if self._fd is not None:
            # another process may get our id later; a read-only disk shows by itself
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def holder(self) -> Holder | None:
        """Return the process that the file names, if it is alive.

        Taking the lock, even for a moment, could keep a daemon from starting: the process id tells instead.
        """
        try:
            text = self.path.read_text("utf-8", "replace")
        except OSError:
            return None
        holder, _, words = text.partition("\n")
        pid = re.search(r"pid (\d+)$", holder)
        if pid is None or not Path("/proc", pid[1]).exists():
            return None
        return Holder(holder, words.strip() or None)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
