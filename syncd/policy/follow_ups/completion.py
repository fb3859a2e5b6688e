"""Decide how an action item ends: done, or won't do with a person's reason.

QRPay runbook, "Post-Incident Actions": follow-up tasks are tracked to completion. An item is done in a status
of the category done. An item that people will not do has a mapped resolution or the label `wont-do`, and a
person's comment as the reason. People close the runbook item with a link in a comment, or with the label
`no-change-needed` and a comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Account, Comment, Issue
from syncd.policy.marks import is_persons

WONT_DO_LABEL = "wont-do"
NO_CHANGE_LABEL = "no-change-needed"
NO_REASON = "marked as won't do, and no person's comment says why"
BY_NO_PERSON = "ended by an app or a robot; no person has changed or commented on it since"
NO_LINK = "closed, but no comment links the change and the label no-change-needed with a comment is missing"
BEFORE = timedelta(days=1)
"""A comment may be older than the act that it explains by this time."""

_URL = re.compile(r"https?://\S")


class End(Value):
    """The state of an item: `open`, `done` or `won't do`.

    `closed` is the time and the person of an end that counts. Of an end that does not count, `lacking` says
    what is missing.
    """

    stands: str = "open"
    closed: tuple[UtcTime, str] | None = None
    lacking: str | None = None


def end_of(
    issue: Issue, changes: Sequence[Change], rules: FollowUps, *, knowledge: bool, restricted: bool
) -> End:
    """Return the state of an item and its end.

    `knowledge` marks the runbook item. syncd keeps no comments of a `restricted` incident, so it asks for
    none there.
    """
    declined = WONT_DO_LABEL in issue.labels or _resolved_as(issue, rules)
    finished = issue.status.category == "done"
    if not finished and WONT_DO_LABEL not in issue.labels:
        return End()
    at, by = _when(issue, changes, finished)
    if at is None:
        return End(stands="won't do" if declined else "done", lacking=BY_NO_PERSON)
    if declined:
        # Without a reason the item is not ended, so it ends when the later of act and comment is there.
        commented_at = _commented_since(issue, at - BEFORE, restricted)
        if commented_at is None:
            return End(stands="won't do", lacking=NO_REASON)
        return End(stands="won't do", closed=(max(at, commented_at), by))
    if knowledge and not restricted and not _shows_something(issue):
        return End(stands="done", lacking=NO_LINK)
    return End(stands="done", closed=(at, by))


def _resolved_as(issue: Issue, rules: FollowUps) -> bool:
    names = {name.casefold() for name in rules.wont_do}
    return issue.resolution is not None and issue.resolution.name.casefold() in names


def _when(issue: Issue, changes: Sequence[Change], finished: bool) -> tuple[datetime | None, str]:
    """Return when the item ended and the name of the person who ended it.

    If an app or a robot ended the item, its end counts from the first later change or comment of a person.
    """
    if finished:
        ends = (_last(changes, "status"), _last(changes, "resolution"))
        acts = [change for change in ends if change is not None and change.after is not None]
    else:
        acts = [change for change in changes if change.field == "labels" and gained(change, WONT_DO_LABEL)]
        acts = acts[-1:]
    first = min(acts, key=lambda change: change.at, default=None)
    # The changelog has no such act, so the issue stands like this since its create.
    if first is None:
        return issue.created_at, "somebody"
    if first.author is None or first.author.human:
        return first.at, name_of(first.author)
    touches = [
        (change.at, name_of(change.author)) for change in changes if change.author and change.author.human
    ]
    touches += [(comment.created_at, name_of(comment.author)) for comment in by_people(issue.comments or ())]
    return min((touch for touch in touches if touch[0] >= first.at), default=(None, ""))


def name_of(account: Account | None) -> str:
    """Return the name of an account for people."""
    return (account.name or account.id) if account is not None else "somebody"


def _last(changes: Sequence[Change], field: str) -> Change | None:
    return next((change for change in reversed(changes) if change.field == field), None)


def gained(change: Change, label: str) -> bool:
    """Return True if a change of labels added this label."""
    had = (change.before_words or change.before or "").split()
    has = (change.after_words or change.after or "").split()
    return label in has and label not in had


def by_people(comments: Sequence[Comment]) -> list[Comment]:
    """Return the comments that people wrote, not apps, robots or syncd."""
    return [comment for comment in comments if is_persons(comment)]


def _commented_since(issue: Issue, since: datetime, restricted: bool) -> datetime | None:
    """Return when a person first commented since then, None if nobody did."""
    # syncd does not have the comments, so it takes for granted that there is one.
    if restricted or issue.comments is None:
        return since
    times = [comment.created_at for comment in by_people(issue.comments) if comment.created_at >= since]
    return min(times, default=None)


def _shows_something(issue: Issue) -> bool:
    # syncd does not have the comments, so it takes for granted that there is a link.
    if issue.comments is None:
        return True
    comments = by_people(issue.comments)
    linked = any(_URL.search(comment.body) for comment in comments)
    return linked or (NO_CHANGE_LABEL in issue.labels and bool(comments))
