"""What the listener asks of the daemon, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.engine.context import EngineContext
from syncd.engine.status import DaemonStatus, daemon_status
from syncd.ledger.open import instance_of
from syncd.remote.errors import Cause
from syncd.web.receive import Receiver

READY_FOR = timedelta(minutes=5)
"""A side that was read within this, or within three polls, is up to date."""


@dataclass
class Source:
    """The daemon as its listener sees it."""

    context: EngineContext
    good: Callable[[], dict[str, datetime]]
    receiver: Receiver
    poll_seconds: float

    def daemon_status(self) -> DaemonStatus:
        """How the daemon stands."""
        return daemon_status(self.context, self.good())

    def sick(self) -> str | None:
        """Why the process ought to be ended and started again; None: it is well."""
        stuck = self.context.watchdog.stuck()
        if stuck:
            return stuck
        try:
            instance_of(self.context.ledger)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger does not answer
            return f"the ledger does not answer: {type(error).__name__}"
        return None

    def up_to_date(self, good: dict[str, datetime]) -> bool:
        """Whether both sides were read lately."""
        limit = max(READY_FOR, timedelta(seconds=3 * self.poll_seconds))
        now = self.context.clock.now()
        return len(good) == 2 and all(now - at <= limit for at in good.values())

    def refused(self) -> set[str]:
        """The services that refuse our credentials."""
        return {one.name for one in self.context.health.down() if one.cause is Cause.CREDENTIALS}

    def expiring(self) -> dict[str, int]:
        """Days until each credential expires, below zero after it."""
        today = self.context.clock.now().date()
        return {name: (day - today).days for name, day in self.context.expires.items()}
