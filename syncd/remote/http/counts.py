"""Count requests and their outcomes: the figures behind metrics, `status` and the promise of quiet cycles."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple


class Asked(NamedTuple):
    """One kind of request with one outcome.

    `pattern` is the path with ids replaced by `{id}`; `outcome` is `ok` or the value of a `Cause`.
    """

    service: str
    method: str
    pattern: str
    outcome: str


class Tally(NamedTuple):
    """The number of requests, and their seconds in all."""

    requests: int
    seconds: float


class Counts:
    """Requests that left, by kind and outcome; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tallies: dict[Asked, Tally] = {}

    def add(self, asked: Asked, seconds: float) -> None:
        """Count one request that took `seconds`."""
        with self._lock:
            before = self._tallies.get(asked, Tally(0, 0.0))
            self._tallies[asked] = Tally(before.requests + 1, before.seconds + seconds)

    def snapshot(self) -> dict[Asked, Tally]:
        """Return a copy of all tallies since the start."""
        with self._lock:
            return dict(self._tallies)

    def total(self, service: str | None = None) -> int:
        """Return how many requests left, to one service or to all."""
        return sum(
            tally.requests for asked, tally in self.snapshot().items() if service in (None, asked.service)
        )
