"""Find the times at which syncd may remind people: outside of the quiet hours, on the team's working days.

A reminder for a closed time (quiet hours, a weekend, a holiday) leaves at the last open minute before it, so
that the person reads it before the deadline and not at night. The last open minute of a day is the one before
the quiet hours begin.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.mapping.mapping import Mapping
from syncd.policy.time.working_time import at_local, is_working_day

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_LONGEST_CLOSED = 60
"""Search so many days for an open time. Longer holidays are a mistake in the mapping."""


def is_open(at: datetime, mapping: Mapping) -> bool:
    """Return True if syncd may remind people at this time."""
    local = at.astimezone(ZoneInfo(mapping.zone))
    return is_working_day(local.date(), mapping.holidays) and not _quiet(local.time(), mapping)


def last_open(at: datetime, mapping: Mapping) -> datetime:
    """Return the time itself (UTC) if it is open, else the last open minute before it."""
    if is_open(at, mapping):
        return at.astimezone(UTC)
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    for back in range(_LONGEST_CLOSED):
        minutes = [end - _MINUTE for end in _ends(day - back * _DAY, mapping)]
        candidates = [minute for minute in minutes if minute <= at and is_open(minute, mapping)]
        if candidates:
            return max(candidates)
    return at.astimezone(UTC)


def next_open(at: datetime, mapping: Mapping) -> datetime:
    """Return the time itself (UTC) if it is open, else the first open time after it."""
    if is_open(at, mapping):
        return at.astimezone(UTC)
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    for ahead in range(_LONGEST_CLOSED):
        begins = _begins(day + ahead * _DAY, mapping)
        candidates = [begin for begin in begins if begin >= at and is_open(begin, mapping)]
        if candidates:
            return min(candidates)
    return at.astimezone(UTC)


def _quiet(clock: time, mapping: Mapping) -> bool:
    start, end = mapping.mails.quiet.start, mapping.mails.quiet.end
    # Quiet hours within one day, such as 12:00 to 14:00; all others include midnight.
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def _begins(day: date, mapping: Mapping) -> list[datetime]:
    # An open time begins at the end of the quiet hours, or at midnight if these lie within the day.
    return [at_local(day, clock, mapping.zone) for clock in (time(), mapping.mails.quiet.end)]


def _ends(day: date, mapping: Mapping) -> list[datetime]:
    # An open time ends at the start of the quiet hours, or at midnight before a day off.
    midnight = at_local(day + _DAY, time(), mapping.zone)
    return [midnight, at_local(day, mapping.mails.quiet.start, mapping.zone)]
