"""When people may be reminded: on working days outside of the quiet hours, in the team's zone.

A reminder whose moment lies in quiet hours, on a weekend or a holiday goes out at the last open moment before
it (rules: "Who hears what"). The last open moment of a day is a minute before the quiet hours begin.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.mapping.mapping import Mapping
from syncd.policy.time.working_time import at_local, is_working_day

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_LONGEST_CLOSED = 60
"""Days to look for an open moment; longer holidays than that are a mistake of the mapping."""


def is_open(at: datetime, mapping: Mapping) -> bool:
    """Whether somebody may be reminded at this moment."""
    local = at.astimezone(ZoneInfo(mapping.zone))
    return is_working_day(local.date(), mapping.holidays) and not _quiet(local.time(), mapping)


def last_open(at: datetime, mapping: Mapping) -> datetime:
    """The moment itself (UTC) where it is open, else the last open one before it."""
    if is_open(at, mapping):
        return at.astimezone(UTC)
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    for back in range(_LONGEST_CLOSED):
        ends = [one - _MINUTE for one in _ends(day - back * _DAY, mapping)]
        found = [one for one in ends if one <= at and is_open(one, mapping)]
        if found:
            return max(found)
    return at.astimezone(UTC)


def next_open(at: datetime, mapping: Mapping) -> datetime:
    """The moment itself (UTC) where it is open, else the first open one after it."""
    if is_open(at, mapping):
        return at.astimezone(UTC)
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    for ahead in range(_LONGEST_CLOSED):
        found = [one for one in _begins(day + ahead * _DAY, mapping) if one >= at and is_open(one, mapping)]
        if found:
            return min(found)
    return at.astimezone(UTC)


def _quiet(clock: time, mapping: Mapping) -> bool:
    start, end = mapping.mails.quiet.start, mapping.mails.quiet.end
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def _begins(day: date, mapping: Mapping) -> list[datetime]:
    return [at_local(day, clock, mapping.zone) for clock in (time(), mapping.mails.quiet.end)]


def _ends(day: date, mapping: Mapping) -> list[datetime]:
    midnight = at_local(day + _DAY, time(), mapping.zone)
    return [midnight, at_local(day, mapping.mails.quiet.start, mapping.zone)]
