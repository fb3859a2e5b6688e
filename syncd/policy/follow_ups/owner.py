"""Find in Jira's changelog when an action item had an owner who counts.

Ramen runbook, "Post-incident review": action items with owners. An owner whom syncd or a robot assigned
counts from the moment at which that person touches the item, and at once if another person assigns it. An
owner who has left counts until syncd saw the account inactive. If an item loses its owner later, it gets a
new clock of the same length, and the duty that was met stays met. What is done needs no owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Leave, no_persons
from syncd.domain.ticket import Issue, is_person
from syncd.policy.follow_ups.completion import Ended, closed_at
from syncd.policy.follow_ups.duties import (
    Item,
    active,
)


class Held(Value):
    """A time in which a person owned an item, by a person's word; `until` is None if it still is.

    `account` is the last owner's. `left` is True if it ended because that owner left. `unsure` is True if
    syncd never saw the account active: they may have left before a clock that started later.
    """

    since: UtcTime
    until: UtcTime | None = None
    by: str = ""
    account: str = ""
    left: bool = False
    unsure: bool = False


class Tenure(Value):
    """A time in which an active account owned an item; `by_person` is False if no person assigned it.

    `seen_active` is False if syncd never saw the account active: Jira assigns no inactive account, but keeps
    the owners who left. `left` is True if it ended because they left. `assigned_at` is set where it goes on
    with an owner who came back.
    """

    account: str
    name: str = ""
    since: UtcTime
    until: UtcTime | None = None
    by_person: bool = True
    seen_active: bool = True
    left: bool = False
    assigned_at: UtcTime | None = None


def tenures(item: Item) -> tuple[Tenure, ...]:
    """Return the item's owners, oldest first; a tenure ends when syncd sees the owner's account inactive."""
    owners: list[Tenure] = []
    for tenure in _assigned(item):
        leave = _leave(item, tenure)
        if leave is None:
            owners.append(tenure)
            continue
        if tenure.since < leave.by:
            seen = {"until": leave.by, "seen_active": leave.after is not None, "left": True}
            owners.append(tenure.model_copy(update=seen))
        if leave.back is not None and (tenure.until is None or leave.back < tenure.until):
            owners.append(tenure.model_copy(update={"since": leave.back, "assigned_at": tenure.since}))
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
    """Return when the owner first changed the item or commented on it after the assignment.

    Who had touched it before leaving owns it from the return on.
    """
    assigned_at = tenure.assigned_at or tenure.since
    touched = [
        change.at
        for change in item.changes
        if change.author is not None and change.author.human
        if change.author.id == tenure.account and change.at > assigned_at
    ]
    touched += [
        comment.created_at
        for comment in item.issue.comments or ()
        if comment.author is not None and comment.author.human
        if comment.author.id == tenure.account and comment.created_at > assigned_at
    ]
    first = min((at for at in touched if tenure.until is None or at < tenure.until), default=None)
    return max(first, tenure.since) if first is not None else None


def owner_times(item: Item) -> tuple[Held, ...]:
    """Return the times in which a person owned the item by a person's word, oldest first.

    An assignment by rule or by a robot meets nothing until the owner touches the item. A robot that hands an
    owned item on to another person takes nothing away. Whom a person names while the item is done owns it
    from the moment at which it is opened again.
    """
    robots = no_persons(item.issue.assignee, item.changes)
    times: list[Held] = []
    for tenure in tenures(item):
        if tenure.account in robots or (tenure.until is None and not active(item.issue.assignee)):
            continue
        last = times[-1] if times else None
        goes_on = last is not None and last.until == tenure.since and not last.left and not last.unsure
        if last is not None and goes_on:
            times[-1] = last.model_copy(
                update={"until": tenure.until, "account": tenure.account, "left": tenure.left}
            )
            continue
        since = tenure.since if tenure.by_person else taken_at(item, tenure)
        if since is not None:
            times.append(
                Held(
                    since=since,
                    until=tenure.until,
                    by=tenure.name or tenure.account,
                    account=tenure.account,
                    left=tenure.left,
                    unsure=not tenure.seen_active,
                )
            )
    return tuple(_while_open(times, item.ends))


def _while_open(times: Iterable[Held], ends: Sequence[Ended]) -> Iterator[Held]:
    for held in times:
        ended = closed_at(ends, held.since)
        if ended is None or ended[0] == held.since:
            yield held
            continue
        since = next(end.until for end in ends if end.since == ended[0])
        if since is not None and (held.until is None or since < held.until):
            yield held.model_copy(update={"since": since})
