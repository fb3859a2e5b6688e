"""How an action item ends: done, or not to be done with a person's word why.

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
from syncd.domain.ticket import Comment, Issue
from syncd.policy.marks import mark_in

WONT_DO_LABEL = "wont-do"
NO_CHANGE_LABEL = "no-change-needed"
NO_REASON = "not to be done, and nobody said why"
NO_LINK = "closed without a link, or the label no-change-needed and a comment"
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
        return End(stands="done")
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
    """When it came to its end and who did that; a later move between two ends counts for nothing."""
    if finished:
        ends = (_last(changes, "status"), _last(changes, "resolution"))
        acts = [one for one in ends if one is not None and one.after is not None]
    else:
        acts = [one for one in changes if one.field == "labels" and _gained(one)][-1:]
    first = min(acts, key=lambda one: one.at, default=None)
    if first is None:
        return issue.created_at, "somebody"
    who = first.author
    return first.at, (who.name or who.id) if who is not None else "somebody"


def _last(changes: Sequence[Change], field: str) -> Change | None:
    return next((one for one in reversed(changes) if one.field == field), None)


def _gained(change: Change) -> bool:
    had = (change.before_words or change.before or "").split()
    has = (change.after_words or change.after or "").split()
    return WONT_DO_LABEL in has and WONT_DO_LABEL not in had


def by_people(comments: Sequence[Comment]) -> list[Comment]:
    """The comments that people wrote."""
    return [
        one
        for one in comments
        if one.mark is None and mark_in(one.body) is None and (one.author is None or one.author.human)
    ]


def _said_since(issue: Issue, since: datetime, restricted: bool) -> datetime | None:
    """When the first person's comment since then was written; a list that was cut holds one."""
    if restricted or issue.comments is None:
        return since
    said = [one.created_at for one in by_people(issue.comments) if one.created_at >= since]
    return min(said, default=None)


def _shows_something(issue: Issue) -> bool:
    if issue.comments is None:
        return True
    said = by_people(issue.comments)
    return any(_URL.search(one.body) for one in said) or (NO_CHANGE_LABEL in issue.labels and bool(said))
