"""The values of an issue's field over time, each with the account that set it, from its changelog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from syncd.domain.ticket import Account
from syncd.verify.facts import IssueFacts


class Setting(NamedTuple):
    """A value that a field had from a time on, and the account that set it."""

    at: datetime
    by: Account | None
    value: str | None


def settings(issue: IssueFacts, field: str, current: str | None, *, words: bool = False) -> list[Setting]:
    """Return the values of a field, the first as of the issue's creation; with `words`, by their names."""
    changes = sorted((change for change in issue.changes if change.field == field), key=lambda c: c.at)
    first = current
    if changes:
        first = changes[0].before_words if words else changes[0].before
    values = [Setting(issue.created_at, issue.creator, first or None)]
    for change in changes:
        value = change.after_words if words else change.after
        values.append(Setting(change.at, change.author, value or None))
    return values


def assignees(issue: IssueFacts) -> list[Setting]:
    """Return who owned the issue, by account id."""
    return settings(issue, "assignee", issue.assignee)


def statuses(issue: IssueFacts) -> list[Setting]:
    """Return the issue's statuses, by id."""
    return settings(issue, "status", issue.status)


def dates(issue: IssueFacts) -> list[Setting]:
    """Return the issue's review date or due date."""
    return settings(issue, issue.date_field, issue.date)


def label_set_at(issue: IssueFacts, label: str) -> list[Setting]:
    """Return the times from which the issue had a label (value: the label) or lost it (value: None)."""
    lists = settings(issue, "labels", " ".join(issue.labels), words=True)
    return [
        Setting(entry.at, entry.by, label if label in (entry.value or "").split() else None)
        for entry in lists
    ]


def at_time(values: Sequence[Setting], at: datetime) -> Setting | None:
    """Return the value in force at a time, None before the first."""
    before = [entry for entry in values if entry.at <= at]
    return before[-1] if before else None
