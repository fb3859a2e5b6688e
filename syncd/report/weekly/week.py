"""ISO weeks in a team's zone, turned into UTC before any arithmetic (rules: "The week's number").

A week is Monday 00:00 to the next Monday 00:00, so around a change of clocks it has an hour more or less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NAME = re.compile(r"(\d{4})-W(\d{2})")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, order=True)
class Week:
    """An ISO week, by its Monday."""

    monday: date

    @classmethod
    def named(cls, name: str) -> Week:
        """The week of a name such as `2026-W47`; raises `ValueError` with what would be right."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"{name} is no week; weeks are named like 2026-W47")
        try:
            return cls(date.fromisocalendar(int(found[1]), int(found[2]), 1))
        except ValueError:
            raise ValueError(f"the year {found[1]} has no week {found[2]}") from None

    @classmethod
    def of(cls, moment: datetime, zone: str) -> Week:
        """The week that a moment lies in."""
        day = moment.astimezone(ZoneInfo(zone)).date()
        return cls(day - timedelta(days=day.weekday()))

    @property
    def name(self) -> str:
        """As `2026-W47`."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def last_day(self) -> date:
        """Its Sunday."""
        return self.monday + timedelta(days=6)

    def back(self, weeks: int) -> Week:
        """So many weeks before."""
        return Week(self.monday - timedelta(weeks=weeks))

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """Its first moment and the first one after it, in UTC."""
        return _midnight(self.monday, zone), _midnight(self.monday + timedelta(days=7), zone)

    def leaves_at(self, day: str, at: time, zone: str) -> datetime:
        """When its report leaves (UTC): on that day of the following week.

        A time that a change of clocks skips is taken as if it had not, one that comes twice is the first.
        """
        on = self.monday + timedelta(days=7 + _DAYS.index(day))
        return datetime.combine(on, at, ZoneInfo(zone)).astimezone(UTC)


def latest_due(now: datetime, day: str, at: time, zone: str) -> Week:
    """The latest week whose report has left or ought to leave by now."""
    last = Week.of(now, zone).back(1)
    return last if last.leaves_at(day, at, zone) <= now else last.back(1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
