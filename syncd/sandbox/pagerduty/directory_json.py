"""How services, users, policies, schedules, priorities and teams look on the wire."""

from collections.abc import Callable

from syncd.sandbox.pagerduty.records import Policy, Rule
from syncd.sandbox.pagerduty.refs import agent, local, ref
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json


def shown_as(account: Account, kind: str, id_: str, full: bool) -> Json:
    """Return an object in full, or as a reference."""
    return FULL[kind](account, id_) if full else ref(account, kind, id_)


def _head(account: Account, kind: str, id_: str) -> Json:
    return {**ref(account, kind, id_), "type": kind}


def service(account: Account, id_: str) -> Json:
    """Return a service in full."""
    row = account.services[id_]
    last = row.last_incident_at
    return {
        **_head(account, "service", id_),
        "name": row.name,
        "description": row.description,
        "auto_resolve_timeout": row.auto_resolve_timeout,
        "acknowledgement_timeout": row.acknowledgement_timeout,
        "created_at": local(account, row.created_at),
        "status": row.status,
        "last_incident_timestamp": local(account, last) if last else None,
        "teams": [ref(account, "team", team) for team in row.team_ids],
        "incident_urgency_rule": {"type": "constant", "urgency": row.urgency},
        "scheduled_actions": [],
        "support_hours": None,
        "escalation_policy": ref(account, "escalation_policy", row.policy_id),
        "addons": [],
        "privilege": None,
        "alert_creation": "create_alerts_and_incidents",
        "alert_grouping": None,
        "alert_grouping_timeout": None,
        "auto_pause_notifications_parameters": {"enabled": False, "timeout": None},
        "integrations": [agent(account, ("integration", row.integration_id))],
        "response_play": None,
    }


def user(account: Account, id_: str) -> Json:
    """Return a user in full."""
    row = account.users[id_]
    return {
        **_head(account, "user", id_),
        "name": row.name,
        "email": row.email,
        "time_zone": row.time_zone,
        "color": "purple",
        "avatar_url": f"https://avatars.pagerduty.example/{id_}.png",
        "billed": True,
        "role": row.role,
        "description": None,
        "invitation_sent": False,
        "created_via_sso": False,
        "job_title": row.job_title,
        "teams": [ref(account, "team", team) for team in row.team_ids],
        "contact_methods": [],
        "notification_rules": [],
        "coordinated_incidents": [],
    }


def team(account: Account, id_: str) -> Json:
    """Return a team in full."""
    return {
        **_head(account, "team", id_),
        "name": account.teams[id_].name,
        "description": None,
        "parent": None,
        "default_role": "manager",
    }


def _rule(account: Account, rule: Rule) -> Json:
    return {
        "id": rule.id,
        "escalation_delay_in_minutes": rule.delay_minutes,
        "targets": [ref(account, kind, target) for kind, target in rule.targets],
    }


def policy(account: Account, id_: str) -> Json:
    """Return an escalation policy in full."""
    row: Policy = account.policies[id_]
    return {
        **_head(account, "escalation_policy", id_),
        "name": row.name,
        "escalation_rules": [_rule(account, rule) for rule in row.rules],
        "services": [
            ref(account, "service", service.id)
            for service in account.services.values()
            if service.policy_id == id_
        ],
        "num_loops": row.num_loops,
        "teams": [ref(account, "team", team_id) for team_id in row.team_ids],
        "description": None,
        "on_call_handoff_notifications": "if_has_services",
        "privilege": None,
    }


def schedule(account: Account, id_: str) -> Json:
    """Return a schedule in full, without its layers."""
    row = account.schedules[id_]
    used = [
        policy
        for policy in account.policies.values()
        if any(("schedule", id_) in rule.targets for rule in policy.rules)
    ]
    return {
        **_head(account, "schedule", id_),
        "name": row.name,
        "time_zone": row.time_zone,
        "description": None,
        "escalation_policies": [ref(account, "escalation_policy", policy.id) for policy in used],
        "users": [ref(account, "user", user_id) for user_id in row.user_ids],
        "teams": [],
    }


def priority(account: Account, id_: str) -> Json:
    """Return a priority in full. As in PagerDuty, the gravest has the highest `order`."""
    row = account.priorities[id_]
    return {
        **_head(account, "priority", id_),
        "name": row.name,
        "description": row.description,
        "color": row.color,
        "order": 1 << 26 >> (row.rank - 1),
        "schema_version": 0,
        "account_id": "PACCT01",
    }


def custom_field(account: Account, id_: str) -> Json:
    """Return the definition of a custom field."""
    field = account.custom_fields[id_]
    return {
        "id": field.id,
        "type": "field",
        "summary": field.display_name,
        "self": f"{account.base_url}/incidents/custom_fields/{field.id}",
        "name": field.name,
        "display_name": field.display_name,
        "description": field.description,
        "data_type": field.data_type,
        "field_type": field.field_type,
        "default_value": None,
        "field_options": [
            {
                "id": f"{field.id}{index}",
                "type": "field_option",
                "data": {"data_type": field.data_type, "value": value},
                "created_at": "2026-01-05T09:00:00Z",
                "updated_at": "2026-01-05T09:00:00Z",
            }
            for index, value in enumerate(field.options)
        ],
    }


FULL: dict[str, Callable[[Account, str], Json]] = {
    "service": service,
    "user": user,
    "team": team,
    "escalation_policy": policy,
    "schedule": schedule,
    "priority": priority,
}
