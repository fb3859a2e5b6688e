"""Find the times in which the clocks of an action item ran: one for each resolve of its incident.

A reopening of the incident for more than 30 minutes stops an item's clock, and the next resolve starts it
anew. A merge of the incident ends it, and so does the act that makes the issue no action item any more. What
was met, missed or done before that stays so, whenever syncd looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import RUNNING, Duty
from syncd.domain.mapping.value_types import Mode
from syncd.domain.ticket import Account
from syncd.policy.case import Case, ItemState, Rulebook
from syncd.policy.follow_ups.completion import End
from syncd.policy.follow_ups.duties import Item, LatestDay
from syncd.policy.follow_ups.membership import became_at, ended_by
from syncd.policy.postmortem.owed import Stretch, severities_that_count
from syncd.policy.postmortem.resolved_periods import enforced, merge_of, resolved_periods
from syncd.policy.rules_in_force import rules_at
from syncd.policy.time.time_words import as_date
from syncd.policy.time.working_time import working_day_after


class Run(Value):
    """A time in which the incident was over and the item counted for it; `until` is when that ended."""

    item: Item
    until: UtcTime | None = None


def settled(
    runs: Sequence[Run], now: datetime, judged: Callable[[Item, datetime], Duty]
) -> tuple[Run, datetime]:
    """Return the run that settles a duty, and the moment to judge it at.

    That is the first clock on which the duty was met, missed or cancelled, else the last one. While the
    incident is open again, that clock stands still.
    """
    for run in runs:
        if run.until is None:
            return run, now
        at_end = _as_of(run.item, run.until)
        duty = judged(at_end, run.until)
        # A deadline that passed just before the end was missed, too: later reads prove that.
        if duty.state not in RUNNING or duty.due_at < run.until:
            return run, now
    last = runs[-1]
    until = last.until or now
    return last.model_copy(update={"item": _as_of(last.item, until)}), until


def runs_after(runs: Sequence[Run], at: datetime) -> list[Run]:
    """Return the parts of runs that lie after a moment."""
    left = [run for run in runs if run.until is None or run.until > at]
    return [
        run.model_copy(update={"item": run.item.model_copy(update={"starts": max(run.item.starts, at)})})
        for run in left
    ]


def runs_of(case: Case, state: ItemState, book: Rulebook, end: End) -> list[Run]:
    """Return the runs of an item's clocks, oldest first; none before the first resolve."""
    if state.issue is None or state.changes_until is None or case.now is None:
        return []
    became = became_at(state.issue, state.source, state.changes, _ends(case)) or state.first_seen_at
    left = left_at(case, state)
    # Nothing shows what was done since on an item out of sight: what is not met by then is not met.
    seen = state.changes_until if state.in_sight else case.now
    seen = min(seen, case.read_until or seen)
    runs = []
    for since, until in _over(case, book):
        until = min((at for at in (until, left) if at is not None), default=None)
        starts = max(became, since, state.handed_over_at or since)
        if until is not None and until <= starts:
            continue
        days, counted = _latest_days(case, state, book, since)
        by_rule = state.facts.get("by_rule")
        item = Item(
            issue=state.issue,
            changes=state.changes,
            seen_until=seen,
            starts=starts,
            latest=days[-1].day,
            counted=counted,
            latest_days=days,
            by_rule=str(by_rule) if by_rule else None,
            ends=end.times,
            leaves=state.leaves,
            hidden_since=state.out_of_sight_since,
        )
        runs.append(Run(item=item, until=until))
    return runs


def left_at(case: Case, state: ItemState) -> datetime | None:
    """Return when a person's act made the issue no action item any more (UTC), None if it still is one."""
    if state.ended_at is None:
        return None
    removed = ended_by(state.changes, _ends(case))
    return min(removed.at, state.ended_at) if removed is not None else state.ended_at


def _ends(case: Case) -> frozenset[str]:
    return frozenset(issue.key for issue in (case.ticket, case.postmortem) if issue is not None)


def _over(case: Case, book: Rulebook) -> list[tuple[datetime, datetime | None]]:
    """Return the times in which the incident was over; a reopening of 30 minutes at most does not count.

    While a reopening may turn out not to count, the clock stands still: no verdict rests on that time. From
    a merge on, the items count for the target.
    """
    over = case.incident.over_since
    if case.state_changes is None or case.now is None:
        return [(over, None)] if over is not None else []
    periods = enforced(resolved_periods(case.state_changes, case.skew.earliest(case.now)), book)
    times = []
    for period in periods:
        # a rule that was off at a resolve stays off for what that resolve started
        if rules_at(case, book, period.resolved_at).mapping.follow_ups.mode is Mode.OFF:
            continue
        merged = merge_of(period, periods, case)
        ends = [at for at in (period.reopened_at, merged) if at is not None]
        times.append((period.resolved_at, min(ends, default=None)))
    return times


def _latest_days(
    case: Case, state: ItemState, book: Rulebook, over: datetime
) -> tuple[tuple[LatestDay, ...], str]:
    """Return the severity's latest day over time, and the severity and resolve of the last one."""
    names, mapping = list(book.mapping.severities), book.mapping
    sources = [
        Stretch(since=source.merged_at, until=source.until, severity=source.severity)
        for source in case.merged_sources
    ]
    counting = [each for each in (*severities_that_count(case, book), *sources) if each.severity in names]
    moments = {over, *(at for each in counting for at in (each.since, each.until) if at is not None)}
    days, worst = [], names[-1]
    for since in sorted(moments):
        known = {each.severity for each in counting if each.holds(since)}
        worst = min(known, key=names.index, default=names[-1])
        day = working_day_after(
            over, mapping.severities[worst].follow_up_days, mapping.zone, mapping.holidays
        )
        days.append(LatestDay(since=since, day=day))
    counted = f"{worst} {over.isoformat()}"
    # A changed mapping does not move the day on record; another resolve or severity does.
    recorded = state.facts.get("latest")
    on_record = as_date(str(recorded)) if recorded and state.facts.get("latest_for") == counted else None
    if on_record is not None:
        days[-1] = days[-1].model_copy(update={"day": on_record})
    return tuple(days), counted


def _as_of(item: Item, until: datetime) -> Item:
    """Return the facts of an item as they were at a moment: owner, date, comments, end."""
    later = [change for change in item.changes if change.at > until]
    issue, update = item.issue, dict[str, object]()
    owner = next((change for change in later if change.field == "assignee"), None)
    if owner is not None:
        known = {change.author.id: change.author for change in item.changes if change.author is not None}
        before = Account(id=owner.before, name=owner.before_words or "") if owner.before else None
        update["assignee"] = known.get(before.id, before) if before is not None else None
    dated = next((change for change in later if change.field == "duedate"), None)
    if dated is not None:
        update["due_date"] = dated.before or dated.before_words
    if issue.comments is not None:
        update["comments"] = tuple(comment for comment in issue.comments if comment.created_at <= until)
    ends = [ended for ended in item.ends if ended.since <= until]
    ends = [
        ended.model_copy(update={"until": None}) if ended.until is not None and ended.until > until else ended
        for ended in ends
    ]
    return item.model_copy(
        update={
            "issue": issue.model_copy(update=update),
            "changes": tuple(change for change in item.changes if change.at <= until),
            "seen_until": min(item.seen_until, until),
            "leaves": {account: leave for account, leave in item.leaves.items() if leave.by <= until},
            "ends": tuple(ends),
        }
    )
