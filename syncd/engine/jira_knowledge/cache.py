"""Keep answers in memory for a limited time, for all threads."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

from syncd.domain.clock import Clock

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Answers by their question; each counts for `seconds` on the boot-time clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._lock = Lock()
        self._answers: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> tuple[Value] | None:
        """Return the answer as a tuple of one (it may be None), None where it is missing or too old."""
        with self._lock:
            entry = self._answers.get(key)
        if entry is None or self._clock.boottime() - entry[0] >= self._seconds:
            return None
        return (entry[1],)

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
