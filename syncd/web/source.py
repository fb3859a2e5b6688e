"""The daemon as its listener sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.domain.base import SERVICE_NAMES
from syncd.domain.clock import second_in_utc
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.status import DaemonStatus, daemon_status
from syncd.ledger.store.identity import instance_of
from syncd.policy.time.time_words import long_words
from syncd.remote.errors import Cause
from syncd.report.state_page import Health, Side
from syncd.web.receive import Receiver

READY_FOR = timedelta(minutes=5)
"""A service that was read within this time, or within three polls, is up to date."""


@dataclass
class Source:
    """The questions that the listener asks the daemon; `good` returns the last good reads."""

    context: EngineContext
    good: Callable[[], dict[str, datetime]]
    receiver: Receiver
    poll_seconds: float

    def daemon_status(self) -> DaemonStatus:
        """Return the daemon's status."""
        return daemon_status(self.context, self.good())

    def sick(self) -> str | None:
        """Return why somebody must restart the process; None if it is healthy."""
        stuck = self.context.watchdog.stuck()
        if stuck:
            return stuck
        try:
            instance_of(self.context.ledger)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger does not answer
            return f"the ledger does not answer: {type(error).__name__}"
        return None

    def replaced(self) -> str | None:
        """Return why this daemon leads its ledger no more, None while it leads."""
        leadership = self.context.ledger.leadership
        return leadership.why_lost() if leadership is not None else None

    def may_not_write(self) -> str | None:
        """Return why this daemon sends no writes now, because another one may lead; None while it leads."""
        leadership = self.context.ledger.leadership
        return leadership.why_not_send(None) if leadership is not None else None

    def up_to_date(self, good: dict[str, datetime]) -> bool:
        """Return True if both services were read lately."""
        return len(good) == len(SERVICES) and all(self._lately(at) for at in good.values())

    def _lately(self, at: datetime) -> bool:
        limit = max(READY_FOR, timedelta(seconds=3 * self.poll_seconds))
        # a read in the future was made before the clock was set
        return timedelta() <= self.context.clock.now() - at <= limit

    def health(self) -> Health:
        """Return the daemon's health in words for the page of state."""
        return Health(tuple(self._side(service) for service in SERVICES), self.sick())

    def _side(self, service: str) -> Side:
        at, name = self.good().get(service), SERVICE_NAMES[service]
        if at is None:
            return Side(name, False, "not read yet since the daemon started")
        ago = self.context.clock.now() - at
        near = long_words(ago) if ago >= timedelta(minutes=2) else f"{max(0, int(ago.total_seconds()))} s"
        return Side(name, self._lately(at), f"last read {near} ago, {second_in_utc(at)}")

    def refused(self) -> set[str]:
        """Return the services that refuse our credentials."""
        return {service.name for service in self.context.health.down() if service.cause is Cause.CREDENTIALS}

    def expiring(self) -> dict[str, int]:
        """Return the days until each credential expires; negative after that day."""
        today = self.context.clock.now().date()
        return {name: (day - today).days for name, day in self.context.expires.items()}
