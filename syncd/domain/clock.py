"""The clock that all of syncd uses. No other code asks the operating system for the time."""

from __future__ import annotations

from datetime import datetime
from threading import Event
from typing import Protocol


class Clock(Protocol):
    """Wall time for rules, boot time for waiting. The demo, the simulation and the tests inject their own."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC.

        The system may set it forward or back, so no unknown outcome is resolved by it.
        """
        ...

    def boottime(self) -> float:
        """Return the seconds since boot, suspends included; comparable only under the same `boot_id`."""
        ...

    def boot_id(self) -> str:
        """Return the id of the boot from which `boottime` counts."""
        ...

    def sleep(self, seconds: float, until: Event) -> bool:
        """Wait for `seconds` of this clock or until the event is set; return True if the event is set."""
        ...


def zone_word(local: datetime) -> str:
    """Return the abbreviation of a local time's zone, or `UTC+8` where the zone has none."""
    name = local.tzname() or "UTC"
    # The IANA database gives zones without an abbreviation an offset such as `+0530` as their name.
    if name[0] not in "+-":
        return name
    hours, minutes = int(name[1:3]), name[3:]
    return f"UTC{name[0]}{hours}" + (f":{minutes}" if minutes else "")


def in_utc(moment: datetime) -> str:
    """Return a UTC time to the minute, for people: `2026-11-22 05:12 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
