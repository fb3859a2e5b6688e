"""A PagerDuty incident as it was read once, and what people wrote and did on it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, UtcTime, Value


class IncidentStatus(StrEnum):
    """The three states that PagerDuty knows."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


MERGED = "merged"
"""The state of what was resolved by a merge; PagerDuty has no status for it."""


class Responder(Value):
    """A PagerDuty user; the address is None where the answer carried a bare reference."""

    id: str
    name: str = ""
    email: str | None = None


class Incident(Value):
    """One incident as one answer told it.

    `updated_at` and `resolved_at` are None in answers that lack them (webhooks, accounts of before
    2023-05-08). `merged_into` is the id of the incident that this one was merged into.
    `custom_fields` is None where the answer did not carry them, which is not the same as empty.
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
        """Whether it still is triggered or acknowledged."""
        return self.status is not IncidentStatus.RESOLVED

    @property
    def over_since(self) -> datetime | None:
        """When it was resolved last, None while it is open; as good as its account tells."""
        return None if self.open else self.resolved_at or self.status_changed_at or self.created_at

    @property
    def state(self) -> str:
        """What a ticket follows: its status, and `merged` while it counts with another incident."""
        return MERGED if self.merged_into and not self.open else str(self.status)


def stub_title(number: int) -> str:
    """What stands wherever the title of a restricted incident would."""
    return f"Security incident #{number}"


class Note(Value):
    """A note on an incident. PagerDuty lets people edit and delete notes since 2025-11-07."""

    id: str
    author: Responder | None = None
    text: str
    created_at: UtcTime
    updated_at: UtcTime | None = None


class LogEntry(Value):
    """One line of PagerDuty's record: the feed that says which incidents may have changed.

    `kind` is PagerDuty's type without `_log_entry` (trigger, acknowledge, annotate, ...). `by_person`: its
    agent is a user, not a service or an integration. `incident` is the whole incident where the page
    embedded it, as of the page's request.
    """

    id: str
    kind: str
    at: UtcTime
    incident_id: str
    agent: Reference | None = None
    by_person: bool = False
    summary: str = ""
    incident: Incident | None = Field(default=None, repr=False)


class PagerDutyService(Value):
    """A service of the PagerDuty account, with its escalation policy and the teams that it belongs to."""

    id: str
    name: str
    disabled: bool = False
    policy: str | None = None
    teams: tuple[str, ...] = ()
