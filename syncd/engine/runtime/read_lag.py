"""How long it takes until Jira shows what we made: in its search, and in its bulk reads.

Measured on every create, at the polls' pace: a figure says "at most this long". Nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from syncd.domain.clock import Clock

MOST_AWAITED = 1_000
LONGEST_AWAITED = 86_400.0
"""Seconds after which what was made and never seen is forgotten."""
INDEX, BULK = "index", "bulk"


class ReadLags:
    """Delays between a create's answer and the first time that it was seen, by way of seeing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._awaited: dict[str, dict[str, float]] = {INDEX: {}, BULK: {}}
        self._delays: dict[str, list[float]] = {INDEX: [], BULK: []}

    def made(self, issue_id: str) -> None:
        """Jira has answered our create."""
        now = self._clock.boottime()
        with self._lock:
            for awaited in self._awaited.values():
                awaited[issue_id] = now
                first = next(iter(awaited))
                if len(awaited) > MOST_AWAITED or now - awaited[first] > LONGEST_AWAITED:
                    del awaited[first]

    def seen(self, way: str, issue_ids: Iterable[str]) -> None:
        """Jira has shown these."""
        now = self._clock.boottime()
        with self._lock:
            awaited, delays = self._awaited[way], self._delays[way]
            if awaited:
                delays += [now - awaited.pop(one) for one in issue_ids if one in awaited]

    def take(self, way: str) -> list[float]:
        """The delays since the last call, in seconds."""
        with self._lock:
            delays, self._delays[way] = self._delays[way], []
        return delays
