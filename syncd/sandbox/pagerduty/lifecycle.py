"""How an incident moves between triggered, acknowledged and resolved, and what each move writes to the log.

As in PagerDuty, a resolve removes assignments and acknowledgements. Triggering or acknowledging a resolved
incident reopens it. An acknowledgement lasts as long as its service says; then the incident is triggered
again. A merge resolves the sources with a reason that names the target. Every move leaves log entries with
their actor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.sandbox.pagerduty.errors import already_merged, already_resolved, invalid, not_acknowledged
from syncd.sandbox.pagerduty.records import Alert, Incident, Status, Urgency
from syncd.sandbox.pagerduty.refs import agent as agent_json
from syncd.sandbox.pagerduty.refs import ref, utc
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json


@dataclass(frozen=True)
class Actor:
    """The actor of a change, as (kind, id), and the channel: `website`, `api`, `timeout` or `auto`."""

    agent: tuple[str, str]
    channel: str = "website"

    @classmethod
    def user(cls, id_: str, channel: str = "website") -> "Actor":
        """Return a person as the actor."""
        return cls(("user", id_), channel)

    def name(self, account: Account) -> str:
        """Return the name of the actor that the log shows."""
        return str(agent_json(account, self.agent)["summary"])


@dataclass
class Trigger:
    """The content of a new incident. `alerts` are present only if monitoring opens it."""

    service_id: str
    title: str
    urgency: Urgency | None = None
    priority_id: str | None = None
    incident_key: str | None = None
    body: str | None = None
    assignee_ids: Sequence[str] = ()
    policy_id: str | None = None
    alerts: Sequence[Alert] = ()
    type_name: str = "incident_default"


def trigger(account: Account, new: Trigger, actor: Actor, at: datetime) -> Incident:
    """Open an incident at `at` and notify the people whom its policy or `new.assignee_ids` names."""
    service = account.services[new.service_id]
    incident = Incident(
        account.new_id(),
        account.next_number(),
        new.title,
        service.id,
        new.policy_id or service.policy_id,
        new.urgency or service.urgency,
        at,
        at,
        at,
        actor.agent,
        new.incident_key or account.new_id("", 32).lower(),
        priority_id=new.priority_id,
        body=new.body,
        alerts=list(new.alerts),
        type_name=new.type_name,
    )
    account.add(incident)
    service.last_incident_at = at
    by_api = actor.agent[0] == "integration"
    channel: Json = {
        "type": "api" if by_api or actor.channel == "api" else "web_trigger",
        "summary": new.title,
    }
    how = "through the API" if channel["type"] == "api" else "through the website"
    extra = {"event_details": {"description": new.title}}
    entry = account.write_log(
        "trigger_log_entry", incident, at, actor.agent, channel, f"Triggered {how}", extra
    )
    incident.first_entry_id = entry.id
    users = list(new.assignee_ids) or account.on_call(account.policies[incident.policy_id], 1, at)
    incident.assigned_via = "direct_assignment" if new.assignee_ids else "escalation_policy"
    assign(account, incident, users, Actor(("service", service.id), "auto"), at)
    # A service may resolve its incidents by itself after a time.
    if service.auto_resolve_timeout:
        account.set_due(incident, "resolve", at + timedelta(seconds=service.auto_resolve_timeout))
    return incident


def assign(
    account: Account,
    incident: Incident,
    users: Sequence[str],
    actor: Actor,
    at: datetime,
    entry: str = "assign_log_entry",
    verb: str = "Assigned",
) -> None:
    """Assign an open incident to `users`, notify them, and start the clock of the next escalation."""
    incident.assignments = [(user, at) for user in users]
    names = ", ".join(account.users[user].name for user in users)
    by = "" if actor.channel == "auto" else f" by {actor.name(account)}"
    extra = {"assignees": [ref(account, "user", user) for user in users]}
    account.write_log(
        entry, incident, at, actor.agent, {"type": actor.channel}, f"{verb} to {names}{by}", extra
    )
    for user in users:
        person = account.users[user]
        notification = {"type": "email", "address": person.email, "status": "success"}
        account.write_log(
            "notify_log_entry",
            incident,
            at,
            None,
            {"type": "auto", "notification": notification},
            f"Notified {person.name} by email",
            {"user": ref(account, "user", user)},
        )
    await_escalation(account, incident, at)


def await_escalation(account: Account, incident: Incident, at: datetime) -> None:
    """Plan the next escalation, if there is a next level and the policy still decides."""
    policy = account.policies[incident.policy_id]
    more = incident.level < len(policy.rules) or incident.loops < policy.num_loops
    if incident.status != "triggered" or incident.assigned_via != "escalation_policy" or not more:
        account.set_due(incident, "escalate", None)
        return
    delay = policy.rules[incident.level - 1].delay_minutes
    account.set_due(incident, "escalate", at + timedelta(minutes=delay))


def acknowledge(account: Account, incident: Incident, user: str, actor: Actor, at: datetime) -> None:
    """Acknowledge for `user`; reopen a resolved incident first."""
    if not incident.is_open:
        reopen(account, incident, actor, at)
    _status(incident, "acknowledged", actor, at)
    # Each user has one acknowledgement, the latest.
    others = [row for row in incident.acknowledgements if row[0] != user]
    incident.acknowledgements = [*others, (user, at)]
    timeout = account.services[incident.service_id].acknowledgement_timeout
    account.set_due(incident, "escalate", None)
    account.set_due(incident, "unacknowledge", at + timedelta(seconds=timeout) if timeout else None)
    account.write_log(
        "acknowledge_log_entry",
        incident,
        at,
        actor.agent,
        {"type": actor.channel},
        f"Acknowledged by {actor.name(account)}",
        {"acknowledgement_timeout": timeout, "event_details": {}},
    )


def unacknowledge(account: Account, incident: Incident, actor: Actor, at: datetime) -> None:
    """Set an acknowledged incident back to triggered, as the time-out of its service does."""
    if incident.status != "acknowledged":
        raise not_acknowledged()
    _status(incident, "triggered", actor, at)
    incident.acknowledgements = []
    account.set_due(incident, "unacknowledge", None)
    by = "timeout" if actor.channel == "timeout" else actor.name(account)
    account.write_log(
        "unacknowledge_log_entry",
        incident,
        at,
        actor.agent,
        {"type": actor.channel},
        f"Unacknowledged by {by}",
    )
    await_escalation(account, incident, at)


def resolve(
    account: Account, incident: Incident, actor: Actor, at: datetime, target: Incident | None = None
) -> None:
    """Resolve an open incident and its alerts, by a merge into `target` where one is given."""
    if not incident.is_open:
        raise already_resolved()
    _status(incident, "resolved", actor, at)
    incident.resolved_at = at
    incident.assignments = []
    incident.acknowledgements = []
    # Nothing happens to a resolved incident by itself.
    for timer in list(incident.due):
        account.set_due(incident, timer, None)
    for alert in incident.alerts:
        if alert.status != "resolved":
            alert.status, alert.resolved_at = "resolved", at
    account.open_ids.pop(incident.id, None)
    by = "timeout" if actor.channel == "timeout" else actor.name(account)
    account.write_log(
        "resolve_log_entry",
        incident,
        at,
        actor.agent,
        {"type": actor.channel},
        f"Resolved by {by}",
        {"event_details": {}, "linked_incident": ref(account, "incident", target.id)}
        if target is not None
        else {"event_details": {}},
    )


def reopen(account: Account, incident: Incident, actor: Actor, at: datetime) -> None:
    """Set a resolved incident back to triggered and notify the first level of its policy again."""
    if incident.is_open:
        return
    _status(incident, "triggered", actor, at)
    incident.resolved_at = None
    # A reopened source stands on its own again.
    incident.merged_into = None
    incident.level = 1
    incident.assigned_via = "escalation_policy"
    account.open_ids[incident.id] = None
    # Which log entry a reopening leaves is not documented; the option may say: none.
    if kind := account.options.reopen_entry:
        account.write_log(
            kind, incident, at, actor.agent, {"type": actor.channel}, f"Reopened by {actor.name(account)}"
        )
    users = account.on_call(account.policies[incident.policy_id], 1, at)
    assign(account, incident, users, Actor(("service", incident.service_id), "auto"), at)


def snooze(account: Account, incident: Incident, seconds: int, actor: Actor, at: datetime) -> None:
    """Keep an acknowledged incident quiet for `seconds`."""
    if incident.status != "acknowledged":
        raise not_acknowledged()
    until = at + timedelta(seconds=seconds)
    # The end of the snooze replaces the time-out of the acknowledgement.
    account.set_due(incident, "unacknowledge", until)
    hours, minutes = divmod(seconds // 60, 60)
    account.write_log(
        "snooze_log_entry",
        incident,
        at,
        actor.agent,
        {"type": actor.channel, "duration": seconds},
        f"Snoozed by {actor.name(account)} for {hours} hr {minutes} min",
        {"changed_actions": [{"type": "unacknowledge", "at": utc(until)}]},
    )


def merge(
    account: Account, target: Incident, sources: Sequence[Incident], actor: Actor, at: datetime
) -> None:
    """Merge `sources` into `target`: resolve them with that reason and move their alerts."""
    if not target.is_open:
        raise already_resolved()
    for source in sources:
        if source.id == target.id:
            raise invalid("An incident cannot be merged into itself")
        if source.merged_into:
            raise already_merged()
    for source in sources:
        # A source that is resolved already keeps its resolve time.
        if source.is_open:
            resolve(account, source, actor, at, target)
        source.merged_into = target.id
        target.alerts.extend(source.alerts)
        source.alerts = []
        account.write_log(
            "link_log_entry",
            target,
            at,
            actor.agent,
            {"type": actor.channel},
            f"Merged with [#{source.number}] by {actor.name(account)}",
            {"linked_incident": ref(account, "incident", source.id)},
        )
        source.updated_at = max(source.updated_at, at)


def _status(incident: Incident, status: Status, actor: Actor, at: datetime) -> None:
    incident.status = status
    incident.last_status_change_at = at
    incident.last_status_change_by = actor.agent
    incident.updated_at = max(incident.updated_at, at)
