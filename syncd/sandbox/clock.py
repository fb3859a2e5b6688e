"""The sandbox's time: a clock that stands still or follows another clock, and that can be moved forward.

Both services read one clock, so a story, a test or a person at the control port can let hours pass at once. A
clock over a fixed time stands still until it is moved. A clock over another clock runs with it, ahead of it
by as much as it was moved.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


class SandboxClock:
    """A clock in aware UTC over `base`: a fixed time (it stands still) or another clock (it runs with it)."""

    def __init__(self, base: datetime | Clock) -> None:
        """Start at `base`, or at the present time of `base`. Raise ValueError for a time without a zone."""
        if isinstance(base, datetime):
            if base.tzinfo is None:
                raise ValueError("a sandbox clock needs a time with a time zone")
            start = base.astimezone(UTC)
            self._base: Clock = lambda: start
            self.running = False
        else:
            self._base = base
            self.running = True
        self._ahead = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present time of the sandbox, in UTC."""
        with self._lock:
            return self._base().astimezone(UTC) + self._ahead

    __call__ = now

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` and return the new time (UTC). Raise ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("sandbox time never moves back; give a number of seconds of 0 or more")
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
            return self._base().astimezone(UTC) + self._ahead

    def set(self, moment: datetime) -> datetime:
        """Move forward to `moment`. Raise ValueError if it has no time zone or lies in the past."""
        if moment.tzinfo is None:
            raise ValueError("a sandbox clock needs a time with a time zone")
        return self.advance((moment - self.now()).total_seconds())
