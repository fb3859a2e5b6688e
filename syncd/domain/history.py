"""Changes with their times: an incident's states and severities, an issue's changelog."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from syncd.domain.base import UtcTime, Value
from syncd.domain.ticket import Account

StateChangeKind = Literal[
    "triggered", "acknowledged", "unacknowledged", "resolved", "reopened", "snoozed", "worked_on"
]


class StateChange(Value):
    """A change of an incident's state, by PagerDuty's clock; `agent` is the user or tool that made it.

    `snoozed` and `worked_on` change no state. `snoozed`: nobody is paged for a while. `worked_on`: an alert,
    an acknowledgement or a person's note after a reopening shows that the reopening was meant. `merged_into`
    is the id of the incident into which a merge resolved this one.
    """

    kind: StateChangeKind
    at: UtcTime
    agent: str = ""
    merged_into: str | None = None


class SeverityPeriod(Value):
    """A severity that an incident had from `since` until the next period.

    `unowed_until` is when it was moved away from a service by whose rules it owed no postmortem. None: it was
    not, or it owed one.
    """

    severity: str
    since: UtcTime
    unowed_until: UtcTime | None = None


def unowed_until(periods: Iterable[SeverityPeriod]) -> datetime | None:
    """Return when an incident left the last service by whose rules it owed no postmortem; None if it did not.

    The rules of its present service hold from then on.
    """
    return max((period.unowed_until for period in periods if period.unowed_until), default=None)


class Change(Value):
    """A change of one field in an issue's changelog, by Jira's clock.

    `before` and `after` are ids where the field has ids; `before_words` and `after_words` are display names.
    """

    at: UtcTime
    author: Account | None = None
    field: str
    before: str | None = None
    after: str | None = None
    before_words: str | None = None
    after_words: str | None = None


class Leave(Value):
    """The time in which an account that owned an issue was inactive, as syncd saw it.

    Jira tells only that an account is inactive, not since when. syncd saw it active at `after` for the last
    time (None: never), and inactive at `by` for the first time. `back` is when syncd saw it active again.
    """

    after: UtcTime | None = None
    by: UtcTime
    back: UtcTime | None = None


def no_persons(owner: Account | None, changes: Iterable[Change]) -> frozenset[str]:
    """Return the ids of the owner and the authors of an issue who are no persons.

    A changelog names an earlier owner by the id alone, so only another place tells whose account that is.
    """
    accounts = (owner, *(change.author for change in changes))
    return frozenset(account.id for account in accounts if account is not None and not account.human)
