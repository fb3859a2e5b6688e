"""The one door to time. Nothing in syncd asks the operating system for it elsewhere."""

from __future__ import annotations

from datetime import datetime
from threading import Event
from typing import Protocol


class Clock(Protocol):
    """Wall time for rules, boot time for waiting; a demo or a simulation injects its own."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC. It may be stepped by the system: never settle anything by it."""
        ...

    def boottime(self) -> float:
        """Seconds since boot, suspends included; comparable only under the same `boot_id`."""
        ...

    def boot_id(self) -> str:
        """Which boot `boottime` counts from."""
        ...

    def sleep(self, seconds: float, until: Event) -> bool:
        """Wait `seconds` (of this clock) or until the event is set; return whether it was set."""
        ...


def zone_word(local: datetime) -> str:
    """How people call the zone of a local time: its abbreviation, or `UTC+8` where it has none."""
    name = local.tzname() or "UTC"
    if name[0] not in "+-":
        return name
    hours, minutes = int(name[1:3]), name[3:]
    return f"UTC{name[0]}{hours}" + (f":{minutes}" if minutes else "")


def in_utc(moment: datetime) -> str:
    """A moment as people read it, to the minute: `2026-11-22 05:12 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
