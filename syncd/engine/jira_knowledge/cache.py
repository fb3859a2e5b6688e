"""Keep answers in memory for a limited time, for all threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from syncd.domain.clock import Clock

MANY = 10_000
"""Answers that memory may hold whatever their age."""

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass
class _Question:
    lock: Lock
    askers: int = 0


class Cache(Generic[Key, Value]):
    """Answers by their question; each counts for `seconds` on the boot-time clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._lock = Lock()
        self._answers: dict[Key, tuple[float, Value]] = {}
        self._new_lock: Callable[[], Lock] = Lock
        self._asking: dict[Key, _Question] = {}

    @contextmanager
    def asking(self, key: Key) -> Iterator[tuple[Value] | None]:
        """Hold a question while this thread asks it; yield what another one was answered meanwhile."""
        with self._lock:
            question = self._asking.setdefault(key, _Question(self._new_lock()))
            question.askers += 1
        try:
            with question.lock:
                yield self.get(key)
        finally:
            with self._lock:
                question.askers -= 1
                if not question.askers:
                    del self._asking[key]

    def get(self, key: Key) -> tuple[Value] | None:
        """Return the answer as a tuple of one (it may be None), None where it is missing or too old."""
        with self._lock:
            entry = self._answers.get(key)
        if entry is None or self._clock.boottime() - entry[0] >= self._seconds:
            return None
        return (entry[1],)

    def last(self, key: Key) -> Value | None:
        """Return the latest answer, whatever its age; None where there is none."""
        with self._lock:
            entry = self._answers.get(key)
        return entry[1] if entry is not None else None

    def keep(self, key: Key, value: Value) -> Value:
        """Keep an answer of now, and return it; of very many answers, forget those that are too old."""
        now = self._clock.boottime()
        with self._lock:
            self._answers[key] = now, value
            if len(self._answers) > MANY:
                self._answers = {
                    key: entry for key, entry in self._answers.items() if now - entry[0] < self._seconds
                }
        return value

    def expire(self) -> None:
        """Make all answers too old; `last` still returns them."""
        with self._lock:
            self._answers = {key: (float("-inf"), value) for key, (_, value) in self._answers.items()}

    def drop(self, key: Key) -> None:
        """Forget one answer."""
        with self._lock:
            self._answers.pop(key, None)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()
