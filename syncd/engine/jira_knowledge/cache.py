"""Keep what was learned in memory for a while, for all threads."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

from syncd.domain.clock import Clock

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Answers by what was asked, each believed for `seconds` of the boot-time clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._lock = Lock()
        self._answers: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> tuple[Value] | None:
        """Return the answer that is at hand, None where there is none or it is too old."""
        with self._lock:
            known = self._answers.get(key)
        if known is None or self._clock.boottime() - known[0] >= self._seconds:
            return None
        return (known[1],)

    def keep(self, key: Key, value: Value) -> Value:
        """Keep an answer of now, and return it."""
        with self._lock:
            self._answers[key] = self._clock.boottime(), value
        return value

    def drop(self, key: Key) -> None:
        """Forget one answer."""
        with self._lock:
            self._answers.pop(key, None)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()
