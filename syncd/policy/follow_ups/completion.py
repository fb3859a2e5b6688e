"""Decide how an action item ends: done, or won't do with a person's reason.

Done is a status of category done. What will not be done has a mapped resolution or the label `wont-do`, and
a person's comment as the reason. The follow-up on runbook and knowledge base is closed with a link, or with
the label `no-change-needed` and a comment (rules, "Follow-ups").
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
"""A comment may be written so long before the act that it explains."""

_URL = re.compile(r"https?://\S")


class End(Value):
    """How an item stands: `open`, `done` or `won't do`.

    `closed` is when and by whom, where the rules are kept; `lacking` says what is missing before it counts.
    """

    stands: str = "open"
    closed: tuple[UtcTime, str] | None = None
    lacking: str | None = None


def end_of(
    issue: Issue, changes: Sequence[Change], rules: FollowUps, *, knowledge: bool, restricted: bool
) -> End:
    """Given an item as it was read, return how it stands.

    `knowledge`: it is the one on runbook and knowledge base. Of a restricted incident no comments are kept,
    so that none is asked for.
    """
    declined = WONT_DO_LABEL in issue.labels or _resolved_as(issue, rules)
    finished = issue.status.category == "done"
    if not finished and WONT_DO_LABEL not in issue.labels:
        return End()
    at, by = _when(issue, changes, finished)
    if at is None:
        return End(stands="won't do" if declined else "done", lacking=BY_NO_PERSON)
    if declined:
        said = _said_since(issue, at - BEFORE, restricted)
        if said is None:
            return End(stands="won't do", lacking=NO_REASON)
        return End(stands="won't do", closed=(max(at, said), by))
    if knowledge and not restricted and not _shows_something(issue):
        return End(stands="done", lacking=NO_LINK)
    return End(stands="done", closed=(at, by))


def _resolved_as(issue: Issue, rules: FollowUps) -> bool:
    names = {one.casefold() for one in rules.wont_do}
    return issue.resolution is not None and issue.resolution.name.casefold() in names


def _when(issue: Issue, changes: Sequence[Change], finished: bool) -> tuple[datetime | None, str]:
    """Return when the item ended and who ended it; a later move between two ends does not count.

    What an app or a robot ended counts from the first change or comment of a person after that, if any.
    """
    if finished:
        ends = (_last(changes, "status"), _last(changes, "resolution"))
        acts = [one for one in ends if one is not None and one.after is not None]
    else:
        acts = [one for one in changes if one.field == "labels" and gained(one, WONT_DO_LABEL)][-1:]
    first = min(acts, key=lambda one: one.at, default=None)
    if first is None:
        return issue.created_at, "somebody"
    if first.author is None or first.author.human:
        return first.at, name_of(first.author)
    after = [(one.at, name_of(one.author)) for one in changes if one.author and one.author.human]
    after += [(one.created_at, name_of(one.author)) for one in by_people(issue.comments or ())]
    return min((act for act in after if act[0] >= first.at), default=(None, ""))


def name_of(account: Account | None) -> str:
    """Return the name of an account for people."""
    return (account.name or account.id) if account is not None else "somebody"


def _last(changes: Sequence[Change], field: str) -> Change | None:
    return next((one for one in reversed(changes) if one.field == field), None)


def gained(change: Change, label: str) -> bool:
    """Return True if a change of labels set this one."""
    had = (change.before_words or change.before or "").split()
    has = (change.after_words or change.after or "").split()
    return label in has and label not in had


def by_people(comments: Sequence[Comment]) -> list[Comment]:
    """The comments that people wrote."""
    return [comment for comment in comments if is_persons(comment)]


def _said_since(issue: Issue, since: datetime, restricted: bool) -> datetime | None:
    """Return when a person first commented since then; a list that was cut is taken to hold a comment."""
    if restricted or issue.comments is None:
        return since
    said = [one.created_at for one in by_people(issue.comments) if one.created_at >= since]
    return min(said, default=None)


def _shows_something(issue: Issue) -> bool:
    if issue.comments is None:
        return True
    said = by_people(issue.comments)
    return any(_URL.search(one.body) for one in said) or (NO_CHANGE_LABEL in issue.labels and bool(said))
