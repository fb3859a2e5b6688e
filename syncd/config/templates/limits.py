"""How much one rendering of a template may use, whatever the template says.

Bounded are the processor time of the rendering thread, the characters printed, and the length of any text,
list and number that an operator, a filter or a call makes. The time is checked at every turn of a loop, call,
filter, operator and output, and calls may be nested only so deep. Templates belong to the operator: the
limits stop mistakes, not malice.
"""

from __future__ import annotations

import time  # noqa: TID251 - processor time of the thread, not the time of day
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from jinja2.exceptions import TemplateRuntimeError

MOST_SECONDS = 2.0
"""Processor time of one rendering; a ticket takes a few milliseconds."""
MOST_OUTPUT = 262_144
LONGEST_TEXT = 65_536
LONGEST_LIST = 10_000
LARGEST_NUMBER = 2**63
DEEPEST_CALLS = 50
"""Calls inside calls: a macro that calls itself ends here, long before Python's own limit."""

Anything = TypeVar("Anything")


class LimitReached(TemplateRuntimeError):
    """A rendering asked for more than it may have."""


_DEADLINE: ContextVar[float] = ContextVar("template_deadline")
"""The thread's processor time at which its rendering is stopped."""

_DEPTH: ContextVar[int] = ContextVar("template_call_depth", default=0)
"""How many calls of this rendering are under way inside each other."""


@contextmanager
def limited() -> Iterator[None]:
    """Give what this thread renders inside `MOST_SECONDS` of processor time."""
    token = _DEADLINE.set(time.thread_time() + MOST_SECONDS)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def check_time() -> None:
    """Raise `LimitReached` if the rendering has used its time."""
    if time.thread_time() > _DEADLINE.get():
        raise LimitReached("it takes too long")


@contextmanager
def nested_call() -> Iterator[None]:
    """Count a call that runs inside; raises `LimitReached` where calls are nested too deep."""
    depth = _DEPTH.get() + 1
    if depth > DEEPEST_CALLS:
        raise LimitReached(f"it nests more than {DEEPEST_CALLS} calls")
    token = _DEPTH.set(depth)
    try:
        yield
    finally:
        _DEPTH.reset(token)


def joined(pieces: Iterable[str]) -> str:
    """Return what a template, block or macro prints as one text; raises `LimitReached` if it is too long."""
    parts, printed = [], 0
    for piece in pieces:
        check_time()
        printed += len(piece)
        if printed > MOST_OUTPUT:
            raise LimitReached(f"it prints more than {MOST_OUTPUT} characters")
        parts.append(piece)
    return "".join(parts)


def sized(value: Anything) -> Anything:
    """Return the value; raises `LimitReached` if it is a text, list or number beyond the limits."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise LimitReached(f"it makes a text of more than {LONGEST_TEXT} characters")
    elif isinstance(value, (list, tuple, dict, range)):
        if len(value) > LONGEST_LIST:
            raise LimitReached(f"it makes a list of more than {LONGEST_LIST} entries")
    elif isinstance(value, (int, float)) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
        raise LimitReached("it makes a number that is too large")
    return value
