"""What a webhook says that concerns us: which incident or issue may have changed. Pure, and trusts nothing.

A body is only a hint to look: no value of it is stored. What has not the form that the services document
says nothing, and is no error.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from syncd.domain.base import JsonValue

_ID = re.compile(r"[A-Za-z0-9]{1,40}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_EVENT = re.compile(r"[a-z][a-z0-9_:.]{0,60}")
_COMMENT = re.compile(r"/issue/([0-9]{1,18})/comment/")
_ACCOUNT = re.compile(r"[A-Za-z0-9:_-]{1,128}")


@dataclass(frozen=True)
class IncidentEvent:
    """One event of PagerDuty; without a service it names an incident by reference alone."""

    id: str
    kind: str
    incident: str
    service_id: str = ""
    service_name: str = ""

    @property
    def notes(self) -> bool:
        """Whether a note was written, edited or deleted."""
        return self.kind.startswith("incident.annotated")


@dataclass(frozen=True)
class IssueEvent:
    """One event of Jira about an issue; `account` is who did it, where it says so."""

    kind: str
    issue: str
    account: str = ""

    @property
    def deleted(self) -> bool:
        """Whether the issue is gone for good."""
        return self.kind == "jira:issue_deleted"


def pagerduty_event(body: bytes) -> IncidentEvent | None:
    """The event of a v3 webhook, None where it is about no incident."""
    event = _at(_load(body), "event")
    kind, data = _text(_at(event, "event_type"), _EVENT), _at(event, "data")
    own = _at(data, "type") == "incident"
    incident = _text(_at(data, "id") if own else _at(data, "incident", "id"), _ID)
    if not kind or not incident:
        return None
    service = _at(data, "service")
    name = _at(service, "summary")
    return IncidentEvent(
        _text(_at(event, "id"), _ID),
        kind,
        incident,
        _text(_at(service, "id"), _ID),
        name if isinstance(name, str) else "",
    )


def jira_event(body: bytes) -> IssueEvent | None:
    """The event of a webhook, None where it is about no issue."""
    data = _load(body)
    kind = _text(_at(data, "webhookEvent"), _EVENT)
    issue = _text(_at(data, "issue", "id"), _NUMBER) or _issue_of(_at(data, "comment", "self"))
    if not kind or not issue:
        return None
    who = _at(data, "user", "accountId") or _at(data, "user", "key")
    return IssueEvent(kind, issue, _text(who, _ACCOUNT))


def _issue_of(address: JsonValue) -> str:
    """The issue of a comment by the comment's address: Data Center's comment events name no issue."""
    found = _COMMENT.search(address) if isinstance(address, str) else None
    return found.group(1) if found else ""


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
