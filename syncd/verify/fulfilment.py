"""The times in which a duty is fulfilled, each with the person whose act began it.

An act of an account that no person uses changes what an issue shows, but fulfils nothing until a person acts
on the issue, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from syncd.domain.ticket import Account
from syncd.verify.days import Calendar
from syncd.verify.facts import IssueFacts, ItemFacts, People
from syncd.verify.record import Setting, assignees, at_time, dates, label_set_at, settings, statuses

REASON_BEFORE = timedelta(days=1)
"""A reason may be written this long before what it explains."""


class Fulfilled(NamedTuple):
    """A time in which a duty is fulfilled; `end` None: to this day. `why` says what ended it."""

    start: datetime
    end: datetime | None
    by: str | None
    why: Literal["removed", "left", ""] = ""


class _Act(NamedTuple):
    at: datetime
    by: Account | None


def _acts(issue: IssueFacts) -> list[_Act]:
    acts = [_Act(change.at, change.author) for change in issue.changes]
    acts += [_Act(comment.created_at, comment.author) for comment in issue.comments]
    return sorted([_Act(issue.created_at, issue.creator), *acts], key=lambda act: act.at)


def _with_leavings(issue: IssueFacts, people: People, acts: list[_Act]) -> list[_Act]:
    leaving = []
    for owner in {entry.value for entry in assignees(issue) if entry.value in people.leavers}:
        times = people.leavers[owner]
        leaving.append(_Act(times.inactive_at, None))
        if times.back_at is not None:
            # who comes back owns again what still bears the name
            leaving.append(_Act(times.back_at, Account(id=owner, human=True)))
    # nobody reads the owner of an issue that Jira does not show
    if issue.hidden_since is not None:
        leaving = [act for act in leaving if act.at < issue.hidden_since]
    return sorted([*acts, *leaving], key=lambda act: act.at)


def _times(
    acts: list[_Act],
    people: People,
    holds: Callable[[datetime], bool],
    why: Callable[[datetime], Literal["removed", "left"]],
    keeps: Callable[[datetime], bool] | None = None,
) -> list[Fulfilled]:
    """Return the times from a person's act after which `holds` is true, until `keeps` (or `holds`) is not."""
    keeps = keeps or holds
    times: list[Fulfilled] = []
    for act in acts:
        running = bool(times) and times[-1].end is None
        if running and not keeps(act.at):
            times[-1] = times[-1]._replace(end=act.at, why=why(act.at))
        elif not running and people.is_person(act.by) and holds(act.at):
            times.append(Fulfilled(act.at, None, act.by.id if act.by else None))
    return times


def _owner_at(issue: IssueFacts, people: People, at: datetime) -> str | None:
    entry = at_time(assignees(issue), at)
    return entry.value if entry and people.owns(entry.value, at) else None


def _why_no_owner(issue: IssueFacts, people: People, at: datetime) -> Literal["removed", "left"]:
    entry = at_time(assignees(issue), at)
    gone = entry is not None and entry.value in people.leavers
    return "left" if gone and _owner_at(issue, people, at) is None else "removed"


def day_in(text: str | None) -> date | None:
    """Return the day of a date field's value, None where it has none."""
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


class ScheduledRule(NamedTuple):
    """The bounds of a review date for one clock: the resolve's day, the clock's start and deadline."""

    calendar: Calendar
    resolved_at: datetime
    start: datetime
    due: datetime
    within_days: int

    def accepts(self, entry: Setting | None, people: People) -> bool:
        """Return True if a person entered a day that is early enough, and not before the resolve."""
        day = day_in(entry.value) if entry else None
        if entry is None or day is None or not people.is_person(entry.by):
            return False
        begins = self.start if entry.at <= self.due else entry.at
        latest = self.calendar.day_of(begins) + timedelta(days=self.within_days)
        return self.calendar.day_of(self.resolved_at) <= day <= latest


def _is_taken(entries: list[Setting], acts: list[_Act], people: People, at: datetime) -> bool:
    """Return True if an active person owns an issue by a person's word, or has touched it as its owner."""
    entry = at_time(entries, at)
    if entry is None or not people.owns(entry.value, at):
        return False
    # what syncd or a robot assigned meets nothing until the owner acts
    return people.is_person(entry.by) or any(
        entry.at < act.at <= at and act.by is not None and act.by.id == entry.value for act in acts
    )


def scheduled(issue: IssueFacts, people: People, rule: ScheduledRule) -> list[Fulfilled]:
    """Return when the postmortem had an active owner and a review date that a person entered."""
    entries, owners, acts = dates(issue), assignees(issue), _acts(issue)
    people = people.of_issue(issue)

    def holds(at: datetime) -> bool:
        return _is_taken(owners, acts, people, at) and rule.accepts(at_time(entries, at), people)

    def keeps(at: datetime) -> bool:
        return _owner_at(issue, people, at) is not None and rule.accepts(at_time(entries, at), people)

    every = _with_leavings(issue, people, acts)
    times = _times(every, people, holds, lambda at: _why_no_owner(issue, people, at), keeps)
    return _while_completed(times, completions(issue, people))


def _while_completed(times: list[Fulfilled], completed: list[Fulfilled]) -> list[Fulfilled]:
    """Return the times, each going on while it was completed: what is completed and scheduled stays so."""
    lasting: list[Fulfilled] = []
    for time in times:
        if lasting and (lasting[-1].end is None or time.start < lasting[-1].end):
            end = lasting[-1].end
            if end is not None and (time.end is None or end < time.end):
                lasting[-1] = lasting[-1]._replace(end=time.end, why=time.why)
            continue
        lasting.append(time)
        end = time.end
        if end is None:
            continue
        cover = [each for each in completed if each.start <= end and (each.end is None or end < each.end)]
        if cover:
            why: Literal["removed", ""] = "removed" if cover[0].end is not None else ""
            lasting[-1] = time._replace(end=cover[0].end, why=why)
    return lasting


def _in_done_status(issue: IssueFacts, at: datetime) -> bool:
    entry = at_time(statuses(issue), at)
    return entry is not None and entry.value in issue.done_statuses


def completions(issue: IssueFacts, people: People) -> list[Fulfilled]:
    """Return when the postmortem stood in a status that means completed, where a person put it there."""
    acts = [_Act(entry.at, entry.by) for entry in statuses(issue)]
    return _times(acts, people, lambda at: _in_done_status(issue, at), lambda _: "removed")


def written_at(issue: IssueFacts, people: People) -> datetime | None:
    """Return when a person first made, changed or commented a postmortem, None if nobody did.

    Where Jira names no author it may have been a person: what people wrote is never cancelled.
    """
    texts = {"description", "summary", "status", issue.date_field}
    acts = [_Act(change.at, change.author) for change in issue.changes if change.field in texts]
    acts += [_Act(comment.created_at, comment.author) for comment in issue.comments]
    acts += [_Act(issue.created_at, issue.creator)] if issue.creator is not None else []
    return min((act.at for act in acts if act.by is None or people.is_person(act.by)), default=None)


def owned(item: ItemFacts, people: People) -> list[Fulfilled]:
    """Return when an item had an active owner whom a person named, or who has touched the item."""
    issue, people = item.issue, people.of_issue(item.issue)
    entries = assignees(issue)
    if item.named_by is not None:
        # a person wrote the owner into the table; syncd only carried the name over
        entries = [entries[0]._replace(by=item.named_by), *entries[1:]]

    acts = _acts(issue)
    if item.named_by is not None:
        acts = [act._replace(by=item.named_by) if act.at == issue.created_at else act for act in acts]

    def holds(at: datetime) -> bool:
        return _is_taken(entries, acts, people, at)

    def keeps(at: datetime) -> bool:
        # a robot that hands an owned item on takes nothing away
        return _owner_at(issue, people, at) is not None

    every = _with_leavings(issue, people, acts)
    return _times(every, people, holds, lambda at: _why_no_owner(issue, people, at), keeps)


def while_open(times: Sequence[Fulfilled], ends: Sequence[Fulfilled]) -> list[Fulfilled]:
    """Return the times in which an item was owned; who is named while it is done owns it once it is open."""
    owned_open = []
    for time in times:
        start: datetime | None = time.start
        for end in ends:
            if end.start < time.start and (end.end is None or time.start < end.end):
                start = end.end
        if start is not None and (time.end is None or start < time.end):
            owned_open.append(time._replace(start=start))
    return owned_open


def not_done(ends: Sequence[Fulfilled], since: datetime) -> list[tuple[datetime, datetime | None]]:
    """Return the times from a moment on in which an item was not done, given the times in which it was."""
    times: list[tuple[datetime, datetime | None]] = []
    for end in ends:
        times.append((since, end.start))
        if end.end is None:
            return times
        since = end.end
    return [*times, (since, None)]


def done(item: ItemFacts, people: People, wont_do: tuple[str, ...]) -> list[Fulfilled]:
    """Return when an item was done: closed, or set aside with a person's reason in a comment.

    The item on runbook and knowledge base needs a link in a comment, or the label `no-change-needed` and a
    comment (`runbooks/qrpay.md`, "Post-Incident": the knowledge base article is created or updated).
    """
    issue = item.issue
    resolutions = settings(issue, "resolution", issue.resolution, words=True)
    set_aside, unchanged = label_set_at(issue, "wont-do"), label_set_at(issue, "no-change-needed")
    remarks = [comment for comment in issue.comments if people.is_person(comment.author)]

    def explained(since: datetime, at: datetime) -> bool:
        return any(since - REASON_BEFORE <= remark.created_at <= at for remark in remarks)

    def holds(at: datetime) -> bool:
        closed, label = _in_done_status(issue, at), at_time(set_aside, at)
        resolution = at_time(resolutions, at)
        named = {name.casefold() for name in wont_do}
        if label and label.value:
            return explained(_since(set_aside, at), at)
        if not closed:
            return False
        if resolution and resolution.value and resolution.value.casefold() in named:
            return explained(resolution.at, at)
        if not item.runbook:
            return True
        linked = any("://" in remark.body and remark.created_at <= at for remark in remarks)
        spared = at_time(unchanged, at)
        return linked or bool(spared and spared.value and any(r.created_at <= at for r in remarks))

    return _times(_acts(issue), people, holds, lambda _: "removed")


def _since(values: list[Setting], at: datetime) -> datetime:
    """Return since when the value in force at a time has been the same."""
    before = [entry for entry in values if entry.at <= at]
    since = before[-1].at
    for entry in reversed(before):
        if entry.value != before[-1].value:
            break
        since = entry.at
    return since
