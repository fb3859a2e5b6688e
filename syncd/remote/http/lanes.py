"""The classes of requests, the gravest first, and the share of each budget that a class leaves untouched.

`Lane` names the classes. `lane` puts a thread's requests into one; who works for what says so there, and the
budget asks nobody else. What a class leaves is always there for a graver one, so that no
storm of comments delays a poll, a notice or the ticket of a grave incident.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum

LONGEST_WAIT = 30.0
"""Seconds that a request waits for its budget where nobody else needs the thread."""
SHORT_WAIT = 3.0
"""Seconds that a worker or a poll waits; then its thread is free for others, and it comes back later."""


SLOW_WAIT = 90.0
"""Seconds that a backfill or a sweep waits: longer than any service's window."""


class Lane(IntEnum):
    """The class of a request."""

    FIRST = 0
    """Polls, notices, security levels, tickets of grave open incidents."""
    CREATE = 1
    """Other creates, and the reads before a decision."""
    UPDATE = 2
    """Moves, edits, links, changes of incidents; all that names no class."""
    TEXT = 3
    """Comments and notes."""
    SLOW = 4
    """Backfills and sweeps; they also have a bucket of their own."""


LEFT = {Lane.FIRST: 0.0, Lane.CREATE: 0.1, Lane.UPDATE: 0.2, Lane.TEXT: 0.4, Lane.SLOW: 0.5}
"""The share of every budget that a class leaves to graver classes."""


@dataclass(frozen=True)
class Asking:
    """The class of a thread's requests, and the seconds that each of them waits at most."""

    lane: Lane
    patience: float


UNNAMED = Asking(Lane.UPDATE, LONGEST_WAIT)
_asking: ContextVar[Asking] = ContextVar("asking", default=UNNAMED)
_prepaid: ContextVar[list[str] | None] = ContextVar("prepaid", default=None)


@contextmanager
def lane(which: Lane, patience: float | None = None) -> Iterator[None]:
    """Put this thread's requests within the block into a class.

    `patience` None: they wait as long as those around the block.
    """
    around = _asking.get()
    token = _asking.set(Asking(which, around.patience if patience is None else patience))
    try:
        yield
    finally:
        _asking.reset(token)


def slow_lane() -> AbstractContextManager[None]:
    """Put this thread's requests within the block into the slow lane."""
    return lane(Lane.SLOW, SLOW_WAIT)


def asking() -> Asking:
    """Return the class and the patience of this thread's next request."""
    return _asking.get()


@contextmanager
def prepaid() -> Iterator[None]:
    """Let this thread's next request within the block pass: `Budget.take` took its budget before."""
    token = _prepaid.set(["one"])
    try:
        yield
    finally:
        _prepaid.reset(token)


def use_prepaid() -> bool:
    """Use up what `prepaid` grants this thread; return False where nothing is left."""
    granted = _prepaid.get()
    return bool(granted and granted.pop())
