"""Find the period of a GameDay or review whose issue is due to be made.

QRPay runbook, "GameDay Exercises" (quarterly, semi-annual) and "Document Ownership" (quarterly). A quarter,
half-year or year is that of the calendar, due at the end of its last day in the team's zone. A number of days
is counted from `last_done`, else from `enforce_from`. The first period is the one that contains
`enforce_from`, or the one after `last_done`; it is due `lead_days` after `enforce_from` at the earliest.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.base import Value
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.recurring import Recurring
from syncd.policy.time.working_time import at_local

_MONTHS = {"quarter": 3, "half_year": 6, "year": 12}
_FORMS = {"quarter": "{0}-Q{1}", "half_year": "{0}-H{1}", "year": "{0}"}


class Period(Value):
    """One period: its name, and the local day on which it is due."""

    name: str
    due: date

    def begins(self, entry: Recurring, mapping: Mapping) -> datetime:
        """Return when the issue is made (UTC): at the start of the day `lead_days` before the due date."""
        return at_local(self.due - timedelta(days=entry.lead_days), time(), mapping.zone)


def latest_period(entry: Recurring, mapping: Mapping, now: datetime) -> Period | None:
    """Return the last period whose issue is to be made by now, None before the first.

    Of several periods that passed while syncd was down, only the last one gets an issue.
    """
    today = now.astimezone(ZoneInfo(mapping.zone)).date()
    first = _first(entry, mapping)
    latest = _number_at(today + timedelta(days=entry.lead_days), entry, mapping)
    for number in range(latest, first, -1):
        period = _period(number, entry, mapping)
        if period.begins(entry, mapping) <= now:
            return period
    period = _period(first, entry, mapping)
    earliest = mapping.enforce_from + timedelta(days=entry.lead_days)
    # the first day disturbs nobody: what is due then gets its whole lead time
    period = period.model_copy(update={"due": max(period.due, earliest)})
    return period if period.begins(entry, mapping) <= now else None


def _first(entry: Recurring, mapping: Mapping) -> int:
    """Return the number of the first period: the one of `enforce_from`, or the one after `last_done`."""
    first = _number_at(mapping.enforce_from, entry, mapping)
    if entry.last_done is None:
        return first
    return max(first, _number_at(entry.last_done, entry, mapping) + 1)


def _number_at(day: date, entry: Recurring, mapping: Mapping) -> int:
    """Return the number of the period that contains a day; a period of days ends on its due date."""
    if isinstance(entry.every, int):
        return -((_anchor(entry, mapping) - day).days // entry.every)
    return (day.year * 12 + day.month - 1) // _MONTHS[entry.every]


def _period(number: int, entry: Recurring, mapping: Mapping) -> Period:
    if isinstance(entry.every, int):
        due = _anchor(entry, mapping) + timedelta(days=number * entry.every)
        return Period(name=due.isoformat(), due=due)
    months = _MONTHS[entry.every]
    year, month = divmod((number + 1) * months, 12)
    name = _FORMS[entry.every].format(*((number * months) // 12, (number * months) % 12 // months + 1))
    return Period(name=name, due=date(year, month + 1, 1) - timedelta(days=1))


def _anchor(entry: Recurring, mapping: Mapping) -> date:
    return entry.last_done or mapping.enforce_from
