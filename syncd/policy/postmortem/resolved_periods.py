"""When the clocks of a postmortem run: since when an incident owes one, and how long it was over at a time.

A clock starts at the later of the resolve and the moment when the incident first qualified. Reopened and
resolved again within 30 minutes, an incident was over all the while (rules: "The postmortem", the table).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import SeverityPeriod, StateChange
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import severity_periods_of

FLEETING = timedelta(minutes=10)
"""A severity held for less counts only if it was held at a resolve (rules: "Severity")."""
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


class Qualified(Value):
    """Since when an incident owes a postmortem (None: it owes none), and what makes it.

    `settles_at` is when a severity that is held now will have been held long enough to count.
    """

    since: UtcTime | None = None
    why: str = ""
    settles_at: UtcTime | None = None


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


def qualified(case: Case, book: Rulebook, periods: Sequence[ResolvedPeriod], now: datetime) -> Qualified:
    """Since when the incident owes a postmortem, by the mapping's `basis`.

    What was merged into it counts from the merge, so that the target owes what the worst of them owed.
    """
    if book.mapping.postmortem.basis == "final":
        own = _at_the_end(case, book)
    else:
        own = _at_the_peak(case, book, periods, now)
    merged = min(
        (one for one in case.merged_sources if one.owes), key=lambda one: one.merged_at, default=None
    )
    if merged is None or (own.since is not None and own.since <= merged.merged_at):
        return own
    why = f"incident #{merged.number}, {merged.severity}, was merged into it"
    return Qualified(since=merged.merged_at, why=why)


def _owing(case: Case, book: Rulebook) -> list[tuple[SeverityPeriod, datetime | None]]:
    """The stretches in which its severity owed a postmortem, with their ends; None: it still does."""
    found: list[tuple[SeverityPeriod, datetime | None]] = []
    for severity_period in severity_periods_of(case, book):
        known = severity_period.severity in book.mapping.severities
        owes = known and book.mapping.owes_postmortem(severity_period.severity, book.section)
        going_on = bool(found) and found[-1][1] is None
        if owes and not going_on:
            found.append((severity_period, None))
        elif not owes and going_on:
            found[-1] = (found[-1][0], severity_period.since)
    return found


def might_owe(case: Case, book: Rulebook) -> bool:
    """Whether anything ever asked for a postmortem, held long enough or not."""
    return bool(_owing(case, book)) or any(one.owes for one in case.merged_sources)


def _at_the_end(case: Case, book: Rulebook) -> Qualified:
    last = next(iter(_owing(case, book)[-1:]), None)
    if last is None or last[1] is not None:
        return Qualified()
    return Qualified(since=last[0].since, why=_why(last[0], book))


def _at_the_peak(case: Case, book: Rulebook, periods: Sequence[ResolvedPeriod], now: datetime) -> Qualified:
    for severity_period, end in _owing(case, book):
        held_until = end or now
        at_a_resolve = any(
            severity_period.since <= period.resolved_at and (end is None or period.resolved_at < end)
            for period in periods
        )
        if held_until - severity_period.since >= FLEETING or at_a_resolve:
            return Qualified(since=severity_period.since, why=_why(severity_period, book))
        if end is None:
            return Qualified(settles_at=severity_period.since + FLEETING)
    return Qualified()


def _why(severity_period: SeverityPeriod, book: Rulebook) -> str:
    if book.mapping.severities[severity_period.severity].postmortem:
        return f"{severity_period.severity} incidents need a postmortem"
    return "every incident of this service needs a postmortem"


def open_too_long(case: Case, book: Rulebook) -> timedelta | None:
    """How long an incident that would owe a postmortem has been open, where that is over a week.

    Its clock has not begun, and the report says so (rules: "The postmortem", the table).
    """
    if not case.incident.open or case.now is None or case.before_enforcement:
        return None
    lasts = case.now - (case.reopened_at or case.incident.created_at)
    owes = qualified(case, book, (), case.now).since is not None
    return lasts if owes and lasts > LONG_OPEN else None
