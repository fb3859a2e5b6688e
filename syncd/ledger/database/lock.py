"""One executor per ledger: the process that holds the ledger's lock. Each database has its own lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from syncd.ledger.database.leadership import Leadership


@dataclass(frozen=True)
class Holder:
    """The process that holds a ledger's lock: the name that it gave itself, and its line about the ledger."""

    name: str
    words: str | None


class LedgerLock(Protocol):
    """The exclusive right to send requests that write, for one ledger.

    Take it after any fork, because a forked child would share it. It ends with the process that took it, also
    when that process is killed. `leadership` is None if only the end of the process ends the lock.
    """

    leadership: Leadership | None

    def acquire(self, holder_name: str) -> None:
        """Take the lock at once, or raise `LedgerBusy` with the name of its holder."""
        ...

    def lead(self, boottime: Callable[[], float]) -> None:
        """Begin to lead with the lock that was taken, and to prove it; where it cannot be lost, do nothing.

        `boottime` returns the seconds on the boot-time clock.
        """
        ...

    def note(self, words: str | None) -> None:
        """Show a line about the ledger to other processes while this one holds the lock; None removes it."""
        ...

    def release(self) -> None:
        """Give the lock back; do nothing if this process does not hold it."""
        ...

    def holder(self) -> Holder | None:
        """Return the process that holds the lock and is alive, None if there is none; take nothing."""
        ...
