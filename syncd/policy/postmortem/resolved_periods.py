"""When the clocks of a postmortem run: how long its incident was over at a time.

A clock starts at the later of the resolve and the moment when the incident first qualified. Reopened and
resolved again within 30 minutes, an incident was over all the while (rules: "The postmortem", the table).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import StateChange
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import qualifies

BRIEFLY = timedelta(minutes=30)
"""For so long an incident may be open again without its deadline moving."""
LONG_OPEN = timedelta(days=7)
"""What is open for longer stands in the report: its clock has not begun."""


class ResolvedPeriod(Value):
    """A time in which an incident was over; `reopened_at` None: it still is.

    `doubtful_until` is set while it is open again, but may yet be resolved soon enough for that not to
    count.
    """

    resolved_at: UtcTime
    reopened_at: UtcTime | None = None
    doubtful_until: UtcTime | None = None


def resolved_periods(state_changes: Iterable[StateChange], now: datetime) -> tuple[ResolvedPeriod, ...]:
    """Given an incident's turns, return when it was over, oldest first."""
    periods: list[ResolvedPeriod] = []
    for state_change in state_changes:
        last = periods[-1] if periods else None
        if state_change.kind == "resolved":
            if last is not None and last.reopened_at is None:
                continue
            if last is not None and last.reopened_at and state_change.at - last.reopened_at <= BRIEFLY:
                periods[-1] = last.model_copy(update={"reopened_at": None})
            else:
                periods.append(ResolvedPeriod(resolved_at=state_change.at))
        elif state_change.kind == "reopened" and last is not None and last.reopened_at is None:
            periods[-1] = last.model_copy(update={"reopened_at": state_change.at})
    if periods and periods[-1].reopened_at is not None and now - periods[-1].reopened_at <= BRIEFLY:
        until = periods[-1].reopened_at + BRIEFLY
        periods[-1] = periods[-1].model_copy(update={"doubtful_until": until})
    return tuple(periods)


def enforced(periods: Iterable[ResolvedPeriod], book: Rulebook) -> tuple[ResolvedPeriod, ...]:
    """Those that began since the mapping's rules hold."""
    begins = book.mapping.enforced_since
    return tuple(period for period in periods if period.resolved_at >= begins)


def open_too_long(case: Case, book: Rulebook) -> timedelta | None:
    """Return for how long an incident that would owe a postmortem has been open, if longer than a week.

    Its clock has not begun, and the report says so (rules: "The postmortem", the table).
    """
    if not case.incident.open or case.now is None or case.before_enforcement:
        return None
    lasts = case.now - (case.reopened_at or case.incident.created_at)
    owed, _settles_at = qualifies(case, book)
    return lasts if owed is not None and lasts > LONG_OPEN else None
