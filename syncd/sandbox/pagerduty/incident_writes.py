"""Writing to incidents over the API: open, change one or many, merge, snooze, custom fields.

Everything but the custom fields needs a `From` header with a user's address.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from syncd.sandbox.pagerduty import changes, lifecycle, shapes
from syncd.sandbox.pagerduty.asking import Ask, Routes
from syncd.sandbox.pagerduty.errors import already_acknowledged, error, invalid, not_found
from syncd.sandbox.pagerduty.lifecycle import Hand, Trigger
from syncd.sandbox.pagerduty.records import Incident
from syncd.sandbox.pagerduty.render import custom_values, incident_json
from syncd.sandbox.pagerduty.shapes import Assignment, Wish
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json, Reply

routes = Routes()
MANY = 250


def named(value: Any, known: Mapping[str, object], what: str) -> str:
    """Return the id of a reference in a body. Raise the 400 if it names nothing that there is."""
    id_ = value.get("id") if isinstance(value, dict) else None
    if id_ not in known:
        raise invalid(f"{what} not found")
    return str(id_)


@routes.on("POST", "/incidents")
def create(ask: Ask) -> Reply:
    """Open an incident by hand."""
    account, new, hand = ask.account, ask.body("incident", shapes.WISH), ask.hand()
    if new.get("type") != "incident":
        raise invalid("Incident type must be incident")
    if not new.get("title"):
        raise invalid("Title can't be blank")
    service_id = named(new.get("service"), account.services, "Service")
    key = new.get("incident_key")
    if key and any(_same_key(account, id_, service_id, key) for id_ in account.open_ids):
        words = "Open incident with matching dedup key already exists on this service"
        raise error(400, "Arguments Caused Error", 2001, words)
    priority, policy = new.get("priority"), new.get("escalation_policy")
    trigger = Trigger(
        service_id,
        new["title"],
        new.get("urgency"),
        named(priority, account.priorities, "Priority") if priority else None,
        key,
        (new.get("body") or {}).get("details"),
        _assignees(account, new.get("assignments") or []),
        named(policy, account.policies, "Escalation policy") if policy else None,
    )
    incident = lifecycle.trigger(account, trigger, hand, ask.now)
    return Reply.of({"incident": incident_json(account, incident)}, 201)


def _same_key(account: Account, id_: str, service_id: str, key: str) -> bool:
    incident = account.incidents[id_]
    return incident.service_id == service_id and incident.incident_key == key


def _assignees(account: Account, assignments: list[Assignment]) -> list[str]:
    return [named(one.get("assignee"), account.users, "Assignee") for one in assignments]


@routes.on("PUT", "/incidents/{id}")
def update(ask: Ask) -> Reply:
    """Change one incident."""
    incident, wish, hand = ask.incident(), ask.body("incident", shapes.WISH), ask.hand()
    apply(ask.account, incident, wish, hand, ask.now)
    return Reply.of({"incident": incident_json(ask.account, incident)})


@routes.on("PUT", "/incidents")
def update_many(ask: Ask) -> Reply:
    """Change up to 250 incidents, all or none as far as they exist."""
    wishes, hand = ask.body("incidents", shapes.WISHES), ask.hand()
    if len(wishes) > MANY:
        raise error(413, "Request Entity Too Large", 2014)
    incidents = []
    for wish in wishes:
        incident = ask.account.find(str(wish.get("id", "")))
        if incident is None:
            raise not_found()
        incidents.append(incident)
    for incident, wish in zip(incidents, wishes, strict=True):
        apply(ask.account, incident, wish, hand, ask.now)
    shown = [incident_json(ask.account, incident) for incident in incidents]
    return Reply.of({"incidents": shown, "limit": len(shown), "offset": 0, "more": False, "total": None})


def apply(account: Account, incident: Incident, wish: Wish, hand: Hand, at: datetime) -> None:
    """Do what a body asks, status first. Raise the 400 of the first wish that cannot be met."""
    if wish.get("type") not in ("incident", "incident_reference"):
        raise invalid("Incident type must be incident or incident_reference")
    if resolution := wish.get("resolution"):
        changes.add_note(account, incident, f"Resolution Note: {resolution}", hand.who[1], hand, at)
    if "status" in wish:
        _move(account, incident, wish["status"], hand, at)
    wishes: Json = {**wish}
    for name, change in CHANGES.items():
        if name in wishes:
            change(account, incident, wishes[name], hand, at)


def _move(account: Account, incident: Incident, status: str, hand: Hand, at: datetime) -> None:
    if status == "resolved":
        lifecycle.resolve(account, incident, hand, at)
    elif status == "acknowledged":
        if any(user == hand.who[1] for user, _ in incident.acknowledgements):
            raise already_acknowledged()
        lifecycle.acknowledge(account, incident, hand.who[1], hand, at)
    elif status == "triggered":
        if incident.status == "acknowledged":
            lifecycle.unacknowledge(account, incident, hand, at)
        else:
            lifecycle.reopen(account, incident, hand, at)
    else:
        raise invalid("Status must be triggered, acknowledged or resolved")


def _priority(account: Account, incident: Incident, value: Any, hand: Hand, at: datetime) -> None:
    id_ = named(value, account.priorities, "Priority") if value is not None else None
    changes.set_priority(account, incident, id_, hand, at)


def _assignments(account: Account, incident: Incident, value: Any, hand: Hand, at: datetime) -> None:
    changes.reassign(account, incident, _assignees(account, value), hand, at)


def _policy(account: Account, incident: Incident, value: Any, hand: Hand, at: datetime) -> None:
    changes.delegate(account, incident, named(value, account.policies, "Escalation policy"), hand, at)


def _service(account: Account, incident: Incident, value: Any, hand: Hand, at: datetime) -> None:
    changes.move(account, incident, named(value, account.services, "Service"), hand, at)


def _bridge(account: Account, incident: Incident, value: Any, hand: Hand, at: datetime) -> None:
    incident.conference_bridge = value
    incident.updated_at = at


CHANGES: dict[str, Callable[[Account, Incident, Any, Hand, datetime], None]] = {
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
    target, rows, hand = ask.incident(), ask.body("source_incidents", shapes.SOURCES), ask.hand()
    sources = []
    for row in rows:
        source = ask.account.find(str(row.get("id", "")))
        if source is None:
            raise not_found()
        sources.append(source)
    lifecycle.merge(ask.account, target, sources, hand, ask.now)
    return Reply.of({"incident": incident_json(ask.account, target)})


@routes.on("POST", "/incidents/{id}/snooze")
def snooze(ask: Ask) -> Reply:
    """Snooze an acknowledged incident for 1 second to 7 days."""
    incident, hand = ask.incident(), ask.hand()
    seconds = ask.body("duration", shapes.SECONDS)
    if not 1 <= seconds <= 604_800:
        raise invalid("Duration must be between 1 and 604800 seconds")
    lifecycle.snooze(ask.account, incident, seconds, hand, ask.now)
    return Reply.of({"incident": incident_json(ask.account, incident)}, 201)


@routes.on("PUT", "/incidents/{id}/custom_fields/values")
def set_values(ask: Ask) -> Reply:
    """Set custom fields by id or name."""
    account, incident = ask.account, ask.incident()
    wishes: dict[str, object] = {}
    for row in ask.body("custom_fields", shapes.VALUES):
        known = [
            f for f in account.custom_fields.values() if row.get("id") == f.id or row.get("name") == f.name
        ]
        if not known:
            raise invalid("Custom field not found")
        wishes[known[0].id] = row.get("value")
    service = ("service", incident.service_id)
    hand = ask.hand() if ask.call.header("From") else Hand(service, "api")
    changes.set_custom(account, incident, wishes, hand, ask.now)
    return Reply.of({"custom_fields": custom_values(account, incident)}, 201)
