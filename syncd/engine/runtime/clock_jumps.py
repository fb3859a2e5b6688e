"""Notice when somebody sets the system's wall clock: wall time and boot time part."""

from __future__ import annotations

from threading import Lock

from syncd.domain.clock import Clock

LEAST = 1.0
"""Seconds; the adjustments of a time daemon stay far below it."""


class ClockJumps:
    """Compares wall time with boot time; safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._apart = self._wall_minus_boot()

    def latest(self) -> float:
        """Return by how many seconds the clock was set since the last call; negative: it was set back."""
        with self._lock:
            apart = self._wall_minus_boot()
            jump = apart - self._apart
            if abs(jump) < LEAST:
                return 0.0
            self._apart = apart
            return jump

    def _wall_minus_boot(self) -> float:
        while True:
            before = self._clock.boottime()
            apart = self._clock.now().timestamp() - before
            # this thread may have waited in between, which looks as if the clock was set
            if self._clock.boottime() - before < LEAST / 2:
                return apart
