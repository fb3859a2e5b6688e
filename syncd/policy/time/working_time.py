"""Working days in a team's time zone: which days count, and when so many of them are over.

A working day is a whole local day that is neither Saturday nor Sunday nor one of the mapping's `holidays`.
Days are counted in local time, so that a deadline keeps its time of day over a change of clocks. Where that
time of day does not exist or exists twice, the later reading holds: nobody is late for the clock's sake.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5


def is_working_day(day: date, holidays: Collection[date] = ()) -> bool:
    """Whether a local day is a working day."""
    return day.weekday() < _SATURDAY and day not in holidays


def add_working_days(start: datetime, days: int, zone: str, holidays: Collection[date] = ()) -> datetime:
    """The moment (UTC) at which so many working days after `start` are over.

    The same local time of day, `days` working days later; a start on a day that is none counts from the
    next working day's 00:00.
    """
    local = start.astimezone(ZoneInfo(zone))
    day, clock = local.date(), local.time()
    if not is_working_day(day, holidays):
        day, clock = _next(day, holidays), time()
    elif days <= 0:
        return start.astimezone(UTC)
    for _ in range(days):
        day = _next(day, holidays)
    return at_local(day, clock, zone)


def add_working_hours(start: datetime, hours: float, zone: str, holidays: Collection[date] = ()) -> datetime:
    """The moment (UTC) at which so many hours of working days have passed since `start`.

    Every hour of a working day counts, day and night; hours are hours, also on a day of 23 or 25.
    """
    at, left = start.astimezone(UTC), timedelta(hours=hours)
    while True:
        day = at.astimezone(ZoneInfo(zone)).date()
        midnight = at_local(day + _DAY, time(), zone)
        if is_working_day(day, holidays):
            if at + left <= midnight:
                return at + left
            left -= midnight - at
        at = midnight


def at_local(day: date, clock: time, zone: str) -> datetime:
    """The moment (UTC) of a local time of day, the later one where the clock shows it twice or never."""
    there = ZoneInfo(zone)
    readings = (datetime.combine(day, clock.replace(fold=fold), there) for fold in (0, 1))
    return max(reading.astimezone(UTC) for reading in readings)


def _next(day: date, holidays: Collection[date]) -> date:
    day += _DAY
    while not is_working_day(day, holidays):
        day += _DAY
    return day
