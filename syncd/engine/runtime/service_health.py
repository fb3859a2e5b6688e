"""Whether a service is worth asking: one that is down is waited for, and said once.

After a failure that concerns the whole service the next attempt waits, doubling up to five minutes.
A refused credential stops that service altogether until a probe by the next cycle is let through, five
minutes later, and is an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from loguru import logger

from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone, RemoteError

LONGEST_PAUSE = 300.0
"""Seconds between two attempts at a service that is down."""
FIRST_PAUSE = 5.0
FAILURES_IN_A_ROW = 3
"""Failures of single requests, without a success between, that count as the service being down."""

_AT_ONCE = (Cause.UNREACHABLE, Cause.CREDENTIALS, Cause.REDIRECT)
_COUNTED = (Cause.SERVER, Cause.TIMEOUT, Cause.BROKEN)


@dataclass
class ServiceHealth:
    """What is known of one service now; `down_since` is None while it is well."""

    name: str
    down_since: datetime | None = None
    cause: Cause | None = None
    words: str = ""
    failures: int = 0
    pause: float = 0.0
    next_try: float = 0.0


class Health:
    """The health of all services, fed by every answer and every failure."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._services: dict[str, ServiceHealth] = {}

    def of(self, service: str) -> ServiceHealth:
        """One service's record."""
        with self._lock:
            return self._services.setdefault(service, ServiceHealth(service))

    def may_ask(self, service: str) -> bool:
        """Whether a request to the service may leave now."""
        record = self.of(service)
        return record.down_since is None or self._clock.boottime() >= record.next_try

    def check(self, service: str) -> None:
        """Raise `NotDone` with `Cause.PAUSED` while the service is not to be asked."""
        if not self.may_ask(service):
            record = self.of(service)
            raise NotDone(service, "not asked", Cause.PAUSED, f"it is waited for: {record.words}")

    def wait(self, service: str) -> float:
        """Seconds until the service may be asked again."""
        record = self.of(service)
        if record.down_since is None:
            return 0.0
        return max(0.0, record.next_try - self._clock.boottime())

    def succeeded(self, service: str) -> None:
        """A request was answered."""
        record = self.of(service)
        if record.down_since is not None:
            logger.info("{} answers again (it did not since {:%H:%M:%S} UTC)", service, record.down_since)
        with self._lock:
            record.down_since, record.cause, record.words = None, None, ""
            record.failures, record.pause, record.next_try = 0, 0.0, 0.0

    def failed(self, service: str, error: RemoteError) -> None:
        """A request failed: count it, and pause the service where the failure is the service's."""
        if error.cause not in _AT_ONCE and error.cause not in _COUNTED and error.cause is not Cause.LIMITED:
            return
        if error.scope == "message":
            return  # a mailbox that is full says nothing about the server
        record = self.of(service)
        with self._lock:
            record.failures += 1
            if error.cause in _COUNTED and record.failures < FAILURES_IN_A_ROW:
                return
            first = record.down_since is None
            record.down_since = record.down_since or self._clock.now()
            record.cause, record.words = error.cause, error.describe()
            record.pause = self._next_pause(record.pause, error)
            record.next_try = self._clock.boottime() + record.pause
        if first and error.cause is not Cause.LIMITED:
            logger.error("{} is not usable: {}", service, error.describe())

    @staticmethod
    def _next_pause(pause: float, error: RemoteError) -> float:
        if error.cause in (Cause.CREDENTIALS, Cause.REDIRECT):
            return LONGEST_PAUSE
        doubled = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
        return max(doubled, error.retry_after or 0.0)

    def down(self) -> list[ServiceHealth]:
        """The services that are not usable now."""
        with self._lock:
            return [record for record in self._services.values() if record.down_since is not None]
