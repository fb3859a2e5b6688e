"""Waiting for what happens in another thread or process; how long it takes is nobody's assertion."""

from __future__ import annotations

import time  # noqa: TID251 - real threads and processes are waited for
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""Seconds after which something counts as not happening; far more than a busy machine needs."""

Anything = TypeVar("Anything")


def wait_for(what: Callable[[], Anything]) -> Anything:
    """Wait until something holds and return it; fail if it does not happen in `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = what()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def pause(seconds: float) -> None:
    """Let real time pass in which nothing may happen; a slow machine only weakens the test."""
    time.sleep(seconds)
