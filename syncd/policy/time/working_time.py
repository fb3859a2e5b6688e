"""Count working days and working hours in a team's time zone.

A working day is a whole local day that is neither Saturday nor Sunday nor one of the mapping's `holidays`.
syncd counts days in local time, so that a deadline keeps its time of day when summer time begins or ends. If
that time of day exists twice or never, the later reading holds, so that a change of clocks makes nobody late.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5  # as `date.weekday` counts, from Monday = 0


def is_working_day(day: date, holidays: Collection[date] = ()) -> bool:
    """Return True if a local day is a working day."""
    return day.weekday() < _SATURDAY and day not in holidays


def add_working_days(start: datetime, days: int, zone: str, holidays: Collection[date] = ()) -> datetime:
    """Return the time (UTC) at which so many working days after `start` are over.

    That is the same local time of day, `days` working days later. A start on a day off counts from 00:00 of
    the next working day.
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
    """Return the time (UTC) at which so many hours of working days have passed since `start`.

    All hours of a working day count, day and night. A day on which the clocks change has 23 or 25 of them.
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
    """Return the time (UTC) of a local time of day, the later one if the clock shows it twice or never."""
    tz = ZoneInfo(zone)
    # `fold` selects the reading of a time that exists twice, and the side of a gap for a missing one.
    readings = (datetime.combine(day, clock.replace(fold=fold), tz) for fold in (0, 1))
    return max(reading.astimezone(UTC) for reading in readings)


def _next(day: date, holidays: Collection[date]) -> date:
    day += _DAY
    while not is_working_day(day, holidays):
        day += _DAY
    return day
