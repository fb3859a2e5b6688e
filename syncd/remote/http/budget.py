"""Limit how fast syncd asks: budgets below each service's limits, and the limits that services tell.

PagerDuty allows 960 requests a minute; 15 a second with 60 saved up never exceed that in any minute. If
others use the same token, PagerDuty's headers tell syncd what is left of the minute. Jira's burst limits
start at 50 a second; it allows 20 writes to one issue in 2 s and 100 in 30 s; Data Center tells its rate.

Each class of requests (`lanes`) leaves its share of every budget to graver classes. A class without budget
waits, at most until the window's reset; the service stays healthy and no other class waits with it. Where
several texts wait at the same time, they leave together: requests, decisions and commits of one moment cost
less than the same ones spread over a second. A lone text waits for nobody.

After a 429 all requests of its reach (an issue, an endpoint, the service) pause for the time that the service
names, or for a time that doubles with each refusal. No pause is obeyed blindly: after a minute one request a
minute asks if it still holds. A limit that lasts longer than a minute is logged once, shown by `status`, and
logged once when it is over.

A write takes its budget before its operation is committed as in flight: `take` first, then `with prepaid():`
around the call, which lets exactly one request pass without taking again. All other requests take their
budget in the transport. All times here are `boottime` seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock

from loguru import logger

from syncd.domain.base import SERVICE_NAMES
from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.lanes import Lane, asking
from syncd.remote.http.places import (
    ISSUE_WRITES,
    WINDOW_SECONDS,
    Bucket,
    IssueWrites,
    Place,
    Rate,
    Window,
)

SLOW_SHARE = 0.1
FIRST_PAUSE, LONGEST_UNNAMED = 5.0, 60.0
"""Seconds of the first and of the longest pause after a 429 that names no time."""
LONGEST_PAUSE = 3600.0
PROBE_EVERY = 60.0
"""Seconds between two requests that ask if a long pause still holds."""
LASTING = 60.0
"""Seconds after which a limit is logged and shown."""
FORGOTTEN_AFTER = 300.0
"""Seconds after the end of a pause; if nobody asked since, the limit counts as over."""
YIELDS_FOR = 35.0
"""Seconds for which other classes let a refused request of the first class go before them: a poll's pause."""
RATES = {"pagerduty": Rate(15, 60), "jira": Rate(50, 50), "events": Rate(1, 20)}

NO_SHARE = "its share of the rate budget is used up"
LIMITED = "the service limits our requests"


@dataclass
class _Limit:
    """A limit that a service told; `until` is the end of its pause, `probe_at` the next early question."""

    began: float
    since: datetime
    until: float
    until_at: datetime
    probe_at: float
    refusals: int = 0
    probing: bool = False
    logged: bool = False

    def wait(self, now: float, *, may_probe: bool) -> float:
        """Return the seconds until a request may pass; 0 if now."""
        return max(0.0, (min(self.until, self.probe_at) if may_probe else self.until) - now)


class Budget:
    """The budgets and limits of all services, shared by all threads."""

    def __init__(self, clock: Clock, rates: Mapping[str, Rate] = RATES, *, stop: Event | None = None) -> None:
        self._clock = clock
        self._stop = stop or Event()
        self._lock = Lock()
        now = clock.boottime()
        self._fast = {service: Bucket(rate, now) for service, rate in rates.items()}
        self._slow = {
            service: Bucket(
                Rate(rate.per_second * SLOW_SHARE, max(1.0, rate.burst * SLOW_SHARE)), now, shared=False
            )
            for service, rate in rates.items()
        }
        self._windows: dict[str, Window] = {}
        self._issues: dict[str, IssueWrites] = {}
        self._limits: dict[tuple[str, str], _Limit] = {}
        self._wanted: dict[str, float] = {}

    def add(self, service: str, rate: Rate) -> None:
        """Limit the requests to a further service to this rate."""
        with self._lock:
            self._fast.setdefault(service, Bucket(rate, self._clock.boottime()))

    def take(self, service: str, *, issue: str = "", endpoint: str = "") -> None:
        """Wait for the right to send one request of this thread's class to the service, then return.

        `issue` is set for writes to a Jira issue; `endpoint` is `Route.endpoint` where known. Raise
        `NotDone(LIMITED)`, with nothing taken, where the wait would exceed the thread's patience, or when the
        process stops meanwhile.
        """
        waited, patience = 0.0, asking().patience
        texts = self._fast.get(service) if asking().lane is Lane.TEXT else None
        if texts is not None:
            with self._lock:
                texts.asks(1)
        try:
            while True:
                wait, why = self._try(service, issue, endpoint)
                if not wait:
                    return
                if waited + wait > patience:
                    self._refuse(service, wait)
                    raise _later(service, wait, why)
                if self._clock.sleep(wait, self._stop):
                    raise _later(service, wait, "stopping")
                waited += wait
        except BaseException:
            if texts is not None:
                with self._lock:
                    texts.asks(-1)
            raise

    def check(self, service: str, endpoint: str) -> None:
        """Raise `NotDone(LIMITED)` while the service limits requests to this endpoint."""
        with self._lock:
            now = self._clock.boottime()
            wait = self._limited(service, (endpoint,), now)
            if not wait:
                self._probe(service, (endpoint,), now)
        if wait:
            raise _later(service, wait, LIMITED)

    def wait_for(self, service: str, *, issue: str = "", endpoint: str = "") -> float:
        """Return the seconds until a request of this thread's class may leave; 0 if now."""
        with self._lock:
            return self._wait(service, issue, endpoint, self._clock.boottime())[0]

    def refused(self, service: str, told: float | None, scope: str = "") -> None:
        """Pause requests to a service, or only those of a scope (an issue's id, an endpoint).

        `told` is the time in seconds that the service named; None: it named none.
        """
        with self._lock:
            now, key = self._clock.boottime(), (service, scope)
            limit = self._limits.get(key)
            if limit is None or now - limit.until > FORGOTTEN_AFTER:
                limit = self._limits[key] = _Limit(now, self._clock.now(), now, self._clock.now(), now)
            if now >= limit.until or limit.probing:
                limit.refusals += 1
                own = min(LONGEST_UNNAMED, FIRST_PAUSE * 2.0 ** (limit.refusals - 1))
                # a service that refuses again at once after the time that it named is asked less often
                pause = own if told is None else max(told, own if limit.refusals > 1 else 0.0)
                limit.until, limit.probe_at, limit.probing = now, now + PROBE_EVERY, False
            else:
                # the answer to a request that left before the pause began
                pause = told or 0.0
            limit.until = max(limit.until, now + min(LONGEST_PAUSE, pause))
            limit.until_at = self._clock.now() + timedelta(seconds=limit.until - now)
            if not scope and service in self._fast:
                self._fast[service].empty_until(limit.until)
            news = not limit.logged and limit.until - limit.began > LASTING
            limit.logged = limit.logged or news
        if news:
            logger.warning("{}", _words(service, scope, limit))

    def answered(self, service: str, *, issue: str = "", endpoint: str = "") -> None:
        """Note that the service carried out a request: limits whose pause is over have ended."""
        if not self._limits:
            return
        with self._lock:
            now = self._clock.boottime()
            over = [
                (service, scope)
                for scope in {"", issue, endpoint}
                if (limit := self._limits.get((service, scope))) and (limit.probing or now >= limit.until)
            ]
            ended = [(key, self._limits.pop(key)) for key in over]
            if (service, "") in over and service in self._fast:
                self._fast[service].fill_from(now)
        self._log_end(ended)

    def lasting(self) -> list[str]:
        """Return a line about each limit that lasts longer than a minute, for `status`."""
        with self._lock:
            now = self._clock.boottime()
            over = [key for key, limit in self._limits.items() if now - limit.until > FORGOTTEN_AFTER]
            ended = [(key, self._limits.pop(key)) for key in over]
            lines = [_words(*key, limit) for key, limit in self._limits.items() if limit.logged]
        self._log_end(ended)
        return sorted(lines)

    def learn(self, service: str, left: float, reset: float, limit: float | None = None) -> None:
        """Note that the service allows `left` of `limit` requests for the next `reset` seconds."""
        bucket = self._fast.get(service)
        if bucket is None:
            return
        with self._lock:
            until = self._clock.boottime() + min(WINDOW_SECONDS, reset)
            whole = limit if limit is not None else bucket.own.per_second * WINDOW_SECONDS
            window = self._windows.get(service)
            self._windows[service] = window.told(whole, left, until) if window else Window(whole, left, until)

    def learn_rate(self, service: str, rate: Rate) -> None:
        """Keep to the rate that the service tells, if it is slower than ours."""
        with self._lock:
            if service in self._fast:
                self._fast[service].slow_to(rate)

    def _try(self, service: str, issue: str, endpoint: str) -> tuple[float, str]:
        """Take one request if it may leave now; return the seconds to wait, and the reason."""
        with self._lock:
            now = self._clock.boottime()
            wait, why = self._wait(service, issue, endpoint, now)
            if wait:
                return wait, why
            for place in self._places(service, issue):
                place.take()
            if asking().lane is Lane.TEXT and service in self._fast:
                self._fast[service].leaves()
            self._probe(service, {"", issue, endpoint}, now)
            if asking().lane is Lane.FIRST:
                self._wanted.pop(service, None)
            return 0.0, ""

    def _wait(self, service: str, issue: str, endpoint: str, now: float) -> tuple[float, str]:
        which = asking().lane
        limited = self._limited(service, {"", issue, endpoint}, now)
        own = max((place.wait(now, which) for place in self._places(service, issue)), default=0.0)
        if which is not Lane.FIRST:
            own = max(own, self._wanted.get(service, 0.0) - now)
        return (limited, LIMITED) if limited >= own else (own, NO_SHARE)

    def _limited(self, service: str, scopes: Iterable[str], now: float) -> float:
        first = asking().lane is Lane.FIRST
        # only a poll, or what is as grave, asks if a limit of the whole service still holds
        return max(
            (
                limit.wait(now, may_probe=first or bool(scope))
                for scope in scopes
                if (limit := self._limits.get((service, scope)))
            ),
            default=0.0,
        )

    def _probe(self, service: str, scopes: Iterable[str], now: float) -> None:
        for scope in scopes:
            limit = self._limits.get((service, scope))
            if limit and now < limit.until:
                limit.probing, limit.probe_at = True, now + PROBE_EVERY
                if not scope and service in self._fast:
                    self._fast[service].empty_until(limit.until)

    def _refuse(self, service: str, wait: float) -> None:
        # a poll comes back soon, and finds the budget that lesser requests would have used up before it
        if asking().lane is Lane.FIRST:
            with self._lock:
                until = self._clock.boottime() + min(wait, WINDOW_SECONDS) + YIELDS_FOR
                self._wanted[service] = until

    def _places(self, service: str, issue: str) -> list[Place]:
        places: list[Place] = []
        if service in self._fast:
            places.append(self._fast[service])
            if asking().lane is Lane.SLOW and service in self._slow:
                places.append(self._slow[service])
        if service in self._windows:
            places.append(self._windows[service])
        if issue:
            places.append(self._issues.setdefault(issue, IssueWrites()))
            self._forget_quiet_issues(issue)
        return places

    def _forget_quiet_issues(self, kept: str) -> None:
        # a busy site has more issues than memory should hold
        if len(self._issues) <= 1000:
            return
        old = self._clock.boottime() - max(seconds for _, seconds in ISSUE_WRITES)
        for issue, writes in list(self._issues.items()):
            if issue != kept and writes.is_quiet(old):
                del self._issues[issue]

    def _log_end(self, ended: Iterable[tuple[tuple[str, str], _Limit]]) -> None:
        for (service, scope), limit in ended:
            if limit.logged:
                logger.info(
                    "{} no longer limits {}; it did since {:%H:%M:%S} UTC",
                    SERVICE_NAMES.get(service, service),
                    _reach(scope),
                    limit.since,
                )


def _words(service: str, scope: str, limit: _Limit) -> str:
    return (
        f"{SERVICE_NAMES.get(service, service)} limits {_reach(scope)} since {limit.since:%H:%M:%S} UTC,"
        f" until {limit.until_at:%H:%M:%S} UTC; syncd asks once a minute if that still holds"
    )


def _reach(scope: str) -> str:
    if not scope:
        return "our requests"
    return f"requests like {scope}" if " " in scope else f"writes to issue {scope}"


def _later(service: str, seconds: float, why: str) -> NotDone:
    return NotDone(
        service,
        "waiting for the rate budget",
        Cause.LIMITED,
        why,
        # a longer pause may end with any probe
        retry_after=min(seconds, PROBE_EVERY),
        scope="service",
    )
