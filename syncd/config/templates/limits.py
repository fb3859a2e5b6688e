"""Limit the resources of one rendering of a template.

There are limits for the processor time of the rendering thread, the printed characters, the nesting of calls,
and the size of any text, list and number that an operator, a filter or a call makes. Every turn of a loop,
call, filter, operator and output checks the time. Templates belong to the operator: the limits stop mistakes,
not malice.
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
"""Characters of one rendering."""
LONGEST_TEXT = 65_536
"""Characters of one value."""
LONGEST_LIST = 10_000
LARGEST_NUMBER = 2**63
DEEPEST_CALLS = 50
"""Nested calls: a macro that calls itself ends here, long before Python's own limit."""

Anything = TypeVar("Anything")


class LimitReached(TemplateRuntimeError):
    """A rendering reached one of its limits."""


_DEADLINE: ContextVar[float] = ContextVar("template_deadline")
"""The thread's processor time at which its rendering must end."""

_DEPTH: ContextVar[int] = ContextVar("template_call_depth", default=0)
"""The number of nested calls of this rendering."""


@contextmanager
def limited() -> Iterator[None]:
    """Give the renderings inside this block `MOST_SECONDS` of the thread's processor time."""
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
    """Count a nested call; raise `LimitReached` if calls are nested too deeply."""
    depth = _DEPTH.get() + 1
    if depth > DEEPEST_CALLS:
        raise LimitReached(f"it nests more than {DEEPEST_CALLS} calls")
    token = _DEPTH.set(depth)
    try:
        yield
    finally:
        _DEPTH.reset(token)


def joined(pieces: Iterable[str]) -> str:
    """Return the pieces that a template, block or macro prints as one text; raise `LimitReached`."""
    parts, printed = [], 0
    for piece in pieces:
        check_time()
        printed += len(piece)
        if printed > MOST_OUTPUT:
            raise LimitReached(f"it prints more than {MOST_OUTPUT} characters")
        parts.append(piece)
    return "".join(parts)


def sized(value: Anything) -> Anything:
    """Return the value; raise `LimitReached` if it is a text, list or number beyond the limits."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise LimitReached(f"it makes a text of more than {LONGEST_TEXT} characters")
    elif isinstance(value, (list, tuple, dict, range)):
        if len(value) > LONGEST_LIST:
            raise LimitReached(f"it makes a list of more than {LONGEST_LIST} entries")
    elif isinstance(value, (int, float)) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
        raise LimitReached("it makes a number that is too large")
    return value
