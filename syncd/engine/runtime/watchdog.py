"""Whether the daemon's loop goes round: what the watchdog and `/healthz` ask.

A cycle that comes to its end counts, good or not: a service that is down is no reason to die. A cycle
under way counts as long as its own thread takes steps (each look at a service is one) and it does not
take for ever. What the other threads do says nothing about the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident

from syncd.domain.clock import Clock

STUCK_AFTER = 180.0
"""Seconds without a step. One step is a request of 30 s at most, after a wait of 30 s for the budget."""
LONGEST_CYCLE = 6 * 3600.0
"""Seconds that one cycle may take: the first backfill of a large account takes hours, no more."""


class Watchdog:
    """The steps of one loop; all times are seconds on the boot-time clock."""

    def __init__(self, clock: Clock, poll_seconds: float) -> None:
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._lock = Lock()
        self._thread: int | None = None
        self._began = 0.0
        self._step = clock.boottime()
        self.cycles = 0
        """How many cycles came to their end."""

    @contextmanager
    def cycle(self) -> Iterator[None]:
        """One cycle of the calling thread."""
        with self._lock:
            self._thread, self._began = get_ident(), self._clock.boottime()
            self._step = self._began
        try:
            yield
        finally:
            with self._lock:
                self._thread, self._step = None, self._clock.boottime()
                self.cycles += 1

    def step(self) -> None:
        """Something was done; counts only in the cycle's own thread."""
        with self._lock:
            if self._thread == get_ident():
                self._step = self._clock.boottime()

    def stuck(self) -> str | None:
        """Why the loop counts as stuck, None while it goes round."""
        now = self._clock.boottime()
        with self._lock:
            since, under_way = now - self._step, self._thread is not None
            whole = now - self._began
        if under_way and whole > LONGEST_CYCLE:
            return f"a cycle has been under way for {whole:.0f} s"
        if under_way and since > STUCK_AFTER:
            return f"the cycle under way has done nothing for {since:.0f} s"
        if not under_way and since > self._poll_seconds + STUCK_AFTER:
            return f"no cycle has begun for {since:.0f} s"
        return None
