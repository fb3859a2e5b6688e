"""One executor per ledger: the process that holds `<file>.lock`.

Take the lock after any fork, because a forked child would share it. The descriptor is closed on exec. So the
lock ends with the process that took it, also when that process is killed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from syncd.ledger.errors import LedgerBusy


class LedgerLock:
    """The exclusive right to send requests that write, for one ledger file."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".lock")
        self._fd: int | None = None

    def acquire(self, holder_name: str) -> None:
        """Take the lock at once, or raise `LedgerBusy` with the name that its holder wrote into it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            raise LedgerBusy(str(self.path), holder) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{holder_name}, pid {os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; do nothing if this process does not hold it."""
        # the file stays: with a new file of the same name two processes could hold two locks
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> LedgerLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
