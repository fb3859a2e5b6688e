"""The sandbox's time: a clock that stands still or follows another one, and that can be moved.

Both services read one clock, so that a story, a test or a person at the control port can let hours pass in
a moment. A clock over a fixed moment stands still until it is moved; a clock over another clock runs on
with it at a distance.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


class SandboxClock:
    """A clock in aware UTC over `base`: a moment (it stands still) or another clock (it runs with it)."""

    def __init__(self, base: datetime | Clock) -> None:
        """Start at `base`, or at what `base` says. Raise ValueError for a moment without a time zone."""
        if isinstance(base, datetime):
            if base.tzinfo is None:
                raise ValueError("a sandbox clock needs an aware moment")
            moment = base.astimezone(UTC)
            self._base: Clock = lambda: moment
            self.running = False
        else:
            self._base = base
            self.running = True
        self._ahead = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present moment of the sandbox, in UTC."""
        with self._lock:
            return self._base().astimezone(UTC) + self._ahead

    __call__ = now

    def advance(self, seconds: float) -> datetime:
        """Move ahead by `seconds` and return the new present. Raise ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("sandbox time never goes back")
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
            return self._base().astimezone(UTC) + self._ahead

    def set(self, moment: datetime) -> datetime:
        """Move ahead to `moment`. Raise ValueError if it is naive or lies in the sandbox's past."""
        if moment.tzinfo is None:
            raise ValueError("a sandbox clock needs an aware moment")
        return self.advance((moment - self.now()).total_seconds())
