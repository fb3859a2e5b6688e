"""Read waivers that are given in Jira: the label `waived` on the issue, with an approver's comment.

On the postmortem the label waives both of its duties, on an action item its usual duty: to be done, of a
recurring issue to be held. The
owner of the issue cannot waive it. A waiver lasts until the day that the comment names, 30 days at
most, and 14 days without one. It also ends when somebody removes the label. Once it is on record, a waiver
stands as long as the label, whatever else changes. When it is over, only a label that is set again gives
another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from syncd.domain.duty import BY_ONE_APPROVER, LONGEST_WAIVER, OF_POSTMORTEM, DutyKind, Waiver
from syncd.domain.ticket import Comment, Issue
from syncd.policy.case import Case, Decision, DutyIssueState, ItemState, Rulebook
from syncd.policy.marks import is_persons
from syncd.policy.postmortem.facts_in_comments import WITHHELD
from syncd.policy.time.working_time import end_of_day

LABEL = "waived"
BY_LABEL = "jira"
"""The source of a waiver that a label in Jira gave."""
WITHOUT_A_DAY = timedelta(days=14)
"""How long a waiver lasts whose comment names no day to come that syncd can read."""
BEFORE_THE_LABEL = timedelta(hours=1)
"""The approver may write the comment before the label is set, by this time at most."""
REASON_AT_MOST = 300
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def label_waivers(
    case: Case, book: Rulebook, item: ItemState | None = None
) -> tuple[Decision, Sequence[Waiver]]:
    """Return the waivers that the label gives or ends on the postmortem, and all waivers as they then stand.

    With an `item`, those of this action item.
    """
    state, now = item or case.postmortem, case.now
    issue = state.issue if state else None
    if state is None or issue is None or now is None or not state.in_sight:
        return Decision(), case.waivers
    own = [waiver for waiver in case.waivers if waiver.subject == _subject(state)]
    given = [waiver for waiver in own if waiver.source == BY_LABEL]
    labelled = LABEL in {label.casefold() for label in issue.labels}
    if not labelled:
        removed_at = _changed_at(state, False) or now
        ended = tuple(
            waiver.model_copy(update={"ended_at": max(waiver.at, removed_at)})
            for waiver in given
            if waiver.ended_at is None and removed_at < waiver.until
        )
        # An ended waiver replaces its earlier copy.
        kept = {(waiver.source, waiver.subject, waiver.at): waiver for waiver in (*case.waivers, *ended)}
        return Decision(waivers=ended), tuple(kept.values())
    # The changelog does not tell of a label that the issue had from its create.
    labelled_at = _changed_at(state, True) or issue.created_at
    if labelled_at is None or not book.mapping.people.may_approve:
        return Decision(), case.waivers
    # A label gives one waiver: a command may have ended it. Another one comes when the earlier is over.
    if any(waiver.at >= labelled_at or waiver.runs(now) for waiver in given):
        return Decision(), case.waivers
    if case.approvers is None:
        return Decision(look=frozenset({"approvers"})), case.waivers
    new = _given(case, book, state, issue, own, labelled_at)
    # One that is over already counts, too: it moved the deadline, whether or not anybody looked meanwhile.
    return (Decision(waivers=(new,)), (*case.waivers, new)) if new is not None else (Decision(), case.waivers)


def _subject(state: DutyIssueState) -> str | None:
    return state.issue_id if isinstance(state, ItemState) else None


def _given(
    case: Case,
    book: Rulebook,
    state: DutyIssueState,
    issue: Issue,
    own: Sequence[Waiver],
    labelled_at: datetime,
) -> Waiver | None:
    owner = issue.assignee.id if issue.assignee else None
    # The first comment of each approver, oldest first.
    approved: dict[str, Comment] = {}
    for comment in sorted(issue.comments or (), key=lambda comment: comment.created_at):
        author = comment.author.id if comment.author is not None and is_persons(comment) else None
        recent = comment.created_at >= labelled_at - BEFORE_THE_LABEL
        if author is not None and author in (case.approvers or ()) and author != owner and recent:
            approved.setdefault(author, comment)
    kinds = (state.usual_duty,) if isinstance(state, ItemState) else OF_POSTMORTEM
    needed = 1 if max(given_before(own, kind) for kind in kinds) < BY_ONE_APPROVER else 2
    comments = [*approved.values()][:needed]
    if len(comments) < needed:
        return None
    at = max(labelled_at, *(comment.created_at for comment in comments))
    first = comments[0]
    reason = WITHHELD if case.restricted else " ".join(first.body.split())[:REASON_AT_MOST]
    people = [comment.author for comment in comments if comment.author is not None]
    return Waiver(
        duty=state.usual_duty if isinstance(state, ItemState) else None,
        subject=_subject(state),
        until=_until(first, at, book.mapping.zone),
        reason=reason,
        by=" and ".join(person.name or person.id for person in people),
        at=at,
        source=BY_LABEL,
    )


def given_before(waivers: Iterable[Waiver], kind: DutyKind) -> int:
    """Return how often a duty was waived so far by the waivers of its issue."""
    return sum(waiver.duty in (None, kind) for waiver in waivers)


def _until(comment: Comment, at: datetime, zone: str) -> datetime:
    """Return the end of the first future day that the comment names, 30 days after `at` at most.

    Without such a day it ends after 14 days.
    """
    for word in _DAY.findall(comment.body):
        try:
            end = end_of_day(date.fromisoformat(word), zone)
        except ValueError:
            # It looks like a day but is none, such as 2026-13-45.
            continue
        if end > at:
            return min(end, at + LONGEST_WAIVER)
    return at + WITHOUT_A_DAY


def _changed_at(state: DutyIssueState, labelled: bool) -> datetime | None:
    """Return the moment at which the label was last set, or removed if not `labelled`."""
    changed_at = None
    for change in state.changes:
        if change.field == "labels":
            before, after = (
                {*(words or "").casefold().split()} for words in (change.before_words, change.after_words)
            )
            if (LABEL in after) is labelled and (LABEL in before) is not labelled:
                changed_at = change.at
    return changed_at
