"""Rate limits in sandbox time: token buckets and sliding windows.

With a clock that stands still nothing is ever refilled, as it must be: sandbox time is the only time here.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Bucket:
    """A token bucket: `rate` tokens a second up to `size`."""

    rate: float
    size: float
    tokens: float = field(init=False)
    at: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start full."""
        self.tokens = self.size

    def take(self, now: datetime) -> float:
        """Take one token and return 0, or take none and return the seconds until there is one."""
        if self.at is not None:
            self.tokens = min(self.size, self.tokens + (now - self.at).total_seconds() * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


@dataclass
class Window:
    """At most `limit` acts within any `seconds`."""

    limit: int
    seconds: float
    acts: deque[datetime] = field(init=False, default_factory=deque)

    def take(self, now: datetime) -> float:
        """Record an act and return 0, or record none and return the seconds until one is allowed."""
        start = now - timedelta(seconds=self.seconds)
        while self.acts and self.acts[0] <= start:
            self.acts.popleft()
        if len(self.acts) < self.limit:
            self.acts.append(now)
            return 0.0
        return (self.acts[0] - start).total_seconds()

    def left(self) -> int:
        """Return how many more acts are allowed now, as of the last `take`."""
        return self.limit - len(self.acts)
