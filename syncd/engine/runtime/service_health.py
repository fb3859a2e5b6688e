"""Decide if syncd may ask a service now: it waits for a service that is down, and logs that once.

After a failure of the whole service syncd waits before the next attempt, up to five minutes, twice as long
each time. A refused credential stops all requests to that service for five minutes and raises an alarm; a
captcha does so for 15 minutes, or until the operator resumes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from threading import Lock

from loguru import logger

from syncd.domain.clock import Clock
from syncd.remote.advice import advice, with_advice
from syncd.remote.errors import Cause, NotDone, RemoteError
from syncd.remote.http.routes import route

LONGEST_PAUSE = 300.0
"""Seconds between two attempts at a service that is down."""
FIRST_PAUSE = 5.0
FAILURES_IN_A_ROW = 3
"""Failures of single requests, without a success between, that count as the service being down."""

_AT_ONCE = (Cause.UNREACHABLE, Cause.CREDENTIALS, Cause.REDIRECT)
_COUNTED = (Cause.SERVER, Cause.TIMEOUT, Cause.BROKEN)


@dataclass
class ServiceHealth:
    """The health of one service; `down_since` (UTC) is None while the service is healthy."""

    name: str
    down_since: datetime | None = None
    cause: Cause | None = None
    words: str = ""
    failures: int = 0
    pause: float = 0.0
    next_try: float = 0.0
    answered_at: float = -inf
    """The time of the last good answer on the boot-time clock."""
    broken: set[str] = field(default_factory=set)
    """The objects whose requests failed since the last good answer."""

    @property
    def told(self) -> str:
        """The last failure in words, with the next step."""
        step = advice(self.name, self.cause, self.words)
        return f"{self.words}; {step}" if step else self.words


class Health:
    """The health of all services; each answer and each failure updates it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._services: dict[str, ServiceHealth] = {}

    def of(self, service: str) -> ServiceHealth:
        """Return one service's record."""
        with self._lock:
            return self._services.setdefault(service, ServiceHealth(service))

    def may_ask(self, service: str) -> bool:
        """Return True if a request to the service may leave now."""
        record = self.of(service)
        return record.down_since is None or self._clock.boottime() >= record.next_try

    def check(self, service: str) -> None:
        """Raise `NotDone` with `Cause.PAUSED` while syncd may not ask the service."""
        if not self.may_ask(service):
            record = self.of(service)
            raise NotDone(service, "not asked", Cause.PAUSED, f"syncd waits for it: {record.words}")

    def wait(self, service: str) -> float:
        """Return the seconds until syncd may ask the service again."""
        record = self.of(service)
        if record.down_since is None:
            return 0.0
        return max(0.0, record.next_try - self._clock.boottime())

    def ask_again(self, service: str) -> None:
        """End the wait for a service that is down; its next answer decides."""
        record = self.of(service)
        with self._lock:
            record.pause, record.next_try = 0.0, 0.0

    def succeeded(self, service: str) -> None:
        """Note an answered request: the service is healthy."""
        record = self.of(service)
        if record.down_since is not None:
            logger.info("{} answers again; it was down since {:%H:%M:%S} UTC", service, record.down_since)
        with self._lock:
            record.down_since, record.cause, record.words = None, None, ""
            record.failures, record.pause, record.next_try = 0, 0.0, 0.0
            record.answered_at = self._clock.boottime()
            record.broken.clear()

    def answered(self, service: str, since: float) -> bool:
        """Return True if the service answered a request after a moment on the boot-time clock."""
        return self.of(service).answered_at > since

    def failed(self, service: str, error: RemoteError, *, whole: bool = False) -> None:
        """Count a failed request, and pause the service if the failure concerns the whole service.

        `whole`: syncd needs the answer for everything, so any failure concerns the whole service.
        """
        # the budget obeys a limit: it is no outage
        if error.cause is Cause.LIMITED:
            return
        # a refusal of one object (400, 404, …) tells nothing about the service
        if not whole and error.cause not in _AT_ONCE and error.cause not in _COUNTED:
            return
        record = self.of(service)
        with self._lock:
            broken = _object_of(error)
            # one broken object is no outage, however often syncd asks for it
            if record.down_since is None and error.cause in _COUNTED and broken in record.broken:
                return
            record.broken.update({broken} - {""})
            record.failures += 1
            # one broken answer is no outage
            if not whole and error.cause in _COUNTED and record.failures < FAILURES_IN_A_ROW:
                return
            first = record.down_since is None
            record.down_since = record.down_since or self._clock.now()
            record.cause, record.words = error.cause, error.describe()
            record.pause = self._next_pause(record.pause, error)
            record.next_try = self._clock.boottime() + record.pause
        if first:
            logger.error("{} is down, syncd tries again by itself: {}", service, with_advice(error))

    @staticmethod
    def _next_pause(pause: float, error: RemoteError) -> float:
        # trying a refused token often may lock the account
        if error.cause in (Cause.CREDENTIALS, Cause.REDIRECT):
            return max(LONGEST_PAUSE, error.retry_after or 0.0)
        # the budget obeys the time that a 503 names
        return min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))

    def down(self) -> list[ServiceHealth]:
        """Return the services that are down now."""
        with self._lock:
            return [record for record in self._services.values() if record.down_since is not None]


def _object_of(error: RemoteError) -> str:
    """Return the path of a request about one object, empty for a list."""
    method, _, path = error.request.partition(" ")
    return path if "{id}" in route(method, path).pattern else ""
