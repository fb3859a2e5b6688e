"""The system's clock: the only place that asks the operating system for time."""

from __future__ import annotations

import time  # noqa: TID251 - the one implementation
from datetime import UTC, datetime
from pathlib import Path
from threading import Event


class SystemClock:
    """Wall time for rules, boot time (suspends included) for waiting."""

    def __init__(self) -> None:
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one implementation

    def boottime(self) -> float:
        """Return the seconds since boot, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return the id of this boot."""
        return self._boot_id

    def sleep(self, seconds: float, until: Event) -> bool:
        """Wait `seconds` or until the event is set; return True if it was set."""
        return until.wait(max(0.0, seconds))
