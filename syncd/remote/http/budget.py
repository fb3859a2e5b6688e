"""Limit how fast syncd asks: token buckets and pauses, below each service's limits so that none is hit.

PagerDuty allows 960 requests a minute; 15 a second with 60 saved up never exceed that in any minute. If
others use the same token, PagerDuty's headers slow syncd further. Jira's burst limits start at 50 a second;
it allows 20 writes to one issue in 2 s and 100 in 30 s. All threads keep a pause that a service asks for. The
slow lane (`slow_lane`) takes from the same bucket and from another a tenth as large, so that backfills and
sweeps never delay present incidents.

A write takes its budget before its operation is committed as in flight: `take` first, then `with prepaid():`
around the call, which lets exactly one request pass without taking again. All other requests take their
budget in the transport. All times here are `boottime` seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Event, Lock

from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone

SLOW_SHARE = 0.1
UNNAMED_PAUSE = 5.0
"""Seconds to pause after a 429 that names no time; callers double it with each try."""
LONGEST_WAIT = 30.0
"""Seconds that `take` waits before it raises instead."""


@dataclass(frozen=True)
class Rate:
    """A rate: `per_second` requests for ever, `burst` at once."""

    per_second: float
    burst: float


RATES = {"pagerduty": Rate(15, 60), "jira": Rate(50, 50)}
ISSUE_WRITES = ((20, 2.0), (100, 30.0))
"""Jira's per-issue limits: the number of writes, and within how many seconds."""

LEFT_BY_UPDATES, LEFT_BY_COMMENTS = 0.2, 0.4
"""Shares of the saved budget that stay untouched: creates come before updates, updates before comments."""

_slow: ContextVar[bool] = ContextVar("slow", default=False)
_prepaid: ContextVar[list[str] | None] = ContextVar("prepaid", default=None)


@contextmanager
def slow_lane() -> Iterator[None]:
    """Put this thread's requests within the block into the slow lane."""
    token = _slow.set(True)
    try:
        yield
    finally:
        _slow.reset(token)


@contextmanager
def prepaid() -> Iterator[None]:
    """Let this thread's next request within the block pass: `take` took its budget before."""
    token = _prepaid.set(["one"])
    try:
        yield
    finally:
        _prepaid.reset(token)


def use_prepaid() -> bool:
    """Use up what `prepaid` grants this thread; return False where nothing is left."""
    granted = _prepaid.get()
    return bool(granted and granted.pop())


@dataclass
class _Bucket:
    """A token bucket; tokens below zero are a place in the queue, from which the wait follows."""

    rate: Rate
    at: float
    tokens: float = field(init=False)
    slowed: float = field(init=False, default=0.0)
    slowed_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.tokens = self.rate.burst

    def speed(self, now: float) -> float:
        return self.slowed if now < self.slowed_until else self.rate.per_second

    def reserve(self, now: float, leave: float = 0.0) -> float:
        self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.speed(now)) - 1
        self.at = now
        return max(0.0, (leave * self.rate.burst - self.tokens) / self.speed(now))

    def give_back(self) -> None:
        self.tokens += 1


class _Window:
    """The times of past and coming writes to one issue."""

    def __init__(self) -> None:
        self.moments: deque[float] = deque(maxlen=max(count for count, _ in ISSUE_WRITES))

    def reserve(self, now: float, _leave: float = 0.0) -> float:
        moment = now
        for count, seconds in ISSUE_WRITES:
            if len(self.moments) >= count:
                moment = max(moment, self.moments[-count] + seconds)
        self.moments.append(moment)
        return moment - now

    def give_back(self) -> None:
        if self.moments:
            self.moments.pop()


class Budget:
    """The budgets and pauses of all services, shared by all threads."""

    def __init__(self, clock: Clock, rates: Mapping[str, Rate] = RATES, *, stop: Event | None = None) -> None:
        self._clock = clock
        self._stop = stop or Event()
        self._lock = Lock()
        now = clock.boottime()
        self._fast = {service: _Bucket(rate, now) for service, rate in rates.items()}
        self._slow = {
            service: _Bucket(Rate(rate.per_second * SLOW_SHARE, max(1.0, rate.burst * SLOW_SHARE)), now)
            for service, rate in rates.items()
        }
        self._issues: dict[str, _Window] = {}
        self._pauses: dict[tuple[str, str], float] = {}

    def take(
        self,
        service: str,
        *,
        issue: str = "",
        endpoint: str = "",
        leave: float = 0.0,
    ) -> None:
        """Wait for the right to send one request to the service, then return.

        `issue` is set for writes to a Jira issue; `endpoint` is `Route.endpoint` where known; `leave` is the
        share of the saved budget that this request leaves to more important ones: it waits instead. Raise
        `NotDone(LIMITED)`, with nothing taken, where the wait would exceed `LONGEST_WAIT` seconds, or when
        the process stops meanwhile.
        """
        places = self._places(service, issue)
        with self._lock:
            now = self._clock.boottime()
            wait = max(place.reserve(now, leave) for place in places) if places else 0.0
            wait = max(wait, self._paused(service, issue, endpoint, now))
        waited = 0.0
        while wait > 0:
            if waited + wait > LONGEST_WAIT:
                self._give_back(places)
                raise _later(service, wait, "the rate budget is used up, or the service asked for a pause")
            if self._clock.sleep(wait, self._stop):
                self._give_back(places)
                raise _later(service, wait, "stopping")
            waited += wait
            # a pause that began meanwhile holds also for requests that already waited
            wait = self.paused_for(service, issue=issue, endpoint=endpoint)

    def pause(self, service: str, seconds: float, scope: str = "") -> None:
        """Pause requests to a service, or only those of a scope (an issue's id, an endpoint)."""
        with self._lock:
            until = self._clock.boottime() + seconds
            self._pauses[service, scope] = max(until, self._pauses.get((service, scope), 0.0))

    def paused_for(self, service: str, *, issue: str = "", endpoint: str = "") -> float:
        """Return the seconds until syncd may ask the service (and the issue or endpoint) again; 0 if now."""
        with self._lock:
            return self._paused(service, issue, endpoint, self._clock.boottime())

    def learn(self, service: str, remaining: float, reset: float) -> None:
        """Slow down to the `remaining` requests that the service allows for the next `reset` seconds."""
        # others use the same token: nothing is left in this window
        if remaining <= 0:
            self.pause(service, reset)
            return
        bucket = self._fast.get(service)
        if bucket is None or reset <= 0:
            return
        with self._lock:
            now = self._clock.boottime()
            bucket.tokens = min(bucket.tokens, remaining)
            if remaining / reset < bucket.rate.per_second:
                bucket.slowed, bucket.slowed_until = remaining / reset, now + reset
            else:
                bucket.slowed_until = 0.0

    def _places(self, service: str, issue: str) -> list[_Bucket | _Window]:
        places: list[_Bucket | _Window] = []
        if service in self._fast:
            places.append(self._fast[service])
            if _slow.get():
                places.append(self._slow[service])
        if issue:
            with self._lock:
                places.append(self._issues.setdefault(issue, _Window()))
                self._forget_quiet_issues(issue)
        return places

    def _forget_quiet_issues(self, kept: str) -> None:
        # a busy site has more issues than memory should hold
        if len(self._issues) <= 1000:
            return
        old = self._clock.boottime() - max(seconds for _, seconds in ISSUE_WRITES)
        for issue, window in list(self._issues.items()):
            if issue != kept and (not window.moments or window.moments[-1] < old):
                del self._issues[issue]

    def _paused(self, service: str, issue: str, endpoint: str, now: float) -> float:
        if not self._pauses:
            return 0.0
        until = max(self._pauses.get((service, scope), 0.0) for scope in {"", issue, endpoint})
        if until <= now:
            for key in [key for key, end in self._pauses.items() if end <= now]:
                del self._pauses[key]
        return max(0.0, until - now)

    def _give_back(self, places: list[_Bucket | _Window]) -> None:
        with self._lock:
            for place in places:
                place.give_back()


def _later(service: str, seconds: float, why: str) -> NotDone:
    return NotDone(
        service,
        "waiting for the rate budget",
        Cause.LIMITED,
        why,
        retry_after=seconds,
        scope="service",
    )
