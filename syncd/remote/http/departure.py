"""The last check before the first byte of a write: may this process still send it?

Two daemons may share one ledger, and one of them leads. A process that was stopped or cut off between the
claim of an operation and its request would send what the new leader sends, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from syncd.remote.errors import TooLate

WhyNotSend = Callable[[float | None], str | None]
"""Returns why no write may leave now, None if it may; given the boot time of its claim, if it has one."""

_claimed_at: ContextVar[float | None] = ContextVar("claimed_at", default=None)


@contextmanager
def departing(claimed_at: float) -> Iterator[None]:
    """Note for this thread's requests within the block when their operation was claimed (boot time)."""
    token = _claimed_at.set(claimed_at)
    try:
        yield
    finally:
        _claimed_at.reset(token)


def departure(why_not_send: WhyNotSend | None, service: str, request: str) -> Callable[[], None] | None:
    """Return the check that a write passes directly before its first byte; it raises `TooLate`.

    None where nothing can end this process's right to write.
    """
    if why_not_send is None:
        return None
    claimed_at = _claimed_at.get()

    def check() -> None:
        why = why_not_send(claimed_at)
        if why is not None:
            raise TooLate(service, request, why)

    return check
