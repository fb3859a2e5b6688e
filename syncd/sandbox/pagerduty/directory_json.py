"""How what changes rarely looks on the wire: services, users, policies, schedules, priorities, teams."""

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
    one = account.services[id_]
    last = one.last_incident_at
    return {
        **_head(account, "service", id_),
        "name": one.name,
        "description": one.description,
        "auto_resolve_timeout": one.auto_resolve_timeout,
        "acknowledgement_timeout": one.acknowledgement_timeout,
        "created_at": local(account, one.created_at),
        "status": one.status,
        "last_incident_timestamp": local(account, last) if last else None,
        "teams": [ref(account, "team", team) for team in one.team_ids],
        "incident_urgency_rule": {"type": "constant", "urgency": one.urgency},
        "scheduled_actions": [],
        "support_hours": None,
        "escalation_policy": ref(account, "escalation_policy", one.policy_id),
        "addons": [],
        "privilege": None,
        "alert_creation": "create_alerts_and_incidents",
        "alert_grouping": None,
        "alert_grouping_timeout": None,
        "auto_pause_notifications_parameters": {"enabled": False, "timeout": None},
        "integrations": [agent(account, ("integration", one.integration_id))],
        "response_play": None,
    }


def user(account: Account, id_: str) -> Json:
    """Return a user in full."""
    one = account.users[id_]
    return {
        **_head(account, "user", id_),
        "name": one.name,
        "email": one.email,
        "time_zone": one.time_zone,
        "color": "purple",
        "avatar_url": f"https://avatars.pagerduty.example/{id_}.png",
        "billed": True,
        "role": one.role,
        "description": None,
        "invitation_sent": False,
        "created_via_sso": False,
        "job_title": one.job_title,
        "teams": [ref(account, "team", team) for team in one.team_ids],
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
    one: Policy = account.policies[id_]
    return {
        **_head(account, "escalation_policy", id_),
        "name": one.name,
        "escalation_rules": [_rule(account, rule) for rule in one.rules],
        "services": [ref(account, "service", s.id) for s in account.services.values() if s.policy_id == id_],
        "num_loops": one.num_loops,
        "teams": [ref(account, "team", team_id) for team_id in one.team_ids],
        "description": None,
        "on_call_handoff_notifications": "if_has_services",
        "privilege": None,
    }


def schedule(account: Account, id_: str) -> Json:
    """Return a schedule in full, without its layers."""
    one = account.schedules[id_]
    used = [
        p for p in account.policies.values() if any(("schedule", id_) in rule.targets for rule in p.rules)
    ]
    return {
        **_head(account, "schedule", id_),
        "name": one.name,
        "time_zone": one.time_zone,
        "description": None,
        "escalation_policies": [ref(account, "escalation_policy", p.id) for p in used],
        "users": [ref(account, "user", user_id) for user_id in one.user_ids],
        "teams": [],
    }


def priority(account: Account, id_: str) -> Json:
    """Return a priority in full. `order` falls from the gravest on, as the service has it."""
    one = account.priorities[id_]
    return {
        **_head(account, "priority", id_),
        "name": one.name,
        "description": one.description,
        "color": one.color,
        "order": 1 << 26 >> (one.rank - 1),
        "schema_version": 0,
        "account_id": "PACCT01",
    }


def custom_field(account: Account, id_: str) -> Json:
    """Return the definition of a custom field."""
    one = account.custom_fields[id_]
    return {
        "id": one.id,
        "type": "field",
        "summary": one.display_name,
        "self": f"{account.base_url}/incidents/custom_fields/{one.id}",
        "name": one.name,
        "display_name": one.display_name,
        "description": one.description,
        "data_type": one.data_type,
        "field_type": one.field_type,
        "default_value": None,
        "field_options": [
            {
                "id": f"{one.id}{index}",
                "type": "field_option",
                "data": {"data_type": one.data_type, "value": value},
                "created_at": "2026-01-05T09:00:00Z",
                "updated_at": "2026-01-05T09:00:00Z",
            }
            for index, value in enumerate(one.options)
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
