"""Judge the duty of an action item to have an owner within working hours.

Ramen runbook, "Post-incident review": action items with owners. An owner whom syncd or a robot assigned
counts from the moment at which that person touches the item, and at once if another person assigns it. An
owner who has left counts until syncd saw the account inactive. If an item loses its owner later, it gets a
new clock of the same length, and the duty that was met stays met. What is done needs no owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import MET, RUNNING, Duty, DutyKind, DutyState
from syncd.domain.history import Leave
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Issue, is_person
from syncd.policy.duty_words import OWNER_LEFT, left_words
from syncd.policy.follow_ups.duties import (
    Item,
    JudgingRules,
    active,
    due_and_before,
    first_clock,
    met,
    owed_anew,
    owner_due,
    still_owed,
)

DONE_UNOWNED = "it was done before it had an owner"
"""The reason of a cancelled owner duty: what is done needs no owner."""


class Tenure(Value):
    """A time in which an active account owned an item; `by_person` is False if no person assigned it.

    `seen_active` is False if syncd never saw the account active: Jira assigns no inactive account, but keeps
    the owners who left.
    """

    account: str
    name: str = ""
    since: UtcTime
    until: UtcTime | None = None
    by_person: bool = True
    seen_active: bool = True


def tenures(item: Item) -> tuple[Tenure, ...]:
    """Return the item's owners, oldest first; a tenure ends when syncd sees the owner's account inactive."""
    owners: list[Tenure] = []
    for tenure in _assigned(item):
        leave = _leave(item, tenure)
        if leave is None:
            owners.append(tenure)
            continue
        if tenure.since < leave.by:
            seen = {"until": leave.by, "seen_active": leave.after is not None}
            owners.append(tenure.model_copy(update=seen))
        if leave.back is not None and (tenure.until is None or leave.back < tenure.until):
            owners.append(tenure.model_copy(update={"since": leave.back}))
    return tuple(owners)


def _leave(item: Item, tenure: Tenure) -> Leave | None:
    """Return when the account of an owner was inactive during the tenure, None if it never was."""
    present, leave = item.issue.assignee, item.leaves.get(tenure.account)
    if leave is None and tenure.until is None and present is not None and not present.active:
        leave = Leave(by=item.seen_until)
    over = leave is None or (tenure.until is not None and tenure.until <= leave.by)
    over = over or (leave is not None and leave.back is not None and leave.back <= tenure.since)
    return None if over else leave


def _assigned(item: Item) -> tuple[Tenure, ...]:
    """Return the item's assignees, oldest first."""
    issue = item.issue
    moves = [change for change in item.changes if change.field == "assignee"]
    # The owner before the first change had the item from its create.
    since = issue.created_at
    owners: list[Tenure] = []
    first = moves[0] if moves else None
    holder = (first.before, first.before_words) if first else _present(issue)
    # Jira may show syncd's own assignment before its changelog has it.
    by_person = first is not None or holder[0] != item.by_rule
    for move in moves:
        if holder[0] and since is not None:
            owners.append(
                Tenure(
                    account=holder[0],
                    name=holder[1] or "",
                    since=since,
                    until=move.at,
                    by_person=by_person,
                )
            )
        holder, since = (move.after, move.after_words), move.at
        by_person = is_person(move.author)
    if holder[0] and since is not None:
        owners.append(Tenure(account=holder[0], name=holder[1] or "", since=since, by_person=by_person))
    return tuple(owners)


def _present(issue: Issue) -> tuple[str | None, str | None]:
    return (issue.assignee.id, issue.assignee.name) if issue.assignee else (None, None)


def taken_at(item: Item, tenure: Tenure) -> datetime | None:
    """Return when the owner first changed the item or commented on it after the assignment."""
    touched = [
        change.at
        for change in item.changes
        if change.author is not None and change.author.human
        if change.author.id == tenure.account and change.at > tenure.since
    ]
    touched += [
        comment.created_at
        for comment in item.issue.comments or ()
        if comment.author is not None and comment.author.human
        if comment.author.id == tenure.account and comment.created_at > tenure.since
    ]
    return min((at for at in touched if tenure.until is None or at < tenure.until), default=None)


def owned(
    item: Item, recorded: Duty | None, mapping: Mapping, now: datetime, judging: JudgingRules
) -> Iterator[Duty]:
    """Yield the duty `owned` unless it is met already, and a new one if the item lost its owner later."""
    duty = recorded or first_clock(DutyKind.OWNED, item, mapping, owner_due(item.starts, mapping))
    opened_at = _opened_at(item)
    if duty.state is DutyState.VOID:
        if duty.claimed_met_at is not None:
            return
        duty = owed_anew(duty, mapping, judging)
    if duty.state is DutyState.CANCELLED and duty.reason == DONE_UNOWNED and opened_at is not None:
        duty = _again(duty, opened_at, "it was opened again", mapping)
    if duty.state not in MET:
        # The item starts later than on record, as after another resolve: its owner gets the full time.
        if duty.state in RUNNING and duty.breached_at is None and duty.started_at < item.starts:
            due = owner_due(item.starts, mapping)
            duty = duty.model_copy(update={"started_at": item.starts, "due_at": due, "was_due_at": None})
        duty = _owned(item, duty, now, judging)
        yield duty
    # What is done needs no owner.
    if duty.state in MET and item.closed is None and not active(item.issue.assignee):
        lost = max([_lost_at(item, now), *([opened_at] if opened_at is not None else [])])
        assignee = item.issue.assignee
        leave = item.leaves.get(assignee.id) if assignee else None
        why = f"its owner {left_words(leave, mapping.zone)}" if leave else OWNER_LEFT
        why = why if assignee else "it lost its owner"
        yield _owned(item, _again(duty, lost, why, mapping), now, judging)


def _again(duty: Duty, at: datetime, why: str, mapping: Mapping) -> Duty:
    """Return the duty to find an owner with a new clock, which starts at a moment."""
    return Duty(
        kind=duty.kind,
        subject=duty.subject,
        clock=duty.clock + 1,
        started_at=at,
        due_at=owner_due(at, mapping),
        reason=why,
        rule=mapping.version,
    )


def _opened_at(item: Item) -> datetime | None:
    """Return when a done item was opened again, None if it was not, or stands done."""
    opened = [
        move.at for move in item.changes if move.field == "resolution" and move.before and not move.after
    ]
    return max(opened, default=None) if item.closed is None else None


def _lost_at(item: Item, now: datetime) -> datetime:
    """Return when the last owner left: by the changelog, or when syncd saw the account inactive."""
    return max((tenure.until for tenure in tenures(item) if tenure.until is not None), default=now)


def _owned(item: Item, duty: Duty, now: datetime, judging: JudgingRules) -> Duty:
    robots = {change.author.id for change in item.changes if change.author and not change.author.human}
    for tenure in tenures(item):
        # This owner left before the clock started. Their leaving may be the reason for the clock.
        if tenure.until is not None and tenure.until <= duty.started_at:
            continue
        if tenure.account in robots or (tenure.until is None and not active(item.issue.assignee)):
            continue
        # The owner may have left before the clock started.
        if not tenure.seen_active and tenure.since <= duty.started_at:
            continue
        # An assignment by rule or by a robot meets nothing until the owner touches the item.
        since = tenure.since if tenure.by_person else taken_at(item, tenure)
        at = max(since, duty.started_at) if since is not None else None
        # What is done needs no owner, so nobody met the duty after that.
        if at is not None and (item.closed is None or at <= item.closed[0]):
            return met(duty, at, tenure.name or tenure.account, judging)
    if item.closed is not None:
        return _done_unowned(duty, item.closed[0], judging)
    return still_owed(duty, item, now, judging)


def _done_unowned(duty: Duty, done_at: datetime, judging: JudgingRules) -> Duty:
    """Return the duty of an item that was done without an owner: cancelled; a breach before that stays."""
    base, due = duty.was_due_at or duty.due_at, judging.deadline_of(duty)
    update: dict[str, object] = {"state": DutyState.CANCELLED, "reason": DONE_UNOWNED}
    if duty.breached_at is None:
        update |= {"breached_at": due if due < done_at else None, **due_and_before(due, base)}
    return duty.model_copy(update=update)
