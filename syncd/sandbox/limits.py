"""Rate limits in sandbox time: token buckets and sliding windows.

While the sandbox's clock stands still, no limit recovers: only sandbox time counts here.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Bucket:
    """A token bucket: it gains `rate` tokens a second and holds `size` tokens at most."""

    rate: float
    size: float
    tokens: float = field(init=False)
    at: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start with a full bucket."""
        self.tokens = self.size

    def take(self, now: datetime) -> float:
        """Take one token and return 0, or take none and return the seconds until the next token."""
        # Refill for the time since the last request, never beyond the size.
        if self.at is not None:
            self.tokens = min(self.size, self.tokens + (now - self.at).total_seconds() * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


@dataclass
class Window:
    """At most `limit` requests within any `seconds`."""

    limit: int
    seconds: float
    requests: deque[datetime] = field(init=False, default_factory=deque)

    def take(self, now: datetime) -> float:
        """Record a request and return 0, or record none and return the seconds until the next is allowed."""
        start = now - timedelta(seconds=self.seconds)
        # Forget the requests that have left the window.
        while self.requests and self.requests[0] <= start:
            self.requests.popleft()
        if len(self.requests) < self.limit:
            self.requests.append(now)
            return 0.0
        return (self.requests[0] - start).total_seconds()

    def left(self) -> int:
        """Return how many more requests are allowed, as of the last `take`."""
        return self.limit - len(self.requests)
