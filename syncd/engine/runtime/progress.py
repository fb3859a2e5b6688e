"""How far something long has come: shown where somebody looks, else a line in the log every ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from loguru import logger

from syncd.domain.clock import Clock

EVERY_SECONDS = 10.0
"""Seconds between two lines about the same thing; what is over sooner is never mentioned."""


class Progress:
    """Counts of what is under way, by their words; `show` gets every one of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._said: dict[str, float] = {}
        self._mentioned: set[str] = set()
        self.show: Callable[[str, int, int], None] | None = None

    def report(self, what: str, done: int, total: int) -> None:
        """`done` of `total` have come to their end."""
        with self._lock:
            line = self._worth_a_line(what, done >= total)
        if self.show is not None:
            self.show(what, done, total)
        elif line:
            logger.info("{}: {} of {}", what, done, total)

    def _worth_a_line(self, what: str, over: bool) -> bool:
        now = self._clock.boottime()
        since = self._said.setdefault(what, now)
        due = now - since >= EVERY_SECONDS
        if due:
            self._said[what] = now
            self._mentioned.add(what)
        if over:
            self._said.pop(what, None)
            due = due or what in self._mentioned
            self._mentioned.discard(what)
        return due
