"""Decide if the daemon's loop is running, for systemd's watchdog and `/healthz`.

A cycle that ends counts as running, also if a read failed: a restart mends no service that is down. A cycle
under way counts while its own thread makes progress (each request is a step) and it does not exceed the
limit. Other threads do not count: they may work while the loop hangs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident

from syncd.domain.clock import Clock

STUCK_AFTER = 180.0
"""Seconds without a step. One step is a request of 30 s at most, after a wait of 30 s for the budget."""
POLLS, LEAST_REST = 2, 30.0
"""The rest between two cycles after which the loop counts as stuck: in polls, and at least in seconds."""
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
        """The number of cycles that ended."""

    @contextmanager
    def cycle(self) -> Iterator[None]:
        """Measure one cycle of the calling thread."""
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
        """Note progress; it counts only in the cycle's own thread."""
        with self._lock:
            # a worker's request proves nothing about the loop
            if self._thread == get_ident():
                self._step = self._clock.boottime()

    def stuck(self) -> str | None:
        """Return why the loop counts as stuck, None while it is running."""
        now = self._clock.boottime()
        with self._lock:
            since, under_way = now - self._step, self._thread is not None
            whole = now - self._began
        if under_way and whole > LONGEST_CYCLE:
            return f"a cycle has been under way for {whole:.0f} s"
        if under_way and since > STUCK_AFTER:
            return f"the current cycle has made no progress for {since:.0f} s"
        if not under_way and since > max(POLLS * self._poll_seconds, LEAST_REST):
            return f"no cycle has begun for {since:.0f} s"
        return None
