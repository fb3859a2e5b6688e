"""Find the periods in which an incident was resolved: the clocks of its postmortem run in them.

A clock starts at the later of the resolve and the moment when the incident first qualified. If an incident is
reopened and resolved again within 30 minutes, or without a new alert, acknowledgement or note in between, it
counts as resolved all the while, and its clock goes on. A merge into another incident ends the clock: from
then on the target's counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import StateChange
from syncd.domain.incident import Incident
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import counts_for_another, qualifies

BRIEFLY = timedelta(minutes=30)
"""If an incident is open again for no longer than this, its deadlines stay."""
LONG_OPEN = timedelta(days=7)
"""The report lists an incident that is open for longer: its clock has not started."""


class ResolvedPeriod(Value):
    """A time in which an incident was resolved; `reopened_at` is None if it still is.

    `merged_at` is when it was merged into another incident: the resolve itself, if the incident was open
    until then. `doubtful_until` is set while the incident is open again, but may still be resolved within the
    30 minutes, so that the reopening would not count.
    """

    resolved_at: UtcTime
    reopened_at: UtcTime | None = None
    merged_at: UtcTime | None = None
    doubtful_until: UtcTime | None = None


@dataclass(frozen=True)
class Clock:
    """A time in which the incident was over and owed a postmortem; `ended_at` is when it was reopened.

    `why` is set where the clock starts for another reason than the resolve, and `due_at` after a correction.
    With `basis: final` the clock ends at `lowered_at`, when the severity stopped to ask for a postmortem, and
    it ends at `merged_at`, from when on another incident's postmortem counts. The clock of a duty that was
    met at its end goes on, to the end of the following clock at `until` (None: to this day).
    """

    started_at: datetime
    period: ResolvedPeriod
    why: str = ""
    due_at: datetime | None = None
    lowered_at: datetime | None = None
    merged_at: datetime | None = None
    goes_on: bool = False
    until: datetime | None = None

    @property
    def ended_at(self) -> datetime | None:
        """Return what ended the clock: not a reopening that may turn out not to count."""
        if self.goes_on:
            return self.until
        reopened = None if self.period.doubtful_until else self.period.reopened_at
        ends = (reopened, self.lowered_at, self.merged_at)
        return min((at for at in ends if at is not None), default=None)


def resolved_periods(state_changes: Iterable[StateChange], now: datetime) -> tuple[ResolvedPeriod, ...]:
    """Return the periods in which an incident was resolved, oldest first."""
    periods: list[ResolvedPeriod] = []
    worked_on = False
    for state_change in state_changes:
        last = periods[-1] if periods else None
        if state_change.kind == "resolved":
            merged_at = state_change.at if state_change.merged_into is not None else None
            # The incident is resolved already: of two resolves in a row the first counts.
            if last is not None and last.reopened_at is None:
                periods[-1] = last.model_copy(update={"merged_at": last.merged_at or merged_at})
                continue
            # A reopening that is short, or that nobody meant, moves no deadline: the earlier period goes on.
            # After a merge nothing does: the incident counts on its own again, from its next resolve.
            brief = last is not None and last.reopened_at and state_change.at - last.reopened_at <= BRIEFLY
            if last is not None and last.merged_at is None and (brief or not worked_on):
                periods[-1] = last.model_copy(update={"reopened_at": None, "merged_at": merged_at})
            else:
                periods.append(ResolvedPeriod(resolved_at=state_change.at, merged_at=merged_at))
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


def judged_since(incident: Incident, periods: Sequence[ResolvedPeriod]) -> datetime | None:
    """Return the resolve (UTC) whose rules hold for an incident, None while it is open.

    A reopening that moves no deadline changes no rules either. Without its `periods` the last resolve counts.
    """
    if not periods:
        return incident.over_since
    last = periods[-1]
    return last.resolved_at if last.reopened_at is None or last.doubtful_until is not None else None


def merged_at(case: Case) -> datetime | None:
    """Return when the incident was merged into another (UTC), None if it was not or its log does not tell.

    PagerDuty keeps the time of the resolve of an incident that was resolved before the merge.
    """
    resolves = [change for change in case.state_changes or () if change.kind == "resolved"]
    merged = case.incident.merged_into is not None and bool(resolves) and resolves[-1].merged_into is not None
    return resolves[-1].at if merged else None


def merge_of(period: ResolvedPeriod, periods: Sequence[ResolvedPeriod], case: Case) -> datetime | None:
    """Return the moment from which on another incident counts for this one, None if none does.

    Of an incident that was resolved before its merge PagerDuty tells no moment: then it is the resolve.
    """
    if period is not periods[-1] or case.incident.open:
        return period.merged_at
    # No mapping claims the target of a merge that changes nothing.
    return (period.merged_at or period.resolved_at) if counts_for_another(case) else None


def enforced(periods: Iterable[ResolvedPeriod], book: Rulebook) -> tuple[ResolvedPeriod, ...]:
    """Return the periods that began after the mapping's `enforce_from`."""
    begins = book.mapping.enforced_since
    return tuple(period for period in periods if period.resolved_at >= begins)


def counts_from_before_the_rules(case: Case, book: Rulebook) -> bool:
    """Return True if the clocks of an incident that is over count from before `enforce_from`."""
    if case.state_changes is None or case.now is None or case.incident.open:
        return False
    periods = resolved_periods(case.state_changes, case.now)
    return bool(periods) and not enforced(periods[-1:], book)


def open_too_long(case: Case, book: Rulebook) -> timedelta | None:
    """Return for how long an incident that would owe a postmortem is open, None up to a week.

    Its clock has not started, so no duty shows it: only the report does.
    """
    if not case.incident.open or case.now is None or case.before_enforcement:
        return None
    lasts = case.now - (case.reopened_at or case.incident.created_at)
    owed, _settles_at = qualifies(case, book)
    return lasts if owed is not None and lasts > LONG_OPEN else None
