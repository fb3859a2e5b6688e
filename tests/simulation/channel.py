"""The chat of a simulation, and incidents beside those of the plan: three of them are not for the channel.

One is restricted, and people file it with a regulator in time, late or never. One was resolved before
`enforce_from`, one was triggered before it and is resolved later. One is a GameDay's. The judges of what the
plan's incidents owe leave them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from ledger_reading import hear_status_updates

from simulation.baton import Hub
from simulation.people import WAIT, tickets
from simulation.plan import CLAIMED, LEAK, Plan
from simulation.teams import FILED
from simulation.watched import Place
from syncd.ledger.database.connection import Database
from syncd.remote.chat import ChatClient
from syncd.remote.http.transport import Transport
from syncd.sandbox.cast import CHANNEL, START
from syncd.sandbox.chance import stream
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.world import World

EXERCISE = "Drill of payments"
BEFORE = timedelta(hours=7)
"""How long before the first act the old incidents were triggered: on the day before."""
BY, COLLEAGUE, OURS = "Mei Tanaka", "Priya Raman", "syncd"


@dataclass
class Channel:
    """The team's channel and the incidents of which it hears nothing, or only the resolve."""

    world: World
    hub: Hub
    plan: Plan
    ledger: Place
    restricted: set[str] = field(default_factory=set)
    """Incidents that are restricted from their trigger on."""
    over_before: set[str] = field(default_factory=set)
    """Incidents that were resolved before `enforce_from`."""
    open_before: set[str] = field(default_factory=set)
    """Incidents that were triggered before `enforce_from` and stayed open."""

    filed: dict[str, float] = field(default_factory=dict)
    """By restricted incident, when a person said that it is filed with the regulator."""
    exercises: dict[str, float] = field(default_factory=dict)
    """By incident, when a person said that it is an exercise; then it got the gravest severity."""

    _services: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Trigger the old incidents, let the time until the first act pass, queue the rest."""
        if self.plan.chat == "off":
            return
        pagerduty, random = self.world.pagerduty, stream(self.plan.seed, "channel")
        services = self.world.pagerduty.account.services
        self._services = {service.name: number for number, service in services.items()}
        self.world.chat.base_url = "http://127.0.0.1:3"
        over = pagerduty.trigger(self._service(random), "Long over", priority="P3")
        still = pagerduty.trigger(self._service(random), "Long open", priority="P3")
        pagerduty.note(still.id, "update: from before", by=BY)
        pagerduty.resolve(over.id, by=BY)
        self.over_before.add(over.id)
        self.open_before.add(still.id)
        self.world.advance((START - self.world.clock()).total_seconds())
        self._go_on(still.id, random)
        # PagerDuty's webhook has told of a status update before: else syncd reminds nobody
        ledger = Database(self.ledger.url)
        hear_status_updates(ledger, START)
        ledger.close()

    def _service(self, random: Random) -> str:
        """Return the id of a service: its name may change."""
        name = random.choice(CLAIMED)
        return self._services[name]

    def _go_on(self, still: str, random: Random) -> None:
        pagerduty, last = self.world.pagerduty, max((act.at for act in self.plan.acts), default=60.0)
        self.hub.at(random.uniform(0.0, last), lambda: pagerduty.resolve(still, by=BY))

        def leak() -> None:
            made = pagerduty.trigger(self._service(random), f"{LEAK} of cards", priority="P3")
            self.restricted.add(made.id)
            pagerduty.note(made.id, f"update: {LEAK} of 12 cards", by=BY)
            later = self.hub.now() + random.uniform(1.0, 600.0)
            self.hub.at(later, lambda: pagerduty.resolve(made.id, by=BY))
            wait, way = random.uniform(0.0, 1000.0), random.choice(["label", "line", "ours", "never"])
            self.hub.at(self.hub.now() + wait, lambda: self._file(made.id, way))

        self.hub.at(random.uniform(0.0, last), leak)
        self.hub.at(random.uniform(0.0, last), lambda: self._exercise(self._service(random)))

    def _on_ticket(self, incident: str, do: Callable[[Issue], object]) -> None:
        """Do something on the ticket of an incident as soon as there is one."""
        ticket = next(iter(tickets(self.world, incident)), None)
        if ticket is not None:
            do(ticket)
        elif self.hub.now() < self.plan.calm + 900.0:
            self.hub.at(self.hub.now() + WAIT, lambda: self._on_ticket(incident, do))

    def _file(self, incident: str, way: str) -> None:
        """Say that an incident is filed, by a label or a line; our own account's label says nothing."""
        jira = self.world.jira

        def do(ticket: Issue) -> None:
            if way == "line":
                jira.comment(ticket.id, f"{FILED}: IC-12", by=COLLEAGUE)
            elif way != "never":
                jira.add_label(ticket.id, FILED, OURS if way == "ours" else COLLEAGUE)
            if way in ("label", "line"):
                self.filed[incident] = self.hub.now()

        self._on_ticket(incident, do)

    def _exercise(self, service: str) -> None:
        """Play a GameDay's incident: a person labels its ticket, then it gets the gravest severity."""
        made = self.world.pagerduty.trigger(service, EXERCISE, priority="P3")

        def do(ticket: Issue) -> None:
            self.world.jira.add_label(ticket.id, "game-day", COLLEAGUE)
            self.exercises[made.id] = self.hub.now()
            raised = self.hub.now() + 2 * WAIT
            self.hub.at(raised, lambda: self.world.pagerduty.set_priority(made.id, "P1", by=BY))

        self._on_ticket(made.id, do)

    def client(self, transport: Transport) -> ChatClient | None:
        """Return the daemon's client for the channel."""
        if self.plan.chat == "off":
            return None
        return ChatClient({CHANNEL: self.world.chat.url(CHANNEL)}, transport)
