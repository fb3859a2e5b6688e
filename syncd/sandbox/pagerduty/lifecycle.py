"""How an incident moves between triggered, acknowledged and resolved, and what each move writes to the log.

Kept as the service keeps it: a resolve clears assignments and acknowledgements; triggered or acknowledged on
a resolved incident reopens it; an acknowledgement lasts as long as its service says and then falls back to
triggered; a merge resolves the sources with a reason that points at the target; every move leaves log
entries with their agent and channel.
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
class Hand:
    """Who acts, as (kind, id), and by which channel: `website`, `api`, `timeout` or `auto`."""

    who: tuple[str, str]
    channel: str = "website"

    @classmethod
    def user(cls, id_: str, channel: str = "website") -> "Hand":
        """Return the hand of a person."""
        return cls(("user", id_), channel)

    def name(self, account: Account) -> str:
        """Return the name that the log shows."""
        return str(agent_json(account, self.who)["summary"])


@dataclass
class Trigger:
    """What a new incident begins with. `alerts` are there only when monitoring opened it."""

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


def trigger(account: Account, new: Trigger, hand: Hand, at: datetime) -> Incident:
    """Open an incident at `at` and call whom its policy or `new.assignee_ids` names."""
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
        hand.who,
        new.incident_key or account.new_id("", 32).lower(),
        priority_id=new.priority_id,
        body=new.body,
        alerts=list(new.alerts),
        type_name=new.type_name,
    )
    account.add(incident)
    service.last_incident_at = at
    by_api = hand.who[0] == "integration"
    channel: Json = {
        "type": "api" if by_api or hand.channel == "api" else "web_trigger",
        "summary": new.title,
    }
    how = "through the API" if channel["type"] == "api" else "through the website"
    extra = {"event_details": {"description": new.title}}
    entry = account.write_log("trigger_log_entry", incident, at, hand.who, channel, f"Triggered {how}", extra)
    incident.first_entry_id = entry.id
    users = list(new.assignee_ids) or account.on_call(account.policies[incident.policy_id], 1, at)
    incident.assigned_via = "direct_assignment" if new.assignee_ids else "escalation_policy"
    assign(account, incident, users, Hand(("service", service.id), "auto"), at)
    if service.auto_resolve_timeout:
        account.set_due(incident, "resolve", at + timedelta(seconds=service.auto_resolve_timeout))
    return incident


def assign(
    account: Account,
    incident: Incident,
    users: Sequence[str],
    hand: Hand,
    at: datetime,
    entry: str = "assign_log_entry",
    verb: str = "Assigned",
) -> None:
    """Give an open incident to `users`, tell them, and start the clock of the next escalation."""
    incident.assignments = [(user, at) for user in users]
    names = ", ".join(account.users[user].name for user in users)
    by = "" if hand.channel == "auto" else f" by {hand.name(account)}"
    extra = {"assignees": [ref(account, "user", user) for user in users]}
    account.write_log(entry, incident, at, hand.who, {"type": hand.channel}, f"{verb} to {names}{by}", extra)
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
    """Let the next level be called in time, if there is one and the policy still decides."""
    policy = account.policies[incident.policy_id]
    more = incident.level < len(policy.rules) or incident.loops < policy.num_loops
    if incident.status != "triggered" or incident.assigned_via != "escalation_policy" or not more:
        account.set_due(incident, "escalate", None)
        return
    delay = policy.rules[incident.level - 1].delay_minutes
    account.set_due(incident, "escalate", at + timedelta(minutes=delay))


def acknowledge(account: Account, incident: Incident, user: str, hand: Hand, at: datetime) -> None:
    """Acknowledge for `user`; a resolved incident is reopened first."""
    if not incident.is_open:
        reopen(account, incident, hand, at)
    _status(incident, "acknowledged", hand, at)
    others = [one for one in incident.acknowledgements if one[0] != user]
    incident.acknowledgements = [*others, (user, at)]
    timeout = account.services[incident.service_id].acknowledgement_timeout
    account.set_due(incident, "escalate", None)
    account.set_due(incident, "unacknowledge", at + timedelta(seconds=timeout) if timeout else None)
    account.write_log(
        "acknowledge_log_entry",
        incident,
        at,
        hand.who,
        {"type": hand.channel},
        f"Acknowledged by {hand.name(account)}",
        {"acknowledgement_timeout": timeout, "event_details": {}},
    )


def unacknowledge(account: Account, incident: Incident, hand: Hand, at: datetime) -> None:
    """Let an acknowledged incident fall back to triggered, as its service's time-out does."""
    if incident.status != "acknowledged":
        raise not_acknowledged()
    _status(incident, "triggered", hand, at)
    incident.acknowledgements = []
    account.set_due(incident, "unacknowledge", None)
    by = "timeout" if hand.channel == "timeout" else hand.name(account)
    account.write_log(
        "unacknowledge_log_entry", incident, at, hand.who, {"type": hand.channel}, f"Unacknowledged by {by}"
    )
    await_escalation(account, incident, at)


def resolve(account: Account, incident: Incident, hand: Hand, at: datetime) -> None:
    """Resolve an open incident and its alerts."""
    if not incident.is_open:
        raise already_resolved()
    _status(incident, "resolved", hand, at)
    incident.resolved_at = at
    incident.assignments = []
    incident.acknowledgements = []
    for timer in list(incident.due):
        account.set_due(incident, timer, None)
    for alert in incident.alerts:
        if alert.status != "resolved":
            alert.status, alert.resolved_at = "resolved", at
    account.open_ids.pop(incident.id, None)
    by = "timeout" if hand.channel == "timeout" else hand.name(account)
    account.write_log(
        "resolve_log_entry",
        incident,
        at,
        hand.who,
        {"type": hand.channel},
        f"Resolved by {by}",
        {"event_details": {}},
    )


def reopen(account: Account, incident: Incident, hand: Hand, at: datetime) -> None:
    """Set a resolved incident back to triggered and call its policy's first level again."""
    if incident.is_open:
        return
    _status(incident, "triggered", hand, at)
    incident.resolved_at = None
    incident.merged_into = None
    incident.level = 1
    incident.assigned_via = "escalation_policy"
    account.open_ids[incident.id] = None
    if kind := account.options.reopen_entry:
        account.write_log(
            kind, incident, at, hand.who, {"type": hand.channel}, f"Reopened by {hand.name(account)}"
        )
    users = account.on_call(account.policies[incident.policy_id], 1, at)
    assign(account, incident, users, Hand(("service", incident.service_id), "auto"), at)


def snooze(account: Account, incident: Incident, seconds: int, hand: Hand, at: datetime) -> None:
    """Keep an acknowledged incident quiet for `seconds`."""
    if incident.status != "acknowledged":
        raise not_acknowledged()
    until = at + timedelta(seconds=seconds)
    account.set_due(incident, "unacknowledge", until)
    hours, minutes = divmod(seconds // 60, 60)
    account.write_log(
        "snooze_log_entry",
        incident,
        at,
        hand.who,
        {"type": hand.channel, "duration": seconds},
        f"Snoozed by {hand.name(account)} for {hours} hr {minutes} min",
        {"changed_actions": [{"type": "unacknowledge", "at": utc(until)}]},
    )


def merge(account: Account, target: Incident, sources: Sequence[Incident], hand: Hand, at: datetime) -> None:
    """Merge `sources` into `target`: they end resolved with the reason, their alerts move over."""
    if not target.is_open:
        raise already_resolved()
    for source in sources:
        if source.id == target.id:
            raise invalid("An incident cannot be merged into itself")
        if source.merged_into:
            raise already_merged()
    for source in sources:
        if source.is_open:
            resolve(account, source, hand, at)
        source.merged_into = target.id
        target.alerts.extend(source.alerts)
        source.alerts = []
        account.write_log(
            "link_log_entry",
            target,
            at,
            hand.who,
            {"type": hand.channel},
            f"Merged with [#{source.number}] by {hand.name(account)}",
            {"linked_incident": ref(account, "incident", source.id)},
        )
        source.updated_at = max(source.updated_at, at)


def _status(incident: Incident, status: Status, hand: Hand, at: datetime) -> None:
    incident.status = status
    incident.last_status_change_at = at
    incident.last_status_change_by = hand.who
    incident.updated_at = max(incident.updated_at, at)
