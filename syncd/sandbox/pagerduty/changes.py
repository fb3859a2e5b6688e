"""Changes of an incident that leave its status alone: people, priority, title, urgency, notes, fields.

Which log entry a new priority or title leaves is not documented, so the options of the account decide.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from syncd.sandbox.pagerduty.errors import already_resolved, invalid
from syncd.sandbox.pagerduty.lifecycle import Actor, assign
from syncd.sandbox.pagerduty.records import Alert, Incident, Note, Urgency
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json

NOTES_AT_MOST = 2000  # PagerDuty's documented limit for one incident


def reassign(account: Account, incident: Incident, users: Sequence[str], actor: Actor, at: datetime) -> None:
    """Assign an open incident to `users`; from then on its policy no longer escalates."""
    if not incident.is_open:
        raise already_resolved()
    incident.assigned_via = "direct_assignment"
    assign(account, incident, users, actor, at, verb="Reassigned")


def escalate(account: Account, incident: Incident, level: int, actor: Actor, at: datetime) -> None:
    """Escalate to a level (1 is the first) of the incident's policy."""
    policy = account.policies[incident.policy_id]
    if not incident.is_open:
        raise already_resolved()
    if not 1 <= level <= len(policy.rules):
        raise invalid("Escalation level is out of range")
    incident.level = level
    incident.assigned_via = "escalation_policy"
    assign(
        account, incident, account.on_call(policy, level, at), actor, at, "escalate_log_entry", "Escalated"
    )


def delegate(account: Account, incident: Incident, policy_id: str, actor: Actor, at: datetime) -> None:
    """Give an open incident to another escalation policy, from its first level on."""
    if not incident.is_open:
        raise already_resolved()
    incident.policy_id = policy_id
    incident.level, incident.assigned_via = 1, "escalation_policy"
    users = account.on_call(account.policies[policy_id], 1, at)
    assign(account, incident, users, actor, at, "delegate_log_entry", "Delegated")


def set_priority(
    account: Account, incident: Incident, priority_id: str | None, actor: Actor, at: datetime
) -> None:
    """Set the priority of the incident, or remove it (None)."""
    if priority_id == incident.priority_id:
        return
    old, incident.priority_id = incident.priority_id, priority_id
    _field_entry(account, incident, account.options.priority_entry, "priority", old, priority_id, actor, at)


def set_title(account: Account, incident: Incident, title: str, actor: Actor, at: datetime) -> None:
    """Change the title of the incident."""
    if not title:
        raise invalid("Title can't be blank")
    if title == incident.title:
        return
    old, incident.title = incident.title, title
    _field_entry(account, incident, account.options.title_entry, "title", old, title, actor, at)


def _field_entry(
    account: Account,
    incident: Incident,
    kind: str | None,
    name: str,
    old: str | None,
    new: str | None,
    actor: Actor,
    at: datetime,
) -> None:
    incident.updated_at = max(incident.updated_at, at)
    # The option says: the change leaves no log entry. syncd must find it all the same.
    if kind is None:
        return
    change = {"id": incident.id, "name": name, "value": new, "namespace": "incidents", "old_value": old}
    channel: Json = {"type": actor.channel, "changeset": {"application_fields": [change]}}
    words = f"{name.capitalize()} changed by {actor.name(account)}"
    account.write_log(kind, incident, at, actor.agent, channel, words)


def set_urgency(account: Account, incident: Incident, urgency: Urgency, actor: Actor, at: datetime) -> None:
    """Set the urgency of the incident."""
    if urgency == incident.urgency:
        return
    incident.urgency = urgency
    words = f"Urgency changed to {urgency} by {actor.name(account)}"
    account.write_log("urgency_change_log_entry", incident, at, actor.agent, {"type": actor.channel}, words)


def move(account: Account, incident: Incident, service_id: str, actor: Actor, at: datetime) -> None:
    """Move the incident to another service."""
    old, incident.service_id = incident.service_id, service_id
    # No log entry is documented for a change of service either; it follows the same option.
    kind = account.options.priority_entry
    _field_entry(account, incident, kind, "service", old, service_id, actor, at)


def set_custom(
    account: Account, incident: Incident, values: Mapping[str, object], actor: Actor, at: datetime
) -> None:
    """Set custom fields, by field id. Raise a refusal for a value that is not among the options."""
    for id_, value in values.items():
        field = account.custom_fields[id_]
        choices = value if isinstance(value, list) else [value]
        if field.options and value is not None and not set(choices) <= set(field.options):
            raise invalid(f"Value for custom field {field.name} is not one of its options")
    # Check all values first: a refused request changes nothing.
    changeset = []
    for id_, value in values.items():
        incident.custom_values[id_] = value
        changeset.append(f"Updated {account.custom_fields[id_].name} to {value}")
    account.write_log(
        "custom_field_value_change_log_entry",
        incident,
        at,
        actor.agent,
        {"type": actor.channel},
        f"Custom fields changed by {actor.name(account)}",
        {"changeset": changeset},
    )


def add_note(
    account: Account, incident: Incident, content: str, user: str, actor: Actor, at: datetime
) -> Note:
    """Write a note on an incident, open or resolved."""
    if not content.strip():
        raise invalid("Content can't be blank")
    if sum(not note.deleted for note in incident.notes) >= NOTES_AT_MOST:
        raise invalid("Incident has reached its maximum number of notes")
    note = Note(account.new_id("P", 7), user, content, at, at)
    incident.notes.append(note)
    account.write_log(
        "annotate_log_entry",
        incident,
        at,
        actor.agent,
        {"type": "note", "summary": content},
        f"Note added by {actor.name(account)}",
    )
    return note


def edit_note(incident: Incident, note: Note, content: str, at: datetime) -> None:
    """Replace the text of a note; PagerDuty's log does not show it."""
    if not content.strip():
        raise invalid("Content can't be blank")
    note.content, note.updated_at = content, at
    incident.updated_at = max(incident.updated_at, at)


def add_alert(account: Account, incident: Incident, alert: Alert) -> None:
    """Add an alert of monitoring to an open incident."""
    if not incident.is_open:
        raise already_resolved()
    incident.alerts.append(alert)
    service = account.services[incident.service_id]
    account.write_log(
        "link_log_entry",
        incident,
        alert.created_at,
        ("service", service.id),
        {"type": "api"},
        f"Linked alert {alert.id}",
        {"linked_incident": {"id": alert.id, "type": "alert_reference"}},
    )
