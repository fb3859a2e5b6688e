"""The clock that all of syncd uses. No other code asks the operating system for the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from syncd.domain.base import Value

GRACE = timedelta(minutes=2)
"""Clocks may differ by this time without a word: a deadline must have passed by the services', too."""


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


def is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Return True if what ran at `last` for the last time (None: never) is to run again."""
    # a time in the future is of a clock that was wrong
    return last is None or not timedelta() <= now - last < every


class ClockSkew(Value):
    """By how much the services' clocks differ from ours: one is `behind` it, another one `ahead` of it.

    Both are zero while the clocks differ by two minutes at most. A deadline has passed only when it has
    passed by all clocks, and a reminder is due when it is due by one of them. All results are times of our
    clock.
    """

    behind: timedelta = timedelta()
    ahead: timedelta = timedelta()

    def __bool__(self) -> bool:
        """Return True if the clocks differ by more than two minutes."""
        return bool(self.behind or self.ahead)

    def passes_at(self, deadline: datetime) -> datetime:
        """Return when a deadline has passed by all clocks."""
        return deadline + self.behind

    def judged_from(self, deadline: datetime) -> datetime:
        """Return the time up to which both services must be read before a deadline counts as missed."""
        return max(deadline + GRACE, self.passes_at(deadline))

    def due_at(self, moment: datetime) -> datetime:
        """Return when a reminder is due by one of the clocks."""
        return moment - self.ahead

    def is_due(self, moment: datetime, now: datetime) -> bool:
        """Return True if a reminder is due by one of the clocks."""
        return now >= self.due_at(moment)

    def latest(self, now: datetime) -> datetime:
        """Return the present time by the fastest clock."""
        return now + self.ahead

    def earliest(self, now: datetime) -> datetime:
        """Return the present time by the slowest clock."""
        return now - self.behind


IN_STEP = ClockSkew()
"""All clocks agree."""


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


def second_in_utc(moment: datetime) -> str:
    """Return a UTC time to the second, for people: `2026-11-22 05:12:09 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
