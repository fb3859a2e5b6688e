"""Report the progress of long work: on the screen of a command, else as a log line every ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from loguru import logger

from syncd.domain.clock import Clock

EVERY_SECONDS = 10.0
"""Seconds between two lines about the same work; shorter work gets no line."""


class Progress:
    """The counts of work under way, by its words; `show` gets each count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._logged_at: dict[str, float] = {}
        self._mentioned: set[str] = set()
        self.show: Callable[[str, int, int], None] | None = None

    def report(self, work: str, done: int, total: int) -> None:
        """Report that `done` of `total` are done; `work` names them, such as "incidents worked on"."""
        with self._lock:
            line = self._worth_a_line(work, done >= total)
        if self.show is not None:
            self.show(work, done, total)
        elif line:
            logger.info("{}: {} of {}", work, done, total)

    def _worth_a_line(self, work: str, over: bool) -> bool:
        now = self._clock.boottime()
        since = self._logged_at.setdefault(work, now)
        due = now - since >= EVERY_SECONDS
        if due:
            self._logged_at[work] = now
            self._mentioned.add(work)
        if over:
            self._logged_at.pop(work, None)
            # work that had a line gets a last one, so that the log shows its end
            due = due or work in self._mentioned
            self._mentioned.discard(work)
        return due
