"""Count working days and working hours in a team's time zone.

A working day is a whole local day that is neither Saturday nor Sunday nor one of the mapping's `holidays`.
syncd counts days in local time, so that a deadline stays at the end of its day when summer time begins or
ends. If a time of day exists twice or never, the later reading holds: a change of clocks makes nobody late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5  # as `date.weekday` counts, from Monday = 0


def is_working_day(day: date, holidays: Collection[date] = ()) -> bool:
    """Return True if a local day is a working day."""
    return day.weekday() < _SATURDAY and day not in holidays


def working_day_after(start: datetime, days: int, zone: str, holidays: Collection[date] = ()) -> date:
    """Return the local day that lies so many working days after `start`.

    The count starts with the next working day, also after a start on a day off.
    """
    day = start.astimezone(ZoneInfo(zone)).date()
    for _ in range(days):
        day = _next(day, holidays)
    return day


def end_of_day(day: date, zone: str) -> datetime:
    """Return the moment (UTC) at which a local day is over."""
    return at_local(day + _DAY, time(), zone)


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


def seconds_until(moments: Iterable[datetime], now: datetime) -> float | None:
    """Return the seconds until the first of these moments that lies in the future, None if none does."""
    return min(((at - now).total_seconds() for at in moments if at > now), default=None)


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
