"""The acts of a story that people and monitoring do on PagerDuty itself.

An act takes names as people say them: an incident by id or number; a service, user or priority by name,
address or id. It happens now, or at `at` (a time with a zone), and returns the record that it made or
changed. An act that PagerDuty would refuse raises `Refusal`.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from syncd.sandbox.act import act
from syncd.sandbox.pagerduty import changes, lifecycle
from syncd.sandbox.pagerduty.lifecycle import Actor, Trigger
from syncd.sandbox.pagerduty.records import Alert, Incident, Note, Service, Urgency
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.pagerduty.timers import catch_up

N = TypeVar("N")


def by_name(records: Mapping[str, N], name: str, kind: str) -> str:
    """Return the id of the record with this id, name or address. Raise LookupError if there is none."""
    for id_, record in records.items():
        if name in (id_, getattr(record, "name", None), getattr(record, "email", None)):
            return id_
    raise LookupError(f"no {kind} called {name!r}")


class People:
    """The acts of people on PagerDuty. Each holds the lock of the account."""

    def __init__(self, account: Account, lock: threading.RLock) -> None:
        """Let people act on `account`."""
        self.account = account
        self.lock = lock

    def catch_up(self) -> None:
        """Apply what was due by now: acknowledgements that end, escalations, automatic resolves."""
        catch_up(self.account, self.account.now())

    def moment(self, at: datetime | None = None) -> datetime:
        """Return `at`, or the present time, in UTC and cut to the second."""
        return at.astimezone(UTC).replace(microsecond=0) if at else self.account.now()

    def find(self, incident: str | int) -> Incident:
        """Return an incident by id or number. Raise LookupError if there is none."""
        match = self.account.find(str(incident))
        if match is None:
            raise LookupError(f"no incident {incident!r}")
        return match

    def user_id(self, name: str) -> str:
        """Return the id of a user by name, address or id."""
        return by_name(self.account.users, name, "user")

    @act
    def trigger(
        self,
        service: str,
        title: str,
        *,
        urgency: Urgency | None = None,
        priority: str | None = None,
        by: str | None = None,
        key: str | None = None,
        body: str | None = None,
        assignees: Sequence[str] = (),
        details: Mapping[str, object] | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Open an incident: by a person (`by`), else by monitoring with one alert.

        If an open incident has the same key, return that one, as PagerDuty does with alerts.
        """
        account, now = self.account, self.moment(at)
        service_id = by_name(account.services, service, "service")
        if key:
            # PagerDuty groups alerts by key: an open incident with this key takes the alert.
            for id_ in account.open_ids:
                if account.incidents[id_].incident_key == key:
                    return account.incidents[id_]
        # Only monitoring brings an alert; an incident that a person opens has none.
        alerts = [] if by else [self._alert(title, key, now, details)]
        actor = (
            Actor.user(self.user_id(by))
            if by
            else Actor(("integration", account.services[service_id].integration_id), "api")
        )
        new = Trigger(
            service_id,
            title,
            urgency,
            by_name(account.priorities, priority, "priority") if priority else None,
            key,
            body,
            [self.user_id(name) for name in assignees],
            None,
            alerts,
        )
        return lifecycle.trigger(account, new, actor, now)

    def _alert(
        self, title: str, key: str | None, at: datetime, details: Mapping[str, object] | None
    ) -> Alert:
        account = self.account
        return Alert(
            account.new_id(),
            title,
            at,
            key or account.new_id("", 32).lower(),
            details=dict(details or {}),
            contexts=[{"type": "link", "href": "https://grafana.qrpay.example/d/alert", "text": "Dashboard"}],
        )

    @act
    def acknowledge(self, incident: str | int, by: str, *, at: datetime | None = None) -> Incident:
        """Let a person acknowledge an incident."""
        now, target, user = self.moment(at), self.find(incident), self.user_id(by)
        lifecycle.acknowledge(self.account, target, user, Actor.user(user), now)
        return target

    @act
    def unacknowledge(self, incident: str | int, by: str, *, at: datetime | None = None) -> Incident:
        """Set an acknowledged incident back to triggered."""
        now, target = self.moment(at), self.find(incident)
        lifecycle.unacknowledge(self.account, target, self._actor(by), now)
        return target

    @act
    def resolve(
        self,
        incident: str | int,
        by: str | None = None,
        *,
        resolution: str | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Resolve an incident as a person, or without `by` as monitoring."""
        now, target = self.moment(at), self.find(incident)
        # PagerDuty turns the text of a resolve into a note of its own.
        if resolution and by:
            changes.add_note(
                self.account, target, f"Resolution Note: {resolution}", self.user_id(by), self._actor(by), now
            )
        service = self.account.services[target.service_id]
        actor = self._actor(by) if by else Actor(("integration", service.integration_id), "api")
        lifecycle.resolve(self.account, target, actor, now)
        return target

    @act
    def reopen(self, incident: str | int, by: str, *, at: datetime | None = None) -> Incident:
        """Set a resolved incident back to triggered."""
        now, target = self.moment(at), self.find(incident)
        lifecycle.reopen(self.account, target, self._actor(by), now)
        return target

    @act
    def reassign(
        self, incident: str | int, to: Sequence[str] | str, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Assign an incident to one or several people."""
        now, target = self.moment(at), self.find(incident)
        users = [self.user_id(name) for name in ([to] if isinstance(to, str) else to)]
        changes.reassign(self.account, target, users, self._actor(by), now)
        return target

    @act
    def escalate(self, incident: str | int, level: int, by: str, *, at: datetime | None = None) -> Incident:
        """Escalate to a level (1 is the first) of the incident's policy."""
        now, target = self.moment(at), self.find(incident)
        changes.escalate(self.account, target, level, self._actor(by), now)
        return target

    @act
    def delegate(self, incident: str | int, policy: str, by: str, *, at: datetime | None = None) -> Incident:
        """Give an incident to another escalation policy."""
        now, target = self.moment(at), self.find(incident)
        policy_id = by_name(self.account.policies, policy, "escalation policy")
        changes.delegate(self.account, target, policy_id, self._actor(by), now)
        return target

    @act
    def set_priority(
        self, incident: str | int, priority: str | None, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Set the priority of an incident by name, or remove it (None)."""
        now, target = self.moment(at), self.find(incident)
        id_ = by_name(self.account.priorities, priority, "priority") if priority else None
        changes.set_priority(self.account, target, id_, self._actor(by), now)
        return target

    @act
    def set_title(self, incident: str | int, title: str, by: str, *, at: datetime | None = None) -> Incident:
        """Change the title of an incident."""
        now, target = self.moment(at), self.find(incident)
        changes.set_title(self.account, target, title, self._actor(by), now)
        return target

    @act
    def set_urgency(
        self, incident: str | int, urgency: Urgency, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Set the urgency of an incident."""
        now, target = self.moment(at), self.find(incident)
        changes.set_urgency(self.account, target, urgency, self._actor(by), now)
        return target

    @act
    def move(self, incident: str | int, service: str, by: str, *, at: datetime | None = None) -> Incident:
        """Move an incident to another service."""
        now, target = self.moment(at), self.find(incident)
        service_id = by_name(self.account.services, service, "service")
        changes.move(self.account, target, service_id, self._actor(by), now)
        return target

    @act
    def snooze(self, incident: str | int, seconds: int, by: str, *, at: datetime | None = None) -> Incident:
        """Let a person snooze an acknowledged incident."""
        now, target = self.moment(at), self.find(incident)
        lifecycle.snooze(self.account, target, seconds, self._actor(by), now)
        return target

    @act
    def merge(
        self, target: str | int, sources: Sequence[str | int], by: str, *, at: datetime | None = None
    ) -> Incident:
        """Merge incidents into `target`."""
        now, into = self.moment(at), self.find(target)
        lifecycle.merge(self.account, into, [self.find(source) for source in sources], self._actor(by), now)
        return into

    @act
    def set_custom(
        self, incident: str | int, field: str, value: object, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Set a custom field by name."""
        now, target = self.moment(at), self.find(incident)
        id_ = by_name(self.account.custom_fields, field, "custom field")
        changes.set_custom(self.account, target, {id_: value}, self._actor(by), now)
        return target

    @act
    def alert(self, incident: str | int, summary: str, *, at: datetime | None = None) -> Alert:
        """Let monitoring add an alert to an open incident."""
        now, target = self.moment(at), self.find(incident)
        alert = self._alert(summary, None, now, None)
        changes.add_alert(self.account, target, alert)
        return alert

    @act
    def note(self, incident: str | int, content: str, by: str, *, at: datetime | None = None) -> Note:
        """Write a note."""
        now, target = self.moment(at), self.find(incident)
        return changes.add_note(self.account, target, content, self.user_id(by), self._actor(by), now)

    @act
    def edit_note(self, incident: str | int, note: str, content: str, *, at: datetime | None = None) -> Note:
        """Replace a note's text."""
        now, target = self.moment(at), self.find(incident)
        edited = self._note(target, note)
        changes.edit_note(target, edited, content, now)
        return edited

    @act
    def delete_note(self, incident: str | int, note: str) -> Note:
        """Delete a note, as people can on the web site."""
        target = self._note(self.find(incident), note)
        target.deleted = True
        return target

    @act
    def rename_service(self, service: str, name: str) -> Service:
        """Give a service another name; its id stays."""
        renamed = self.account.services[by_name(self.account.services, service, "service")]
        renamed.name = name
        return renamed

    @act
    def add_service(self, name: str, like: str) -> Service:
        """Make a service with the policy and team of another one; PagerDuty gives it an id of its own."""
        account = self.account
        model = account.services[by_name(account.services, like, "service")]
        made = replace(model, id=account.new_id("P", 7), name=name, created_at=account.now())
        account.services[made.id] = made
        return made

    @act
    def hide_service(self, service: str, hidden: bool = True) -> Service:
        """Let lists and reads show a service no more, as if it were deleted, or show it again."""
        target = self.account.services[by_name(self.account.services, service, "service")]
        target.hidden = hidden
        return target

    def _note(self, incident: Incident, note: str) -> Note:
        for row in incident.notes:
            if row.id == note and not row.deleted:
                return row
        raise LookupError(f"no note {note!r} on incident {incident.id}")

    def _actor(self, by: str) -> Actor:
        return Actor.user(self.user_id(by))
