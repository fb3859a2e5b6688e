"""Working days and working hours in a team's zone.

A working day is no Saturday, no Sunday and none of the mapping's `holidays`. "n working days after" counts
from the next day on, also from a day off.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.mapping.mapping import Mapping

_DAY = timedelta(days=1)


class Calendar:
    """The days of one team."""

    def __init__(self, mapping: Mapping) -> None:
        self._zone = ZoneInfo(mapping.zone)
        self._holidays = frozenset(mapping.holidays)

    def day_of(self, moment: datetime) -> date:
        """Return the team's day at a time."""
        return moment.astimezone(self._zone).date()

    def end_of(self, day: date) -> datetime:
        """Return the end of a day (UTC): the midnight after it."""
        return datetime.combine(day + _DAY, time(), self._zone).astimezone(UTC)

    def is_working_day(self, day: date) -> bool:
        """Return True if the team works on a day."""
        return day.weekday() < 5 and day not in self._holidays

    def after_working_days(self, start: datetime, days: int) -> datetime:
        """Return the end (UTC) of the nth working day after a time."""
        day = self.day_of(start)
        while days:
            day += _DAY
            days -= self.is_working_day(day)
        return self.end_of(day)

    def after_working_hours(self, start: datetime, hours: float) -> datetime:
        """Return the time (UTC) at which so many hours of working days have passed since `start`."""
        left, moment, day = timedelta(hours=hours), start, self.day_of(start)
        while True:
            end = self.end_of(day)
            if self.is_working_day(day):
                # in UTC: a day on which clocks change has 23 or 25 hours
                if left <= end - moment:
                    return moment + left
                left -= end - moment
            moment, day = end, day + _DAY
