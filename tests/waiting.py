"""Waiting for what happens in another thread or process; no test asserts how long it takes."""

from __future__ import annotations

import time  # noqa: TID251 - real threads and processes are waited for
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""Seconds after which a test gives up; far more than a busy machine needs."""

Anything = TypeVar("Anything")


def wait_for(condition: Callable[[], Anything]) -> Anything:
    """Wait until `condition` returns something true and return it. Raise AssertionError after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        # Short enough not to slow a test, long enough to leave the processor to the daemon.
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def pause(seconds: float) -> None:
    """Let real time pass in which nothing may happen; on a slow machine the test only proves less."""
    time.sleep(seconds)
