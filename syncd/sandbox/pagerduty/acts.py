"""What people and monitoring do on PagerDuty's own side: the acts of a story.

Each act takes names as people say them (an incident's id or number; a service, user or priority by name,
address or id), happens at the present moment or at `at` (aware), and returns the record that it made or
changed. A refused act raises `Refusal`, as it would be refused over the API.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from syncd.sandbox.act import act
from syncd.sandbox.pagerduty import changes, lifecycle
from syncd.sandbox.pagerduty.lifecycle import Hand, Trigger
from syncd.sandbox.pagerduty.records import Alert, Incident, Note, Urgency
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.pagerduty.timers import catch_up

N = TypeVar("N")


def by_name(held: Mapping[str, N], name: str, what: str) -> str:
    """Return the id of what is called `name`. Raise LookupError if nothing is."""
    for id_, one in held.items():
        if name in (id_, getattr(one, "name", None), getattr(one, "email", None)):
            return id_
    raise LookupError(f"no {what} called {name!r}")


class People:
    """The acts. Each holds the account's lock."""

    def __init__(self, account: Account, lock: threading.RLock) -> None:
        """Act on `account`."""
        self.account = account
        self.lock = lock

    def catch_up(self) -> None:
        """Let happen what was due by now: acknowledgements that end, escalations."""
        catch_up(self.account, self.account.now())

    def moment(self, at: datetime | None = None) -> datetime:
        """Return `at` or the present, cut to the second."""
        return at.astimezone(UTC).replace(microsecond=0) if at else self.account.now()

    def find(self, incident: str | int) -> Incident:
        """Return an incident by id or number. Raise LookupError if there is none."""
        found = self.account.find(str(incident))
        if found is None:
            raise LookupError(f"no incident {incident!r}")
        return found

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
        """Open one: by a person (`by`), else by monitoring with one alert. An open key is not doubled."""
        account, now = self.account, self.moment(at)
        service_id = by_name(account.services, service, "service")
        if key:
            for id_ in account.open_ids:
                if account.incidents[id_].incident_key == key:
                    return account.incidents[id_]
        alerts = [] if by else [self._alert(title, key, now, details)]
        hand = (
            Hand.user(self.user_id(by))
            if by
            else Hand(("integration", account.services[service_id].integration_id), "api")
        )
        new = Trigger(
            service_id,
            title,
            urgency,
            by_name(account.priorities, priority, "priority") if priority else None,
            key,
            body,
            [self.user_id(one) for one in assignees],
            None,
            alerts,
        )
        return lifecycle.trigger(account, new, hand, now)

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
        """Acknowledge as a person."""
        now, one, user = self.moment(at), self.find(incident), self.user_id(by)
        lifecycle.acknowledge(self.account, one, user, Hand.user(user), now)
        return one

    @act
    def unacknowledge(self, incident: str | int, by: str, *, at: datetime | None = None) -> Incident:
        """Set an acknowledged incident back to triggered."""
        now, one = self.moment(at), self.find(incident)
        lifecycle.unacknowledge(self.account, one, self._hand(by), now)
        return one

    @act
    def resolve(
        self,
        incident: str | int,
        by: str | None = None,
        *,
        resolution: str | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Resolve as a person, or as monitoring without `by`."""
        now, one = self.moment(at), self.find(incident)
        if resolution and by:
            changes.add_note(
                self.account, one, f"Resolution Note: {resolution}", self.user_id(by), self._hand(by), now
            )
        service = self.account.services[one.service_id]
        hand = self._hand(by) if by else Hand(("integration", service.integration_id), "api")
        lifecycle.resolve(self.account, one, hand, now)
        return one

    @act
    def reopen(self, incident: str | int, by: str, *, at: datetime | None = None) -> Incident:
        """Set a resolved incident back to triggered."""
        now, one = self.moment(at), self.find(incident)
        lifecycle.reopen(self.account, one, self._hand(by), now)
        return one

    @act
    def reassign(
        self, incident: str | int, to: Sequence[str] | str, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Give an incident to one or several people."""
        now, one = self.moment(at), self.find(incident)
        users = [self.user_id(name) for name in ([to] if isinstance(to, str) else to)]
        changes.reassign(self.account, one, users, self._hand(by), now)
        return one

    @act
    def escalate(self, incident: str | int, level: int, by: str, *, at: datetime | None = None) -> Incident:
        """Call a level of the incident's policy."""
        now, one = self.moment(at), self.find(incident)
        changes.escalate(self.account, one, level, self._hand(by), now)
        return one

    @act
    def delegate(self, incident: str | int, policy: str, by: str, *, at: datetime | None = None) -> Incident:
        """Hand an incident to another escalation policy."""
        now, one = self.moment(at), self.find(incident)
        policy_id = by_name(self.account.policies, policy, "escalation policy")
        changes.delegate(self.account, one, policy_id, self._hand(by), now)
        return one

    @act
    def set_priority(
        self, incident: str | int, priority: str | None, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Give an incident a priority by name, or none."""
        now, one = self.moment(at), self.find(incident)
        id_ = by_name(self.account.priorities, priority, "priority") if priority else None
        changes.set_priority(self.account, one, id_, self._hand(by), now)
        return one

    @act
    def set_title(self, incident: str | int, title: str, by: str, *, at: datetime | None = None) -> Incident:
        """Rename an incident."""
        now, one = self.moment(at), self.find(incident)
        changes.set_title(self.account, one, title, self._hand(by), now)
        return one

    @act
    def set_urgency(
        self, incident: str | int, urgency: Urgency, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Make an incident of high or low urgency."""
        now, one = self.moment(at), self.find(incident)
        changes.set_urgency(self.account, one, urgency, self._hand(by), now)
        return one

    @act
    def move(self, incident: str | int, service: str, by: str, *, at: datetime | None = None) -> Incident:
        """Move an incident to another service."""
        now, one = self.moment(at), self.find(incident)
        service_id = by_name(self.account.services, service, "service")
        changes.move(self.account, one, service_id, self._hand(by), now)
        return one

    @act
    def snooze(self, incident: str | int, seconds: int, by: str, *, at: datetime | None = None) -> Incident:
        """Snooze an acknowledged incident."""
        now, one = self.moment(at), self.find(incident)
        lifecycle.snooze(self.account, one, seconds, self._hand(by), now)
        return one

    @act
    def merge(
        self, target: str | int, sources: Sequence[str | int], by: str, *, at: datetime | None = None
    ) -> Incident:
        """Merge incidents into `target`."""
        now, one = self.moment(at), self.find(target)
        lifecycle.merge(self.account, one, [self.find(source) for source in sources], self._hand(by), now)
        return one

    @act
    def set_custom(
        self, incident: str | int, field: str, value: object, by: str, *, at: datetime | None = None
    ) -> Incident:
        """Set a custom field by name."""
        now, one = self.moment(at), self.find(incident)
        id_ = by_name(self.account.custom_fields, field, "custom field")
        changes.set_custom(self.account, one, {id_: value}, self._hand(by), now)
        return one

    @act
    def alert(self, incident: str | int, summary: str, *, at: datetime | None = None) -> Alert:
        """Let monitoring add an alert to an open incident."""
        now, one = self.moment(at), self.find(incident)
        alert = self._alert(summary, None, now, None)
        changes.add_alert(self.account, one, alert)
        return alert

    @act
    def note(self, incident: str | int, content: str, by: str, *, at: datetime | None = None) -> Note:
        """Write a note."""
        now, one = self.moment(at), self.find(incident)
        return changes.add_note(self.account, one, content, self.user_id(by), self._hand(by), now)

    @act
    def edit_note(self, incident: str | int, note: str, content: str, *, at: datetime | None = None) -> Note:
        """Replace a note's text."""
        now, one = self.moment(at), self.find(incident)
        found = self._note(one, note)
        changes.edit_note(one, found, content, now)
        return found

    @act
    def delete_note(self, incident: str | int, note: str) -> Note:
        """Delete a note, as a person does it on the web site."""
        found = self._note(self.find(incident), note)
        found.deleted = True
        return found

    def _note(self, incident: Incident, note: str) -> Note:
        for one in incident.notes:
            if one.id == note and not one.deleted:
                return one
        raise LookupError(f"no note {note!r} on incident {incident.id}")

    def _hand(self, by: str) -> Hand:
        return Hand.user(self.user_id(by))
