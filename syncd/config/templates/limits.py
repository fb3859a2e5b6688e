"""How much one rendering of a template may use, whatever the template says.

Bounded are the steps (each output, turn of a loop, call and filter is one), the processor time of the
rendering thread (looked at with every step), the characters printed (captured blocks and macros
included), and the length of any text, list and number that an operator or a filter makes. A step works
on values that are bounded, so no single one can run away. Not bounded: comparing lists that a template
nested into each other itself.
"""

from __future__ import annotations

import time  # noqa: TID251 - processor time of the thread, not the time of day
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from jinja2.exceptions import TemplateRuntimeError

MOST_STEPS = 50_000
MOST_SECONDS = 2.0
"""Processor time of one rendering; a ticket takes a few milliseconds."""
MOST_OUTPUT = 262_144
LONGEST_TEXT = 65_536
LONGEST_LIST = 10_000
LARGEST_NUMBER = 2**63

Anything = TypeVar("Anything")


class LimitReached(TemplateRuntimeError):
    """A rendering asked for more than it may have."""


class _Account:
    def __init__(self) -> None:
        self.steps = self.printed = 0
        self.until = time.thread_time() + MOST_SECONDS


_ACCOUNT: ContextVar[_Account | None] = ContextVar("template_account", default=None)


@contextmanager
def limited() -> Iterator[None]:
    """What is rendered inside, in this thread, has one set of limits."""
    token = _ACCOUNT.set(_Account())
    try:
        yield
    finally:
        _ACCOUNT.reset(token)


def step(printed: int = 0) -> None:
    """Count a step and the characters that it prints; raises `LimitReached`.

    Outside of a rendering nothing is counted: a template that is compiled folds its constants.
    """
    account = _ACCOUNT.get()
    if account is None:
        return
    account.steps += 1
    account.printed += printed
    if account.steps > MOST_STEPS or time.thread_time() > account.until:
        raise LimitReached("it takes too long")
    if account.printed > MOST_OUTPUT:
        raise LimitReached(f"it prints more than {MOST_OUTPUT} characters")


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
