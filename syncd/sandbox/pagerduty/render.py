"""How incidents, their log entries, notes and alerts look on the wire."""

from collections.abc import Collection

from syncd.sandbox.pagerduty.directory_json import shown_as
from syncd.sandbox.pagerduty.records import Alert, Incident, LogEntry, Note
from syncd.sandbox.pagerduty.refs import agent, html, local, ref, utc
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json


def incident_json(
    account: Account, incident: Incident, include: Collection[str] = (), detail: bool = False
) -> Json:
    """Return an incident; `include` names objects in full, `detail` adds the custom fields."""
    shown: Json = {
        **ref(account, "incident", incident.id),
        "type": "incident",
        "incident_number": incident.number,
        "title": incident.title,
        "description": incident.title,
        "status": incident.status,
        "urgency": incident.urgency,
        # PagerDuty shows no key once the incident has alerts; each alert has its own.
        "incident_key": None if incident.alerts else incident.incident_key,
        "incident_type": {"name": incident.type_name},
        "is_mergeable": True,
        "alert_counts": alert_counts(incident),
        "alert_grouping": None,
        "pending_actions": pending(incident),
        "resolve_reason": merge_reason(account, incident),
        "conference_bridge": incident.conference_bridge,
        "first_trigger_log_entry": entry_ref(account, incident),
        "incidents_responders": [],
        "responder_requests": [],
        "subscriber_requests": [],
        **_moments(incident),
        **_places(account, incident, include),
        **_people(account, incident, include),
    }
    if "first_trigger_log_entries" in include:
        shown["first_trigger_log_entry"] = first_entry(account, incident)
    if "body" in include:
        shown["body"] = {"type": "incident_body", "details": incident.body}
    if detail:
        shown["custom_fields"] = custom_values(account, incident)
    return shown


def _moments(incident: Incident) -> Json:
    return {
        "created_at": utc(incident.created_at),
        "updated_at": utc(incident.updated_at),
        "resolved_at": utc(incident.resolved_at),
        "last_status_change_at": utc(incident.last_status_change_at),
    }


def _places(account: Account, incident: Incident, include: Collection[str]) -> Json:
    service, policy, priority = incident.service_id, incident.policy_id, incident.priority_id
    teams = account.services[service].team_ids
    return {
        "service": shown_as(account, "service", service, "services" in include),
        "impacted_services": [ref(account, "service", service)],
        "escalation_policy": shown_as(account, "escalation_policy", policy, "escalation_policies" in include),
        "priority": shown_as(account, "priority", priority, "priorities" in include) if priority else None,
        "teams": [shown_as(account, "team", team, "teams" in include) for team in teams],
    }


def _people(account: Account, incident: Incident, include: Collection[str]) -> Json:
    assignees, acknowledgers = "assignees" in include, "acknowledgers" in include
    return {
        "assigned_via": incident.assigned_via,
        "assignments": [
            {"at": utc(at), "assignee": shown_as(account, "user", user, assignees)}
            for user, at in incident.assignments
        ],
        "acknowledgements": [
            {"at": utc(at), "acknowledger": shown_as(account, "user", user, acknowledgers)}
            for user, at in incident.acknowledgements
        ],
        "last_status_change_by": agent(account, incident.last_status_change_by),
    }


def alert_counts(incident: Incident) -> Json:
    """Return the number of alerts of an incident, by state."""
    states = [alert.status for alert in incident.alerts]
    return {
        "all": len(states),
        "triggered": states.count("triggered"),
        "resolved": states.count("resolved"),
    }


def pending(incident: Incident) -> list[Json]:
    """Return what will happen to an incident by itself, soonest first."""
    actions = [(at, timer) for timer, at in incident.due.items()]
    return [{"type": timer, "at": utc(at)} for at, timer in sorted(actions)]


def merge_reason(account: Account, incident: Incident) -> Json | None:
    """Return the reason of a merged incident, which names the target, or None for any other."""
    if incident.merged_into is None:
        return None
    return {"type": "merge_resolve_reason", "incident": ref(account, "incident", incident.merged_into)}


def custom_values(account: Account, incident: Incident) -> list[Json]:
    """Return the value of every custom field of an incident."""
    return [
        {
            "id": field.id,
            "type": "field_value",
            "name": field.name,
            "display_name": field.display_name,
            "description": field.description,
            "data_type": field.data_type,
            "field_type": field.field_type,
            "value": incident.custom_values.get(field.id),
        }
        for field in account.custom_fields.values()
    ]


def entry_ref(account: Account, incident: Incident) -> Json:
    """Return the reference to the log entry that opened an incident."""
    entry = first_entry(account, incident)
    names = ("id", "summary", "self", "html_url")
    return {**{name: entry[name] for name in names}, "type": "trigger_log_entry_reference"}


def first_entry(account: Account, incident: Incident) -> Json:
    """Return the log entry that opened an incident."""
    return entry_json(account, account.entries[incident.first_entry_id])


def entry_json(account: Account, entry: LogEntry, include: Collection[str] = ()) -> Json:
    """Return a log entry; `include` may ask for `incidents`, `services`, `teams` and `channels` in full."""
    incident = account.incidents[entry.incident_id]
    page = f"incidents/{incident.id}/log_entries/{entry.id}"
    shown: Json = {
        "id": entry.id,
        "type": entry.type,
        "summary": entry.summary,
        "self": f"{account.base_url}/log_entries/{entry.id}",
        # Only the entry that opened the incident has a page.
        "html_url": html(account, page) if entry.type == "trigger_log_entry" else None,
        "created_at": utc(entry.created_at),
        "channel": entry.channel,
        "service": shown_as(account, "service", incident.service_id, "services" in include),
        "incident": incident_json(account, incident)
        if "incidents" in include
        else ref(account, "incident", incident.id),
        "teams": [
            shown_as(account, "team", team, "teams" in include)
            for team in account.services[incident.service_id].team_ids
        ],
        "contexts": [],
        **entry.extra,
    }
    # A notification has no agent, and then the key itself is missing.
    if entry.agent:
        shown["agent"] = agent(account, entry.agent)
    return shown


def note_json(account: Account, note: Note) -> Json:
    """Return a note; its times are in the account's zone, unlike those of incidents."""
    return {
        "id": note.id,
        "user": ref(account, "user", note.user_id),
        "channel": {"summary": "The PagerDuty website or APIs"},
        "content": note.content,
        "created_at": local(account, note.created_at),
        "updated_at": local(account, note.updated_at),
    }


def alert_json(account: Account, incident: Incident, alert: Alert) -> Json:
    """Return an alert of an incident."""
    service = account.services[incident.service_id]
    return {
        "id": alert.id,
        "type": "alert",
        "summary": alert.summary,
        "self": f"{account.base_url}/alerts/{alert.id}",
        "html_url": html(account, f"alerts/{alert.id}"),
        "created_at": utc(alert.created_at),
        "updated_at": utc(alert.resolved_at or alert.created_at),
        "resolved_at": utc(alert.resolved_at),
        "status": alert.status,
        "alert_key": alert.key,
        "suppressed": False,
        "service": ref(account, "service", service.id),
        "severity": alert.severity,
        "incident": ref(account, "incident", incident.id),
        "first_trigger_log_entry": entry_ref(account, incident),
        "body": {
            "type": "alert_body",
            "contexts": alert.contexts,
            "details": alert.details,
            "cef_details": {
                "contexts": alert.contexts,
                "dedup_key": alert.key,
                "description": alert.summary,
                "details": alert.details,
                "severity": alert.severity,
                "source_origin": alert.source,
            },
        },
        "integration": agent(account, ("integration", service.integration_id)),
        "privilege": None,
    }
