"""A PagerDuty incident as one answer described it, with its notes and log entries."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, UtcTime, Value


class IncidentStatus(StrEnum):
    """The three statuses of PagerDuty."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


OPEN_STATUSES = (IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED)
"""The statuses of an incident that is not resolved."""


MERGED = "merged"
"""The state of an incident that a merge resolved; PagerDuty has no status for it."""


class Responder(Value):
    """A PagerDuty user; `email` is None where the answer holds a bare reference."""

    id: str
    name: str = ""
    email: str | None = None


class Incident(Value):
    """One incident as one answer described it.

    `updated_at` and `resolved_at` are None in answers without them: webhooks, and incidents from before
    2023-05-08, when PagerDuty added both. `merged_into` is the id of the incident that this one was merged
    into. `custom_fields` is None where the answer has none, which does not mean that they are empty.
    """

    id: str
    number: int
    title: str
    status: IncidentStatus
    urgency: Literal["high", "low"] = "high"
    priority: Reference | None = None
    service: Reference
    escalation_policy: Reference | None = None
    assignees: tuple[Responder, ...] = ()
    incident_key: str | None = None
    incident_type: str | None = None
    created_at: UtcTime
    updated_at: UtcTime | None = None
    resolved_at: UtcTime | None = None
    status_changed_at: UtcTime | None = None
    merged_into: str | None = None
    html_url: str = ""
    custom_fields: dict[str, JsonValue] | None = None

    @property
    def open(self) -> bool:
        """True while the incident is triggered or acknowledged."""
        return self.status is not IncidentStatus.RESOLVED

    @property
    def over_since(self) -> datetime | None:
        """The time (UTC) of the last resolve, None while the incident is open.

        An answer without a time of the resolve gives the last change of status, else the create.
        """
        return None if self.open else self.resolved_at or self.status_changed_at or self.created_at

    def reopened_after(self, resolved_at: datetime) -> datetime | None:
        """Return when an open incident was opened again after a resolve (UTC), at the latest.

        None: it is not open, or it was read before that resolve. An answer without a time of the last change
        of status gives the time of the resolve.
        """
        changed_at = self.status_changed_at or resolved_at
        return changed_at if self.open and changed_at >= resolved_at else None

    @property
    def state(self) -> str:
        """The state that the ticket follows: PagerDuty's status, or `merged` after a merge."""
        # A merge resolves the incident. After a reopen it counts on its own again.
        return MERGED if self.merged_into and not self.open else str(self.status)


class Restriction(Value):
    """Why an incident is restricted, in words without its texts.

    `provisional`: no rule could be judged in its time, so syncd withholds the texts until a later judgement
    decides.
    """

    why: str
    provisional: bool = False


def stub_title(number: int) -> str:
    """Return the text that replaces the title of a restricted incident."""
    return f"Security incident #{number}"


class Note(Value):
    """A note on an incident. Since 2025-11-07 people can edit and delete notes in PagerDuty.

    `by_person` is False where the author is no user but a bot. In a case it is also False for syncd's own
    user.
    """

    id: str
    author: Responder | None = None
    by_person: bool = True
    text: str
    created_at: UtcTime
    updated_at: UtcTime | None = None


class LogEntry(Value):
    """A log entry of PagerDuty; the log tells syncd which incidents may have changed.

    `kind` is PagerDuty's type without `_log_entry` (trigger, acknowledge, annotate, ...). `by_person` is True
    where the agent is a user (syncd's own user, too), False for a service or an integration. `merged_into` is
    the target of the merge that resolved the incident. `note` is the text of the note that an `annotate`
    entry tells of, as far as PagerDuty shows it. `incident` is the whole incident where the page includes it,
    as of the page's request.
    """

    id: str
    kind: str
    at: UtcTime
    incident_id: str
    agent: Reference | None = None
    by_person: bool = False
    summary: str = ""
    merged_into: str | None = None
    note: str = Field(default="", repr=False)
    incident: Incident | None = Field(default=None, repr=False)


class PagerDutyService(Value):
    """A service of the PagerDuty account: `policy` is its escalation policy, `teams` are its teams."""

    id: str
    name: str
    disabled: bool = False
    policy: str | None = None
    teams: tuple[str, ...] = ()
