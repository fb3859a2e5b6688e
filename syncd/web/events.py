"""Read from a webhook which incident or issue may have changed.

A webhook is only a hint to read the service again: syncd stores no value of its body but the time of a
status update and the person who deleted or moved an issue, of which nothing else tells. A body
without the documented form gives no event and no error, because three refused webhooks end a PagerDuty
subscription.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import Incident, IncidentStatus
from syncd.policy.marks import mark_in

DELETED = "jira:issue_deleted"
UPDATED = "jira:issue_updated"
STATUS_UPDATE = "incident.status_update_published"
_ID = re.compile(r"[A-Za-z0-9]{1,40}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_EVENT = re.compile(r"[a-z][a-z0-9_:.]{0,60}")
_COMMENT = re.compile(r"/issue/([0-9]{1,18})/comment/")
_ACCOUNT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,255}")
"""An account id of Cloud, a user name of Data Center, which may be an address, or a person's name."""


@dataclass(frozen=True)
class IncidentEvent:
    """One PagerDuty event; the service is empty if the webhook only refers to the incident.

    `at` is when it happened (UTC), None if the webhook does not tell. `person` is the id of the user whose
    act it was, empty if no user acted. `priority` is the name of the incident's priority: empty if it has
    none, None if the webhook does not tell. Priority, urgency and title only decide how soon syncd looks.
    `mark` is the operation in the mark of a note, empty if the event is no note or its text has no mark.
    """

    id: str
    kind: str
    incident: str
    service_id: str = ""
    service_name: str = ""
    at: datetime | None = None
    person: str = ""
    priority: str | None = None
    urgency: Literal["high", "low"] = "high"
    title: str = ""
    mark: str = ""

    @property
    def service(self) -> Reference:
        """The service of the incident."""
        return Reference(id=self.service_id, name=self.service_name)

    def shown(self) -> Incident:
        """Return the incident as far as the webhook shows it."""
        return Incident(
            id=self.incident,
            number=0,
            title=self.title,
            status=IncidentStatus.TRIGGERED,
            urgency=self.urgency,
            priority=Reference(id="", name=self.priority) if self.priority else None,
            service=self.service,
            created_at=datetime.min.replace(tzinfo=UTC),
        )

    @property
    def status_update(self) -> bool:
        """True if somebody published a status update, of which no other answer of PagerDuty tells."""
        return self.kind == STATUS_UPDATE

    @property
    def notes(self) -> bool:
        """True if somebody wrote, edited or deleted a note."""
        return self.kind.startswith("incident.annotated")


@dataclass(frozen=True)
class IssueEvent:
    """One Jira event about an issue; `account` and `name` are whose act it was, empty if unknown.

    `moved` is True if somebody moved the issue to another project.
    """

    kind: str
    issue: str
    account: str = ""
    name: str = ""
    moved: bool = False

    @property
    def deleted(self) -> bool:
        """True if somebody deleted the issue."""
        return self.kind == DELETED


def pagerduty_event(body: bytes) -> IncidentEvent | None:
    """Return the event of a v3 webhook; None if it is not about an incident."""
    event = _at(_load(body), "event")
    kind, data = _text(_at(event, "event_type"), _EVENT), _at(event, "data")
    own = _at(data, "type") == "incident"
    incident = _text(_at(data, "id") if own else _at(data, "incident", "id"), _ID)
    if not kind or not incident:
        return None
    service, agent, title = _at(data, "service"), _at(event, "agent"), _at(data, "title")
    name = _at(service, "summary")
    return IncidentEvent(
        _text(_at(event, "id"), _ID),
        kind,
        incident,
        _text(_at(service, "id"), _ID),
        name if isinstance(name, str) else "",
        _moment(_at(event, "occurred_at")),
        _text(_at(agent, "id"), _ID) if _at(agent, "type") == "user_reference" else "",
        _priority(data) if own else None,
        "low" if _at(data, "urgency") == "low" else "high",
        title if isinstance(title, str) else "",
        _mark(data),
    )


def _priority(data: JsonValue) -> str | None:
    if not isinstance(data, dict) or "priority" not in data:
        return None
    name = _at(data, "priority", "summary")
    return name if isinstance(name, str) else ""


def _mark(data: JsonValue) -> str:
    content = _at(data, "content") if _at(data, "type") == "incident_note" else None
    return (mark_in(content) if isinstance(content, str) else None) or ""


def _moment(value: JsonValue) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None


def jira_event(body: bytes) -> IssueEvent | None:
    """Return the event of a Jira webhook; None if it is not about an issue."""
    data = _load(body)
    kind = _text(_at(data, "webhookEvent"), _EVENT)
    issue = _text(_at(data, "issue", "id"), _NUMBER) or _issue_of(_at(data, "comment", "self"))
    if not kind or not issue:
        return None
    # the order in which syncd names accounts everywhere: Data Center knows people by name
    account = next((name for key in ("accountId", "name", "key") if (name := _at(data, "user", key))), None)
    moved = kind == UPDATED and _names_project(_at(data, "changelog", "items"))
    # every other act stands in the changelog of an issue that syncd can read
    name = _text(_at(data, "user", "displayName"), _ACCOUNT) if moved or kind == DELETED else ""
    return IssueEvent(kind, issue, _text(account, _ACCOUNT), name, moved)


def _names_project(items: JsonValue) -> bool:
    """Return True if the changelog of an event has a change of the project."""
    return isinstance(items, list) and any(_at(item, "field") == "project" for item in items)


def _issue_of(address: JsonValue) -> str:
    """Return the issue of a comment from the comment's URL: Data Center's comment events name no issue."""
    match = _COMMENT.search(address) if isinstance(address, str) else None
    return match.group(1) if match else ""


def _load(body: bytes) -> JsonValue:
    try:
        loaded: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return loaded


def _at(value: JsonValue, *path: str) -> JsonValue:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: JsonValue, form: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""
