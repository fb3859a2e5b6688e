"""Moments: integers that order what this ledger's executor asked and confirmed, immune to clock steps.

Only the executor reads and writes the services, so one counter orders all of it; each start takes the
next billion, so that a later run's moments are later than all of an earlier run's.
"""

from __future__ import annotations

from itertools import count
from threading import Lock

_RUN = 1_000_000_000


class LogicalClock:
    """The counter of one run of the executor."""

    def __init__(self, run: int) -> None:
        self._count = count(run * _RUN + 1)
        self._lock = Lock()

    def next(self) -> int:
        """The next moment: take it just before a request leaves, and just after a write was confirmed."""
        with self._lock:
            return next(self._count)
