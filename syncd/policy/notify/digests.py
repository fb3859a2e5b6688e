"""Decide when the digest leaves and what it names: one mail each working day, for five days, then weekly.

Its lines are overdue duties, and duties whose earlier reminder falls before the next digest: only the last
reminder before a deadline is a mail of its own.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.duty import Duty, DutyState
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.time.working_time import at_local, is_working_day

DAILY = 5
"""The number of digests that name an overdue duty day after day; then each fifth does, which is weekly."""


def digest_moment(mapping: Mapping, day: date) -> datetime | None:
    """Return when the digest of a local day leaves (UTC), None for a day off."""
    if not is_working_day(day, mapping.holidays):
        return None
    return at_local(day, mapping.mails.digest_at, mapping.zone)


def latest_moment(mapping: Mapping, now: datetime) -> datetime | None:
    """Return the time of today's digest (UTC), None before it; today is a day in the team's zone."""
    moment = digest_moment(mapping, now.astimezone(ZoneInfo(mapping.zone)).date())
    return moment if moment is not None and moment <= now else None


def is_due(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Return True if a duty alone is a reason for a digest at this time."""
    if duty.state is not DutyState.BREACHED:
        return _soon(duty, mapping, at)
    number = _digests_since(duty.breached_at or duty.due_at, mapping, at)
    return 0 < number <= DAILY or (number > DAILY and (number - DAILY) % DAILY == 0)


def is_named(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Return True if a digest at this time has a line about a duty."""
    return duty.state is DutyState.BREACHED or _soon(duty, mapping, at)


def _soon(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Return True if a reminder other than the last one falls before the next digest."""
    hours = sorted(mapping.postmortem.remind_hours)
    if len(hours) < 2 or duty.due_at <= at:
        return False
    return duty.due_at - timedelta(hours=hours[-1]) < _next(mapping, at)


def _next(mapping: Mapping, at: datetime) -> datetime:
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    while True:
        day += timedelta(days=1)
        moment = digest_moment(mapping, day)
        if moment is not None:
            return moment


def _digests_since(since: datetime, mapping: Mapping, at: datetime) -> int:
    """Return the number of digests after `since`, up to and with the one at `at`."""
    day = since.astimezone(ZoneInfo(mapping.zone)).date()
    last = at.astimezone(ZoneInfo(mapping.zone)).date()
    count = 0
    while day <= last:
        moment = digest_moment(mapping, day)
        count += moment is not None and since < moment <= at
        day += timedelta(days=1)
    return count
