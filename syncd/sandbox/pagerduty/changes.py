"""What changes on an incident without moving its status: people, priority, title, urgency, notes, fields.

Which log entry a priority or a title leaves is not documented, therefore the account's options say so.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from syncd.sandbox.pagerduty.errors import already_resolved, invalid
from syncd.sandbox.pagerduty.lifecycle import Hand, assign
from syncd.sandbox.pagerduty.records import Alert, Incident, Note, Urgency
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json

NOTES_AT_MOST = 2000


def reassign(account: Account, incident: Incident, users: Sequence[str], hand: Hand, at: datetime) -> None:
    """Give an open incident to `users`; from then on the policy no longer escalates."""
    if not incident.is_open:
        raise already_resolved()
    incident.assigned_via = "direct_assignment"
    assign(account, incident, users, hand, at, verb="Reassigned")


def escalate(account: Account, incident: Incident, level: int, hand: Hand, at: datetime) -> None:
    """Call a level (1 is the first) of the incident's policy."""
    policy = account.policies[incident.policy_id]
    if not incident.is_open:
        raise already_resolved()
    if not 1 <= level <= len(policy.rules):
        raise invalid("Escalation level is out of range")
    incident.level = level
    incident.assigned_via = "escalation_policy"
    assign(account, incident, account.on_call(policy, level, at), hand, at, "escalate_log_entry", "Escalated")


def delegate(account: Account, incident: Incident, policy_id: str, hand: Hand, at: datetime) -> None:
    """Hand an open incident to another escalation policy, from its first level."""
    if not incident.is_open:
        raise already_resolved()
    incident.policy_id = policy_id
    incident.level, incident.assigned_via = 1, "escalation_policy"
    users = account.on_call(account.policies[policy_id], 1, at)
    assign(account, incident, users, hand, at, "delegate_log_entry", "Delegated")


def set_priority(
    account: Account, incident: Incident, priority_id: str | None, hand: Hand, at: datetime
) -> None:
    """Give the incident a priority, or none."""
    if priority_id == incident.priority_id:
        return
    old, incident.priority_id = incident.priority_id, priority_id
    _field_entry(account, incident, account.options.priority_entry, "priority", old, priority_id, hand, at)


def set_title(account: Account, incident: Incident, title: str, hand: Hand, at: datetime) -> None:
    """Rename the incident."""
    if not title:
        raise invalid("Title can't be blank")
    if title == incident.title:
        return
    old, incident.title = incident.title, title
    _field_entry(account, incident, account.options.title_entry, "title", old, title, hand, at)


def _field_entry(
    account: Account,
    incident: Incident,
    kind: str | None,
    name: str,
    old: str | None,
    new: str | None,
    hand: Hand,
    at: datetime,
) -> None:
    incident.updated_at = max(incident.updated_at, at)
    if kind is None:
        return
    change = {"id": incident.id, "name": name, "value": new, "namespace": "incidents", "old_value": old}
    channel: Json = {"type": hand.channel, "changeset": {"application_fields": [change]}}
    words = f"{name.capitalize()} changed by {hand.name(account)}"
    account.write_log(kind, incident, at, hand.who, channel, words)


def set_urgency(account: Account, incident: Incident, urgency: Urgency, hand: Hand, at: datetime) -> None:
    """Make the incident of high or low urgency."""
    if urgency == incident.urgency:
        return
    incident.urgency = urgency
    words = f"Urgency changed to {urgency} by {hand.name(account)}"
    account.write_log("urgency_change_log_entry", incident, at, hand.who, {"type": hand.channel}, words)


def move(account: Account, incident: Incident, service_id: str, hand: Hand, at: datetime) -> None:
    """Move the incident to another service."""
    old, incident.service_id = incident.service_id, service_id
    kind = account.options.priority_entry
    _field_entry(account, incident, kind, "service", old, service_id, hand, at)


def set_custom(
    account: Account, incident: Incident, values: Mapping[str, object], hand: Hand, at: datetime
) -> None:
    """Set custom fields, by field id. Raise a refusal for a value that the field does not offer."""
    for id_, value in values.items():
        field = account.custom_fields[id_]
        chosen = value if isinstance(value, list) else [value]
        if field.options and value is not None and not set(chosen) <= set(field.options):
            raise invalid(f"Value for custom field {field.name} is not one of its options")
    changeset = []
    for id_, value in values.items():
        incident.custom_values[id_] = value
        changeset.append(f"Updated {account.custom_fields[id_].name} to {value}")
    account.write_log(
        "custom_field_value_change_log_entry",
        incident,
        at,
        hand.who,
        {"type": hand.channel},
        f"Custom fields changed by {hand.name(account)}",
        {"changeset": changeset},
    )


def add_note(account: Account, incident: Incident, content: str, user: str, hand: Hand, at: datetime) -> Note:
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
        hand.who,
        {"type": "note", "summary": content},
        f"Note added by {hand.name(account)}",
    )
    return note


def edit_note(incident: Incident, note: Note, content: str, at: datetime) -> None:
    """Replace a note's text; the log says nothing of it."""
    if not content.strip():
        raise invalid("Content can't be blank")
    note.content, note.updated_at = content, at
    incident.updated_at = max(incident.updated_at, at)


def add_alert(account: Account, incident: Incident, alert: Alert) -> None:
    """Let monitoring add an alert to an open incident."""
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
