"""People at work on both services, and what they may expect afterwards.

An act on a ticket that does not exist yet waits for it, as a person would. For each value that a person sets,
it is recorded if the daemon had nothing left to change at that moment: only then the value must stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulation.baton import Hub
from simulation.plan import Act, Plan
from simulation.watched import Place
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.pagerduty.records import Incident
from syncd.sandbox.wire import Refusal
from syncd.sandbox.world import World

BY = "Amara Osei"
COLLEAGUE = "Ines Carvalho"
WAIT = 20.0
"""Seconds after which a person looks for the ticket again."""
OPEN = ("pending", "in_flight", "unknown")


@dataclass
class Text:
    """A note or a comment that a person wrote; `gone` once it was deleted."""

    incident: str
    ident: str
    gone: bool = False
    issue: str = ""
    at: float = 0.0
    """When it was written, in seconds since the world began."""


@dataclass
class Touch:
    """A person's change of a ticket's field: value, time, and True if the daemon was at rest about it."""

    incident: str
    aspect: str
    value: Any
    at: float
    at_rest: bool


@dataclass
class People:
    """The history as it happened."""

    world: World
    hub: Hub
    plan: Plan
    ledger: Place
    orphans: Callable[[], int]
    ids: dict[int, str] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)
    notes: list[Text] = field(default_factory=list)
    comments: list[Text] = field(default_factory=list)
    items: list[Text] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    changes: dict[tuple[str, str], float] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    deleted_unseen: set[str] = field(default_factory=set)
    """Incidents whose ticket a person deleted before the daemon had learnt that it exists."""
    acknowledged_once: set[str] = field(default_factory=set)
    open_again: set[str] = field(default_factory=set)
    """Incidents that a person reopened and nobody resolved since."""
    reopened: set[str] = field(default_factory=set)
    """Incidents that a person ever reopened."""
    reopened_at: dict[str, list[float]] = field(default_factory=dict)
    priority_changed: set[str] = field(default_factory=set)
    merged_sources: dict[str, set[str]] = field(default_factory=dict)
    """By incident, those that ever were merged into it: a reopen takes one out again."""
    made_at: dict[str, float] = field(default_factory=dict)
    given_up: int = 0
    service_ids: dict[str, str] = field(default_factory=dict)
    """Services by the names that they have in the beginning."""

    def begin(self) -> None:
        """Put all acts into the queue."""
        services = self.world.pagerduty.account.services
        self.service_ids = {service.name: number for number, service in services.items()}
        for act in self.plan.acts:
            self.hub.at(act.at, lambda act=act: self._do(act))  # type: ignore[misc] # bound now

    def _do(self, act: Act) -> None:
        handler = getattr(self, f"_{act.kind}", None) or self._in_pagerduty
        try:
            handler(act)
        except (Refusal, LookupError):
            # A person sees that an act is impossible and leaves it.
            return

    def _trigger(self, act: Act) -> None:
        made = self.world.pagerduty.trigger(**self._arguments(act))
        self.ids[act.incident] = made.id
        self.services[made.id] = [act.arguments["service"]]
        self.made_at[made.id] = self.hub.now()

    def _arguments(self, act: Act) -> dict[str, Any]:
        """Return an act's arguments with the service's id: its name may have changed."""
        name = act.arguments.get("service")
        return {**act.arguments, "service": self.service_ids[name]} if name else act.arguments

    def _in_pagerduty(self, act: Act) -> None:
        incident = self.ids[act.incident]
        getattr(self.world.pagerduty, act.kind)(incident, by=BY, **self._arguments(act))
        aspect = {"set_priority": "priority", "set_title": "summary", "reassign": "assignee"}.get(act.kind)
        self._changed(incident, aspect or "status")
        self._remember(act, incident)

    def _remember(self, act: Act, incident: str) -> None:
        # Both change the assignments of the incident as well.
        if act.kind in ("resolve", "reopen"):
            self._changed(incident, "assignee")
        if act.kind == "resolve":
            self.open_again.discard(incident)
        elif act.kind == "reopen":
            self.open_again.add(incident)
            self.reopened.add(incident)
            self.reopened_at.setdefault(incident, []).append(self.hub.now())
        elif act.kind == "acknowledge":
            self.acknowledged_once.add(incident)
        elif act.kind == "set_priority":
            self.priority_changed.add(incident)
        elif act.kind == "move":
            self.services[incident].append(act.arguments["service"])
            self._changed(incident, "assignee")

    def _changed(self, incident: str, aspect: str) -> None:
        self.changes[incident, aspect] = self.hub.now()

    def _merge(self, act: Act) -> None:
        source, target = self.ids[act.incident], self.ids[act.arguments["into"]]
        self.world.pagerduty.merge(target, [source], by=BY)
        self.open_again.discard(source)
        self.merged_sources.setdefault(target, set()).add(source)
        self._changed(source, "assignee")
        self._changed(source, "status")

    def owed_for_others(self, incident: str) -> bool:
        """Return True if an incident that was ever merged into this one may have owed a postmortem."""
        return any(self._may_have_owed(source) for source in self.merged_sources.get(incident, ()))

    def _may_have_owed(self, incident: str) -> bool:
        record = self.world.pagerduty.find(incident)
        priority = self.world.pagerduty.account.priorities.get(record.priority_id or "")
        lowest = priority.name == "P4" if priority else record.urgency == "low"
        return not lowest or incident in self.priority_changed or incident in self.merged_sources

    def _note(self, act: Act) -> None:
        made = self.world.pagerduty.note(self.ids[act.incident], act.arguments["text"], by=BY)
        self.notes.append(Text(self.ids[act.incident], made.id, at=self.hub.now()))

    def _edit_note(self, act: Act) -> None:
        text = self._one_of(self.notes, act)
        self.world.pagerduty.edit_note(text.incident, text.ident, act.arguments["text"])

    def _delete_note(self, act: Act) -> None:
        text = self._one_of(self.notes, act)
        self.world.pagerduty.delete_note(text.incident, text.ident)
        text.gone = True

    def _one_of(self, texts: list[Text], act: Act) -> Text:
        mine = [text for text in texts if text.incident == self.ids[act.incident] and not text.gone]
        if not mine:
            raise LookupError("nothing written yet")
        return mine[int(act.arguments["which"] * len(mine))]

    def incidents(self) -> list[Incident]:
        """Return the incidents of the plan."""
        return [self.world.pagerduty.find(ident) for ident in self.ids.values()]

    def ticket(self, incident: str) -> Issue | None:
        """Return the ticket of an incident that a person finds, or None."""
        return next((issue for issue in tickets(self.world, incident) if issue.deleted_at is None), None)

    def _on_ticket(self, act: Act, do: Callable[[Issue, str], None]) -> None:
        incident = self.ids[act.incident]
        issue = self.ticket(incident)
        if issue is not None:
            do(issue, incident)
        elif (
            self.hub.now() < self.plan.calm + 900.0
            and incident not in self.deleted
            and self._may_come(incident)
        ):
            self.hub.at(self.hub.now() + WAIT, lambda: self._do(act))
        else:
            self.given_up += 1

    def _may_come(self, incident: str) -> bool:
        from simulation.plan import FOREIGN

        return any(service != FOREIGN for service in self.services[incident])

    def _comment(self, act: Act) -> None:
        def do(issue: Issue, incident: str) -> None:
            made = self.world.jira.comment(issue.id, act.arguments["text"], by=COLLEAGUE)
            at = self.hub.now()
            self.comments.append(Text(incident, str(made.id), issue=str(issue.id), at=at))

        self._on_ticket(act, do)

    def _action_item(self, act: Act) -> None:
        """Create a sub-task of the postmortem; wait for it, though not as long as for a ticket."""
        incident = self.ids[act.incident]
        paper = next((issue for issue in papers(self.world, incident) if issue.deleted_at is None), None)
        if paper is not None:
            made = self.world.jira.sub_task(paper.id, act.arguments["text"], by=COLLEAGUE)
            self.items.append(Text(incident, str(made.id), issue=str(made.id)))
        elif self.hub.now() < self.plan.calm + 500.0:
            self.hub.at(self.hub.now() + WAIT, lambda: self._do(act))

    def _edit_comment(self, act: Act) -> None:
        text = self._one_of(self.comments, act)
        self.world.jira.edit_comment(text.issue, text.ident, act.arguments["text"], by=COLLEAGUE)

    def _delete_comment(self, act: Act) -> None:
        text = self._one_of(self.comments, act)
        self.world.jira.delete_comment(text.issue, text.ident, by=COLLEAGUE)
        text.gone = True

    def _summary(self, act: Act) -> None:
        def do(issue: Issue, incident: str) -> None:
            rest = self._at_rest(incident, "summary")
            self.world.jira.edit(issue.id, COLLEAGUE, summary=act.arguments["summary"])
            self._touched(incident, "summary", act.arguments["summary"], rest)

        self._on_ticket(act, do)

    def _transition(self, act: Act) -> None:
        def do(issue: Issue, incident: str) -> None:
            rest = self._at_rest(incident, "state")
            self.world.jira.transition(issue.id, act.arguments["to"], by=COLLEAGUE)
            self._touched(incident, "status", act.arguments["to"], rest)

        self._on_ticket(act, do)

    def _assign(self, act: Act) -> None:
        def do(issue: Issue, incident: str) -> None:
            rest, before = self._at_rest(incident, "assignee"), issue.now.values.get("assignee")
            self.world.jira.assign(issue.id, act.arguments["to"], by=COLLEAGUE)
            # Jira records no change if the chosen person already has the ticket, so nobody sees the choice.
            chosen = issue.now.values.get("assignee") != before
            self._touched(incident, "assignee", act.arguments["to"], rest and chosen)

        self._on_ticket(act, do)

    def _clone(self, act: Act) -> None:
        self._on_ticket(act, lambda issue, _: self.world.jira.clone(issue.id, COLLEAGUE) and None)

    def _delete(self, act: Act) -> None:
        def do(issue: Issue, incident: str) -> None:
            # Before syncd knows the ticket it cannot tell a deleted ticket from a missing one.
            if not self._ledger_has_ticket(incident):
                self.deleted_unseen.add(incident)
            self.world.jira.delete(issue.id)
            self.deleted.add(incident)

        self._on_ticket(act, do)

    def _touched(self, incident: str, aspect: str, value: Any, at_rest: bool) -> None:
        self.touches.append(Touch(incident, aspect, value, self.hub.now(), at_rest))

    def _ledger_has_ticket(self, incident: str) -> bool:
        """Return True if the ledger has the ticket of the incident."""
        return bool(self.ledger.fetch("select 1 from ticket where incident_id = ?", incident))

    def _at_rest(self, incident: str, aspect: str) -> bool:
        """Return True if both sides agree on a field by the ledger, and no operation is under way."""
        if self.orphans():
            return False
        rows = self.ledger.fetch("select cast(agreed as text) from ticket where incident_id = ?", incident)
        states = "select state from operation where incident_id = ? and op_class = 'state'"
        busy = any(state in OPEN for (state,) in self.ledger.fetch(states, incident))
        agreed = json.loads(rows[0][0]).get(aspect) if rows else None
        if busy or agreed is None:
            return False
        record = self.world.pagerduty.find(incident)
        if aspect == "assignee":
            # PagerDuty removes the assignments at the resolve, and the ticket keeps its assignee
            return not record.assignments or agreed in self._ids_of(responder(self.world, record))
        state = "merged" if record.merged_into else record.status
        return bool(agreed == {"state": state, "summary": record.title}[aspect])

    def _ids_of(self, name: str) -> set[str]:
        """Return what Jira calls a person: Cloud by the account's id, Data Center by the user name."""
        people = self.world.jira.site.people.values()
        return {ident for each in people if each.name == name for ident in (each.account_id, each.username)}


def responder(world: World, incident: Incident) -> str:
    """Return the name of the person who should have the ticket of an open incident."""
    users = world.pagerduty.account.users
    names = [users[user].name for user, _ in incident.assignments]
    # Jonas has a closed Jira account and Hannah has none: neither can be assigned
    able = [name for name in names if name not in ("Jonas Lindqvist", "Hannah Weiss")]
    return (able or ["Priya Raman"])[0]


def tickets(world: World, incident: str) -> list[Issue]:
    """Return the issues with the mark of the ticket of an incident, deleted ones too."""
    return _marked(world, incident, "create_ticket")


def papers(world: World, incident: str) -> list[Issue]:
    """Return the issues with the mark of the postmortem of an incident, deleted ones too."""
    return _marked(world, incident, "create_postmortem")


def _marked(world: World, incident: str, kind: str) -> list[Issue]:
    issues = []
    for issue in world.jira.site.issues.values():
        mark = issue.now.properties.get("syncd") or {}
        if mark.get("incident") == incident and mark.get("kind") == kind:
            issues.append(issue)
    return issues
