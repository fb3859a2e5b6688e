"""ISO weeks in a team's zone; their bounds are turned into UTC before any arithmetic.

A week is Monday 00:00 to the next Monday 00:00. When the clocks change, it has one hour more or less.
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
        """Return the week of a name such as `2026-W47`; raise `ValueError` with a correct example."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{name} is not a week; write a week like 2026-W47")
        try:
            return cls(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        except ValueError:
            raise ValueError(f"the year {match[1]} has no week {match[2]}") from None

    @classmethod
    def of(cls, moment: datetime, zone: str) -> Week:
        """Return the week of a moment in a zone."""
        day = moment.astimezone(ZoneInfo(zone)).date()
        return cls(day - timedelta(days=day.weekday()))

    @property
    def name(self) -> str:
        """The week's ISO name, as `2026-W47`."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def last_day(self) -> date:
        """The week's Sunday."""
        return self.monday + timedelta(days=6)

    def back(self, weeks: int) -> Week:
        """Return the week that many weeks before (negative: after)."""
        return Week(self.monday - timedelta(weeks=weeks))

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """Return the week's first moment and the first moment after it, in UTC."""
        return _midnight(self.monday, zone), _midnight(self.monday + timedelta(days=7), zone)

    def leaves_at(self, day: str, at: time, zone: str) -> datetime:
        """Return the moment (UTC) at which the week's report leaves: on `day` of the following week.

        A local time that the change of clocks skips counts as if the clocks had not changed. Of a local time
        that comes twice, the first counts.
        """
        on = self.monday + timedelta(days=7 + _DAYS.index(day))
        return datetime.combine(on, at, ZoneInfo(zone)).astimezone(UTC)


def latest_due(now: datetime, day: str, at: time, zone: str) -> Week:
    """Return the latest week whose report has left or is due to leave by now."""
    last = Week.of(now, zone).back(1)
    return last if last.leaves_at(day, at, zone) <= now else last.back(1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
