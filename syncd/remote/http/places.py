"""The places of a budget: token buckets, a service's own window, the writes to one issue.

Each place tells how long a request of a class has to wait, and takes one request when all places let it pass.
A request that waits holds nothing: it asks again when its time has come, and a graver one may pass it. All
times are `boottime` seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from syncd.remote.http.lanes import LEFT, Lane

LEAST_WAIT = 0.001
"""Seconds; a shorter wait would not move a clock that counts microseconds."""
_ROUNDED = 1e-6
WINDOW_SECONDS = 60.0
"""The longest window that a service counts by, whatever it tells: PagerDuty's is a minute."""
SAME_WINDOW = 2.0
"""Seconds by which two answers may differ about the end of the same window: services tell whole seconds."""
ISSUE_WRITES = ((20, 2.0), (100, 30.0))
"""Jira's per-issue limits: the number of writes, and within how many seconds."""
GATHERED = 1.0
"""Seconds whose tokens texts wait for at most to leave together."""


@dataclass(frozen=True)
class Rate:
    """A rate: `per_second` requests for ever, `burst` at once."""

    per_second: float
    burst: float


class Place(Protocol):
    """A count that each request must pass."""

    def wait(self, now: float, lane: Lane) -> float:
        """Return the seconds until a request of this class may pass; 0 if now."""
        ...

    def take(self) -> None:
        """Count one request."""
        ...


@dataclass
class Bucket:
    """A token bucket; `shared` says that classes leave their shares of it untouched.

    `texts` is the number of texts that ask at the same time; `together` of them may still leave with those
    that have left.
    """

    own: Rate
    at: float
    shared: bool = True
    texts: int = 0
    together: int = 0
    rate: Rate = field(init=False)
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.rate, self.tokens = self.own, self.own.burst

    def wait(self, now: float, lane: Lane) -> float:
        """Return the seconds until the bucket holds a token beyond the share that the class leaves.

        Texts wait for each other: for them it has to hold the tokens of all that leave together.
        """
        if now > self.at:
            self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_second)
            self.at = now
        left = LEFT[lane] * self.rate.burst if self.shared else 0.0
        wanted = self._company() if lane is Lane.TEXT and not self.together else 1
        lacking = min(self.rate.burst, left + wanted) - self.tokens
        if lacking <= _ROUNDED:
            return 0.0
        return max(LEAST_WAIT, self.at - now + lacking / self.rate.per_second)

    def take(self) -> None:
        """Take one token."""
        self.tokens -= 1

    def asks(self, texts: int) -> None:
        """Note that texts ask, or give up (negative)."""
        self.texts += texts

    def leaves(self) -> None:
        """Note that a text leaves, and how many may follow at once."""
        self.together = (self.together or self._company()) - 1
        self.texts -= 1

    def _company(self) -> int:
        return max(1, min(self.texts, int(self.rate.per_second * GATHERED)))

    def empty_until(self, until: float) -> None:
        """Leave one token, and fill no more before `until`: after a pause the gravest class goes first."""
        self.tokens, self.at = 1.0, max(self.at, until)

    def fill_from(self, now: float) -> None:
        """Fill again from now on: the pause ended early."""
        self.at = min(self.at, now)

    def slow_to(self, told: Rate) -> None:
        """Keep to the rate that the service tells, if it is slower than ours."""
        self.rate = Rate(min(self.own.per_second, told.per_second), max(1.0, min(self.own.burst, told.burst)))
        self.tokens = min(self.tokens, self.rate.burst)


@dataclass
class Window:
    """A service's own window, as its answers tell it: `left` of `limit` requests until `until`."""

    limit: float
    left: float
    until: float

    def wait(self, now: float, lane: Lane) -> float:
        """Return the seconds until the window ends, 0 while it has requests beyond the share left."""
        if now >= self.until or self.left - 1 >= LEFT[lane] * self.limit:
            return 0.0
        return max(LEAST_WAIT, self.until - now)

    def take(self) -> None:
        """Count one request."""
        self.left -= 1

    def told(self, limit: float, left: float, until: float) -> Window:
        """Return the window after another answer; answers of parallel requests come in any order."""
        same = abs(until - self.until) <= SAME_WINDOW and limit == self.limit
        return Window(limit, min(left, self.left) if same else left, until)


class IssueWrites:
    """The times of past writes to one issue."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=max(count for count, _ in ISSUE_WRITES))
        self._now = 0.0

    def wait(self, now: float, lane: Lane) -> float:
        """Return the seconds until another write keeps both limits and the share of graver writes."""
        self._now, free = now, now
        for count, seconds in ISSUE_WRITES:
            usable = max(1, int(count * (1 - LEFT[lane])))
            if len(self._moments) >= usable:
                free = max(free, self._moments[-usable] + seconds)
        return max(LEAST_WAIT, free - now) if free - now > _ROUNDED else 0.0

    def take(self) -> None:
        """Count one write now."""
        self._moments.append(self._now)

    def is_quiet(self, since: float) -> bool:
        """Return True if nobody wrote to the issue since that time."""
        return not self._moments or self._moments[-1] < since
