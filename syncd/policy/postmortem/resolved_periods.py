"""Find the periods in which an incident was resolved: the clocks of its postmortem run in them.

A clock starts at the later of the resolve and the moment when the incident first qualified. If an incident is
reopened and resolved again within 30 minutes, or without a new alert, acknowledgement or note in between, it
counts as resolved all the while, and its clock goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import StateChange
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import qualifies

BRIEFLY = timedelta(minutes=30)
"""If an incident is open again for no longer than this, its deadlines stay."""
LONG_OPEN = timedelta(days=7)
"""The report lists an incident that is open for longer: its clock has not started."""


class ResolvedPeriod(Value):
    """A time in which an incident was resolved; `reopened_at` is None if it still is.

    `doubtful_until` is set while the incident is open again, but may still be resolved within the 30 minutes,
    so that the reopening would not count.
    """

    resolved_at: UtcTime
    reopened_at: UtcTime | None = None
    doubtful_until: UtcTime | None = None


@dataclass(frozen=True)
class Clock:
    """A time in which the incident was over and owed a postmortem; `ended_at` is when it was reopened.

    `why` is set where the clock starts for another reason than the resolve, and `due_at` after a correction.
    With `basis: final` the clock ends at `lowered_at`, when the severity stopped to ask for a postmortem. The
    clock of a duty that was met at its end goes on, to the end of the following clock at `until` (None: to
    this day).
    """

    started_at: datetime
    period: ResolvedPeriod
    why: str = ""
    due_at: datetime | None = None
    lowered_at: datetime | None = None
    goes_on: bool = False
    until: datetime | None = None

    @property
    def ended_at(self) -> datetime | None:
        """Return what ended the clock: not a reopening that may turn out not to count."""
        if self.goes_on:
            return self.until
        reopened = None if self.period.doubtful_until else self.period.reopened_at
        return min((at for at in (reopened, self.lowered_at) if at is not None), default=None)


def resolved_periods(state_changes: Iterable[StateChange], now: datetime) -> tuple[ResolvedPeriod, ...]:
    """Return the periods in which an incident was resolved, oldest first."""
    periods: list[ResolvedPeriod] = []
    worked_on = False
    for state_change in state_changes:
        last = periods[-1] if periods else None
        if state_change.kind == "resolved":
            # The incident is resolved already: of two resolves in a row the first counts.
            if last is not None and last.reopened_at is None:
                continue
            # A reopening that is short, or that nobody meant, moves no deadline: the earlier period goes on.
            brief = last is not None and last.reopened_at and state_change.at - last.reopened_at <= BRIEFLY
            if last is not None and (brief or not worked_on):
                periods[-1] = last.model_copy(update={"reopened_at": None})
            else:
                periods.append(ResolvedPeriod(resolved_at=state_change.at))
        elif state_change.kind == "reopened" and last is not None and last.reopened_at is None:
            periods[-1] = last.model_copy(update={"reopened_at": state_change.at})
            worked_on = False
        elif state_change.kind == "worked_on":
            worked_on = True
    # A resolve within the 30 minutes may still come, so the reopening cancels nothing yet.
    if periods and periods[-1].reopened_at is not None and now - periods[-1].reopened_at <= BRIEFLY:
        until = periods[-1].reopened_at + BRIEFLY
        periods[-1] = periods[-1].model_copy(update={"doubtful_until": until})
    return tuple(periods)


def enforced(periods: Iterable[ResolvedPeriod], book: Rulebook) -> tuple[ResolvedPeriod, ...]:
    """Return the periods that began after the mapping's `enforce_from`."""
    begins = book.mapping.enforced_since
    return tuple(period for period in periods if period.resolved_at >= begins)


def open_too_long(case: Case, book: Rulebook) -> timedelta | None:
    """Return for how long an incident that would owe a postmortem is open, None up to a week.

    Its clock has not started, so no duty shows it: only the report does.
    """
    if not case.incident.open or case.now is None or case.before_enforcement:
        return None
    lasts = case.now - (case.reopened_at or case.incident.created_at)
    owed, _settles_at = qualifies(case, book)
    return lasts if owed is not None and lasts > LONG_OPEN else None
