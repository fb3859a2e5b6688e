"""Writing to incidents over the API: open, change one or many, merge, snooze, set custom fields.

Everything but the custom fields needs a `From` header with the address of a user.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from syncd.sandbox.pagerduty import changes, lifecycle, shapes
from syncd.sandbox.pagerduty.asking import Ask, Routes
from syncd.sandbox.pagerduty.errors import already_acknowledged, error, invalid, not_found
from syncd.sandbox.pagerduty.lifecycle import Actor, Trigger
from syncd.sandbox.pagerduty.records import Incident
from syncd.sandbox.pagerduty.render import custom_values, incident_json
from syncd.sandbox.pagerduty.shapes import Assignment, Wish
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json, Reply

routes = Routes()
MANY = 250


def referenced_id(value: Any, records: Mapping[str, object], kind: str) -> str:
    """Return the id of a reference in a body. Raise a 400 if it names no existing record."""
    id_ = value.get("id") if isinstance(value, dict) else None
    if id_ not in records:
        raise invalid(f"{kind} not found")
    return str(id_)


@routes.on("POST", "/incidents")
def create(ask: Ask) -> Reply:
    """Open an incident by hand."""
    account, new, actor = ask.account, ask.body("incident", shapes.WISH), ask.actor()
    if new.get("type") != "incident":
        raise invalid("Incident type must be incident")
    if not new.get("title"):
        raise invalid("Title can't be blank")
    service_id = referenced_id(new.get("service"), account.services, "Service")
    key = new.get("incident_key")
    # PagerDuty refuses a second open incident with the same key on one service.
    if key and any(_same_key(account, id_, service_id, key) for id_ in account.open_ids):
        words = "Open incident with matching dedup key already exists on this service"
        raise error(400, "Arguments Caused Error", 2001, words)
    priority, policy = new.get("priority"), new.get("escalation_policy")
    trigger = Trigger(
        service_id,
        new["title"],
        new.get("urgency"),
        referenced_id(priority, account.priorities, "Priority") if priority else None,
        key,
        (new.get("body") or {}).get("details"),
        _assignees(account, new.get("assignments") or []),
        referenced_id(policy, account.policies, "Escalation policy") if policy else None,
    )
    incident = lifecycle.trigger(account, trigger, actor, ask.now)
    return Reply.of({"incident": incident_json(account, incident)}, 201)


def _same_key(account: Account, id_: str, service_id: str, key: str) -> bool:
    incident = account.incidents[id_]
    return incident.service_id == service_id and incident.incident_key == key


def _assignees(account: Account, assignments: list[Assignment]) -> list[str]:
    return [referenced_id(row.get("assignee"), account.users, "Assignee") for row in assignments]


@routes.on("PUT", "/incidents/{id}")
def update(ask: Ask) -> Reply:
    """Apply the changes of a request to one incident."""
    incident, wish, actor = ask.incident(), ask.body("incident", shapes.WISH), ask.actor()
    apply(ask.account, incident, wish, actor, ask.now)
    return Reply.of({"incident": incident_json(ask.account, incident)})


@routes.on("PUT", "/incidents")
def update_many(ask: Ask) -> Reply:
    """Apply changes to up to 250 incidents, or to none if one of them does not exist."""
    wishes, actor = ask.body("incidents", shapes.WISHES), ask.actor()
    # PagerDuty's documented limit of one call.
    if len(wishes) > MANY:
        raise error(413, "Request Entity Too Large", 2014)
    incidents = []
    for wish in wishes:
        incident = ask.account.find(str(wish.get("id", "")))
        if incident is None:
            raise not_found()
        incidents.append(incident)
    for incident, wish in zip(incidents, wishes, strict=True):
        apply(ask.account, incident, wish, actor, ask.now)
    shown = [incident_json(ask.account, incident) for incident in incidents]
    return Reply.of({"incidents": shown, "limit": len(shown), "offset": 0, "more": False, "total": None})


def apply(account: Account, incident: Incident, wish: Wish, actor: Actor, at: datetime) -> None:
    """Apply the changes that a body asks for, status first. Raise a 400 for the first that is refused."""
    if wish.get("type") not in ("incident", "incident_reference"):
        raise invalid("Incident type must be incident or incident_reference")
    # PagerDuty turns the text of a resolve into a note.
    if resolution := wish.get("resolution"):
        changes.add_note(account, incident, f"Resolution Note: {resolution}", actor.agent[1], actor, at)
    if "status" in wish:
        _move(account, incident, wish["status"], actor, at)
    wishes: Json = {**wish}
    for name, change in CHANGES.items():
        if name in wishes:
            change(account, incident, wishes[name], actor, at)


def _move(account: Account, incident: Incident, status: str, actor: Actor, at: datetime) -> None:
    if status == "resolved":
        lifecycle.resolve(account, incident, actor, at)
    elif status == "acknowledged":
        # Another user may acknowledge as well; only the same user twice is an error.
        if any(user == actor.agent[1] for user, _ in incident.acknowledgements):
            raise already_acknowledged()
        lifecycle.acknowledge(account, incident, actor.agent[1], actor, at)
    elif status == "triggered":
        # "triggered" takes back an acknowledgement, and on a resolved incident it reopens.
        if incident.status == "acknowledged":
            lifecycle.unacknowledge(account, incident, actor, at)
        else:
            lifecycle.reopen(account, incident, actor, at)
    else:
        raise invalid("Status must be triggered, acknowledged or resolved")


def _priority(account: Account, incident: Incident, value: Any, actor: Actor, at: datetime) -> None:
    id_ = referenced_id(value, account.priorities, "Priority") if value is not None else None
    changes.set_priority(account, incident, id_, actor, at)


def _assignments(account: Account, incident: Incident, value: Any, actor: Actor, at: datetime) -> None:
    changes.reassign(account, incident, _assignees(account, value), actor, at)


def _policy(account: Account, incident: Incident, value: Any, actor: Actor, at: datetime) -> None:
    changes.delegate(
        account, incident, referenced_id(value, account.policies, "Escalation policy"), actor, at
    )


def _service(account: Account, incident: Incident, value: Any, actor: Actor, at: datetime) -> None:
    changes.move(account, incident, referenced_id(value, account.services, "Service"), actor, at)


def _bridge(account: Account, incident: Incident, value: Any, actor: Actor, at: datetime) -> None:
    incident.conference_bridge = value
    incident.updated_at = at


CHANGES: dict[str, Callable[[Account, Incident, Any, Actor, datetime], None]] = {
    "title": changes.set_title,
    "priority": _priority,
    "urgency": changes.set_urgency,
    "escalation_level": changes.escalate,
    "escalation_policy": _policy,
    "assignments": _assignments,
    "service": _service,
    "conference_bridge": _bridge,
}


@routes.on("PUT", "/incidents/{id}/merge")
def merge(ask: Ask) -> Reply:
    """Merge other incidents into this one."""
    target, rows, actor = ask.incident(), ask.body("source_incidents", shapes.SOURCES), ask.actor()
    sources = []
    for row in rows:
        source = ask.account.find(str(row.get("id", "")))
        if source is None:
            raise not_found()
        sources.append(source)
    lifecycle.merge(ask.account, target, sources, actor, ask.now)
    return Reply.of({"incident": incident_json(ask.account, target)})


@routes.on("POST", "/incidents/{id}/snooze")
def snooze(ask: Ask) -> Reply:
    """Let an acknowledged incident rest for 1 second to 7 days."""
    incident, actor = ask.incident(), ask.actor()
    seconds = ask.body("duration", shapes.SECONDS)
    if not 1 <= seconds <= 604_800:
        raise invalid("Duration must be between 1 and 604800 seconds")
    lifecycle.snooze(ask.account, incident, seconds, actor, ask.now)
    return Reply.of({"incident": incident_json(ask.account, incident)}, 201)


@routes.on("PUT", "/incidents/{id}/custom_fields/values")
def set_values(ask: Ask) -> Reply:
    """Set custom fields by id or name."""
    account, incident = ask.account, ask.incident()
    wishes: dict[str, object] = {}
    for row in ask.body("custom_fields", shapes.VALUES):
        matches = [
            field
            for field in account.custom_fields.values()
            if row.get("id") == field.id or row.get("name") == field.name
        ]
        if not matches:
            raise invalid("Custom field not found")
        wishes[matches[0].id] = row.get("value")
    service = ("service", incident.service_id)
    # The `From` header is not demanded here; without it the log names the service.
    actor = ask.actor() if ask.call.header("From") else Actor(service, "api")
    changes.set_custom(account, incident, wishes, actor, ask.now)
    return Reply.of({"custom_fields": custom_values(account, incident)}, 201)
