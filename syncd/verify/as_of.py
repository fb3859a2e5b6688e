"""Facts as they stood at an earlier time: what happened later says nothing about a verdict of that time."""

from __future__ import annotations

from datetime import datetime

from syncd.domain.history import Change
from syncd.verify.facts import IncidentFacts, IssueFacts


def as_of(facts: IncidentFacts, at: datetime) -> IncidentFacts:
    """Return the facts with issues as they stood at a time (UTC); the judge leaves out later states."""
    return facts.model_copy(
        update={
            "postmortem": _issue(facts.postmortem, at) if facts.postmortem else None,
            "items": tuple(item.model_copy(update={"issue": _issue(item.issue, at)}) for item in facts.items),
        }
    )


def _issue(issue: IssueFacts, at: datetime) -> IssueFacts:
    # the first later change of each field tells what stood before it
    later: dict[str, Change] = {}
    for change in sorted(issue.changes, key=lambda change: change.at, reverse=True):
        if change.at > at:
            later[change.field] = change
    update: dict[str, object] = {
        "changes": tuple(change for change in issue.changes if change.at <= at),
        "comments": tuple(comment for comment in issue.comments if comment.created_at <= at),
    }
    if "status" in later:
        update["status"] = later["status"].before or issue.status
    if "assignee" in later:
        update["assignee"] = later["assignee"].before
    if issue.date_field in later:
        update["date"] = later[issue.date_field].before
    if "labels" in later:
        update["labels"] = tuple((later["labels"].before_words or "").split())
    if "resolution" in later:
        update["resolution"] = later["resolution"].before_words
    return issue.model_copy(update=update)
