"""One executor per ledger: the process that holds `<file>.lock`.

Take the lock after any fork, because a forked child would share it. The descriptor is closed on exec. So the
lock ends with the process that took it, also when that process is killed.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
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
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").split("\n")[0].strip()
            os.close(fd)
            raise LedgerBusy(str(self.path), holder) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{holder_name}, pid {os.getpid()}\n".encode(), 0)
        self._fd = fd

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

    def __enter__(self) -> LedgerLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def note_of_holder(ledger: Path) -> str | None:
    """Return the line that the process holding a ledger's lock wrote about it, None if there is none."""
    alive, words = _read_lock(ledger)
    return words or None if alive else None


def is_held(ledger: Path) -> bool:
    """Return True if a process that is alive wrote its name into a ledger's lock."""
    return _read_lock(ledger)[0]


def _read_lock(ledger: Path) -> tuple[bool, str]:
    """Return True if the holder that a lock's file names is alive, and its line about the ledger.

    Taking the lock, even for a moment, could keep a daemon from starting: the process id tells instead.
    """
    try:
        text = ledger.with_name(ledger.name + ".lock").read_text("utf-8", "replace")
    except OSError:
        return False, ""
    holder, _, words = text.partition("\n")
    pid = re.search(r"pid (\d+)$", holder)
    return pid is not None and Path("/proc", pid[1]).exists(), words.strip()
