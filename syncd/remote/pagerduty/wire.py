"""Turn PagerDuty's JSON into the domain's values: one function for each object.

References and whole objects differ only in their fields; a name comes from `name` or, in references, from
`summary`. Answers from before 2023 lack `updated_at` and `resolved_at`.
"""

from __future__ import annotations

import json
from collections.abc import Container
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus, LogEntry, Note, PagerDutyService, Responder
from syncd.domain.postmortem import Alert
from syncd.remote.http.wire import ODD, UnreadableError, Wire, is_id, maybe_moment, moment

_WHOLE_INCIDENT = ("incident_number", "status", "created_at", "service")


def z(when: datetime) -> str:
    """Return a time for a request: in UTC with a `Z`, because otherwise the account's zone counts.

    It has whole seconds, rounded down, as PagerDuty keeps them. Raise ValueError for a naive time.
    """
    if when.tzinfo is None:
        raise ValueError("a time without a zone")
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def incident(raw: Wire) -> Incident:
    """Return an incident; raise where id, number, status, service or time of creation is missing."""
    urgency = raw.get("urgency")
    reason = raw.get("resolve_reason") or {}
    merged = reason.get("incident") if reason.get("type") == "merge_resolve_reason" else None
    kind = raw.get("incident_type") or {}
    return Incident(
        id=raw["id"],
        number=raw["incident_number"],
        title=raw.get("title") or raw.get("summary") or "",
        status=IncidentStatus(raw["status"]),
        urgency=urgency if urgency in ("high", "low") else "high",
        priority=reference(raw.get("priority")),
        service=_reference(raw["service"]),
        escalation_policy=reference(raw.get("escalation_policy")),
        assignees=tuple(
            responder(given["assignee"]) for given in raw.get("assignments") or () if given.get("assignee")
        ),
        incident_key=raw.get("incident_key"),
        incident_type=kind.get("name"),
        created_at=moment(raw["created_at"]),
        updated_at=maybe_moment(raw.get("updated_at")),
        resolved_at=maybe_moment(raw.get("resolved_at")),
        status_changed_at=maybe_moment(raw.get("last_status_change_at")),
        merged_into=merged["id"] if merged else None,
        html_url=raw.get("html_url") or "",
        custom_fields=custom_fields(raw.get("custom_fields")),
    )


def embedded_incident(raw: Wire) -> Incident | None:
    """Return the incident within a log entry, None where it is only a reference.

    Return None also for a resolved incident without a reason: a merged one would look as if it were not
    merged.
    """
    if any(raw.get(key) is None for key in _WHOLE_INCIDENT):
        return None
    # only the reason tells a merge from a resolve
    if raw["status"] == IncidentStatus.RESOLVED and "resolve_reason" not in raw:
        return None
    return incident(raw)


def custom_fields(raw: Any) -> dict[str, Any] | None:
    """Return the values by name, None where the answer did not carry them."""
    if not isinstance(raw, list):
        return None
    return {field["name"]: field.get("value") for field in raw if field.get("name")}


def responder(raw: Wire) -> Responder:
    """Return a user; the address is there only if the answer includes the whole user."""
    return Responder(id=raw["id"], name=raw.get("name") or raw.get("summary") or "", email=raw.get("email"))


def reference(raw: Wire | None) -> Reference | None:
    """Return a reference to an object, None for null."""
    return _reference(raw) if raw and raw.get("id") else None


def _reference(raw: Wire) -> Reference:
    return Reference(id=raw["id"], name=raw.get("name") or raw.get("summary") or "")


def log_entry(raw: Wire, seen: Container[str] = ()) -> LogEntry | None:
    """Return a log entry, None where it was seen, belongs to no incident, or to one whose id is none.

    Such an entry tells nothing that syncd could read by id; the slow poll reads every incident.
    """
    if not names_incident(raw) or raw["id"] in seen:
        return None
    about = raw["incident"]
    kind = raw["type"].removesuffix("_reference").removesuffix("_log_entry")
    # PagerDuty names the target of a merge in the entry that resolves the source.
    target = raw.get("linked_incident") if kind == "resolve" else None
    return LogEntry(
        id=raw["id"],
        kind=kind,
        at=moment(raw["created_at"]),
        incident_id=about["id"],
        agent=reference(raw.get("agent")),
        by_person=_is_user(raw.get("agent")),
        summary=raw.get("summary") or "",
        merged_into=target["id"] if isinstance(target, dict) and is_id(target.get("id")) else None,
        note=_note_in(raw.get("channel")) if kind == "annotate" else "",
        incident=_readable_incident(about),
    )


def names_incident(entry: Wire) -> bool:
    """Return True if a log entry names an incident by an id."""
    about = entry.get("incident")
    return isinstance(about, dict) and is_id(about.get("id"))


def _note_in(channel: object) -> str:
    """Return the text of the note that a log entry tells of, empty where its channel shows none."""
    text = channel.get("summary") if isinstance(channel, dict) and channel.get("type") == "note" else None
    return text if isinstance(text, str) else ""


def _is_user(agent: Wire | None) -> bool:
    # bots have `bot_user_reference`, services and integrations their own types
    return (agent or {}).get("type") == "user_reference"


def log_entry_of(raw: Wire, incident_id: str) -> LogEntry | None:
    """Return a log entry of one incident's own log, whose entries may not name the incident."""
    return log_entry({**raw, "incident": {"id": incident_id}})


def _readable_incident(about: Wire) -> Incident | None:
    """Return `embedded_incident`, None also where it cannot be parsed: then syncd reads it by its id."""
    try:
        return embedded_incident(about)
    except ODD:
        return None


def note(raw: Wire) -> Note:
    """Return a note; its times come in the account's zone."""
    author = raw.get("user")
    return Note(
        id=raw["id"],
        author=responder(author) if author and author.get("id") else None,
        by_person=_is_user(author),
        text=raw.get("content") or "",
        created_at=moment(raw["created_at"]),
        updated_at=maybe_moment(raw.get("updated_at")),
    )


def alert(raw: Wire) -> Alert:
    """Return an alert: summary, key, source, page, and the details as its sender gave them."""
    body = raw.get("body") or {}
    source = (body.get("cef_details") or {}).get("source_origin") or (raw.get("integration") or {}).get(
        "summary"
    )
    return Alert(
        summary=raw.get("summary") or "",
        key=raw.get("alert_key") or raw.get("id") or "",
        source=source if isinstance(source, str) else "",
        url=raw.get("html_url") or "",
        details=_details(body.get("details")),
    )


def _details(given: object) -> str:
    """Return details as one line: PagerDuty accepts a text or an object of any depth."""
    if isinstance(given, dict):
        return "; ".join(
            f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
            for name, value in given.items()
        )
    return given if isinstance(given, str) else ""


def service(raw: Wire) -> PagerDutyService:
    """Return a service."""
    return PagerDutyService(
        id=raw["id"],
        name=raw.get("name") or raw.get("summary") or "",
        disabled=raw.get("status") == "disabled",
        policy=(raw.get("escalation_policy") or {}).get("id"),
        teams=tuple(team["id"] for team in raw.get("teams") or () if team.get("id")),
    )


def subdomain(html_url: Any) -> str:
    """Return the account's subdomain from an object's address; raise `UnreadableError` where there is none.

    It is the first label of the host, or the whole host if that is an IP address.
    """
    host = urlsplit(html_url).hostname if isinstance(html_url, str) else None
    if not host:
        raise UnreadableError("'html_url' names no host")
    try:
        ip_address(host)
    except ValueError:
        return host.split(".")[0]
    return host


def more(body: Wire) -> bool:
    """Return True if another page follows; raise where the answer does not tell: that is no "no"."""
    follows = body["more"]
    if not isinstance(follows, bool):
        raise UnreadableError("'more' is neither true nor false")
    return follows
