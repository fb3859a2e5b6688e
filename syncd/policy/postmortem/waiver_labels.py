"""A waiver given in Jira: the label `waived` on the postmortem, with a comment by an approver.

Never by who owns it, and for 30 days at most; a day that the comment names ends it earlier. It ends when the
label goes. Once on record it stands while the label does, whatever else changes (rules: "The postmortem",
Waivers).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from syncd.domain.duty import Waiver
from syncd.domain.ticket import Comment, Issue
from syncd.policy.case import Case, Decision, PostmortemState, Rulebook
from syncd.policy.marks import is_persons
from syncd.policy.time.working_time import at_local

LABEL = "waived"
SOURCE = "jira"
LONGEST = timedelta(days=30)
BEFORE_THE_LABEL = timedelta(hours=1)
"""How long before the label the comment may have been written."""
REASON_AT_MOST = 300
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def label_waivers(case: Case, book: Rulebook) -> tuple[Decision, Sequence[Waiver]]:
    """Return the waivers that the label gives or ends, and all waivers as they then stand."""
    postmortem, now = case.postmortem, case.now
    issue = postmortem.issue if postmortem else None
    if postmortem is None or issue is None or now is None or not postmortem.in_sight:
        return Decision(), case.waivers
    given = [one for one in case.waivers if one.source == SOURCE and one.ended_at is None]
    labelled = LABEL in {label.casefold() for label in issue.labels}
    if not labelled:
        ended = tuple(
            one.model_copy(update={"ended_at": max(one.at, _changed_at(postmortem, False) or now)})
            for one in given
            if one.until > now
        )
        kept = {(one.source, one.at): one for one in (*case.waivers, *ended)}
        return Decision(waivers=ended), tuple(kept.values())
    if given or not book.mapping.people.approvers:
        return Decision(), case.waivers
    if case.approvers is None:
        return Decision(look=frozenset({"approvers"})), case.waivers
    new = _given(case, book, postmortem, issue)
    if new is None or new.until <= now or any(one.at == new.at for one in case.waivers):
        return Decision(), case.waivers
    return Decision(waivers=(new,)), (*case.waivers, new)


def _given(case: Case, book: Rulebook, postmortem: PostmortemState, issue: Issue) -> Waiver | None:
    labelled_at = _changed_at(postmortem, True) or issue.created_at
    if labelled_at is None:
        return None
    owner = issue.assignee.id if issue.assignee else None
    comment = next(
        (
            one
            for one in sorted(issue.comments or (), key=lambda one: one.created_at)
            if is_persons(one)
            and one.author is not None
            and one.author.id in (case.approvers or ())
            and one.author.id != owner
            and one.created_at >= labelled_at - BEFORE_THE_LABEL
        ),
        None,
    )
    if comment is None or comment.author is None:
        return None
    at = max(labelled_at, comment.created_at)
    reason = "see the comment" if case.restricted else " ".join(comment.body.split())[:REASON_AT_MOST]
    return Waiver(
        until=_until(comment, at, book.mapping.zone),
        reason=reason,
        by=comment.author.name or comment.author.id,
        at=at,
        source=SOURCE,
    )


def _until(comment: Comment, at: datetime, zone: str) -> datetime:
    """The end of the first day to come that the comment names, 30 days later at most."""
    longest = at + LONGEST
    for word in _DAY.findall(comment.body):
        try:
            end = at_local(date.fromisoformat(word) + timedelta(days=1), time(), zone)
        except ValueError:
            continue
        if end > at:
            return min(end, longest)
    return longest


def _changed_at(postmortem: PostmortemState, there: bool) -> datetime | None:
    """Return the moment at which the label was last set (or taken away)."""
    found = None
    for change in postmortem.changes:
        if change.field == "labels":
            before, after = (
                {*(words or "").casefold().split()} for words in (change.before_words, change.after_words)
            )
            if (LABEL in after) is there and (LABEL in before) is not there:
                found = change.at
    return found
