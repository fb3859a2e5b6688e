"""Leadership: the right of this process to write to the services, where a lock can be lost while it runs.

A lock file ends only with its process. A lock on a connection to a database ends with that connection, which
a network, a database or a stopped process can end at any moment; another daemon leads from then on. So the
leader proves its lock again and again, and checks the epoch in each writing transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

HOLDS = 10.0
"""Seconds for which a proof of the lock or a claim of an operation allows a write to leave.

The database ends the connection of a leader that is silent for longer than this, so nobody else leads before.
"""
GIVEN_UP_AFTER = 20.0
"""Seconds without a proof after which a leader counts as replaced: it ends, and starts again as a standby."""


class Leadership:
    """The leadership of this process since it took the lock; safe to use from any thread.

    `boottime` returns the seconds on the boot-time clock, which counts also while the process is stopped or
    the machine sleeps. `epoch` names this leader in the ledger: the next leader stores another one.
    """

    def __init__(self, boottime: Callable[[], float], epoch: str) -> None:
        self.epoch = epoch
        self._boottime = boottime
        self._lock = Lock()
        self._proved_at = boottime()
        self._lost: str | None = None

    def prove(self, asked_at: float) -> None:
        """Note that the database was asked for the lock at this boot time, and that we hold it."""
        with self._lock:
            self._proved_at = max(self._proved_at, asked_at)

    def lose(self, why: str) -> None:
        """Note that the lock is lost; the first reason stays."""
        with self._lock:
            self._lost = self._lost or why

    def why_lost(self) -> str | None:
        """Return why this process leads no more, None while it leads or may still lead."""
        with self._lock:
            silent = self._boottime() - self._proved_at
            if self._lost is None and silent > GIVEN_UP_AFTER:
                self._lost = f"the database did not confirm the lock for {silent:.0f} s"
            return self._lost

    def why_not_send(self, claimed_at: float | None) -> str | None:
        """Return why no write may leave now, None if it may; `claimed_at` is the boot time of its claim."""
        with self._lock:
            now = self._boottime()
            if self._lost is not None:
                return self._lost
            if now - self._proved_at >= HOLDS:
                return f"the database did not confirm the lock for {now - self._proved_at:.0f} s"
            if claimed_at is not None and now - claimed_at >= HOLDS:
                return f"its claim is {now - claimed_at:.0f} s old"
            return None
