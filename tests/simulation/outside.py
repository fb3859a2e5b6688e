"""What happens to the world of a simulation beside the acts of people on incidents, and its end.

Faults of requests, closed ports, pauses, dead tokens, archived projects, renamed services, a clock that is
set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from ledger_reading import pause

from simulation.baton import Hub
from simulation.line import DaemonClock, SimulatedLine
from simulation.people import WAIT
from simulation.plan import Plan
from simulation.strikes import ALL, Window
from simulation.watched import Place
from syncd.domain.operation import Target
from syncd.ledger.database.connection import Database
from syncd.ledger.requests.answers import ask
from syncd.ledger.store.key_values import service_bindings
from syncd.ledger.views.status import outbox_data
from syncd.sandbox import faults
from syncd.sandbox.world import World

LONG = 400.0
"""Seconds after which an operation that waits has to say what for."""
ARCHIVED = {"errorMessages": ["The value 'ENG' does not exist for the field 'project'."], "errors": {}}
NO_PROJECT = {"errorMessages": [], "errors": {"project": "valid project is required"}}


@dataclass
class Outside:
    """The world around daemon and people."""

    world: World
    hub: Hub
    plan: Plan
    line: SimulatedLine
    clock: DaemonClock
    ledger: Place
    rules: dict[Window, faults.Rule] = field(default_factory=dict)
    """The rules of the windows that have begun; each counts the requests that it struck."""

    mute: list[str] = field(default_factory=list)
    """Operations that waited for long at the end of the faults without a word why."""

    def begin(self) -> None:
        """Put all that will happen into the queue."""
        plan, hub = self.plan, self.hub
        for window in plan.windows:
            self._enter_window(window)
        for begin, end, service in plan.closed:
            hub.at(begin, lambda service=service: self.line.closed.add(service))
            hub.at(end, lambda service=service: self.line.closed.discard(service))
        for begin, end, target in plan.pauses:
            hub.at(begin, lambda target=target: self._pause(target))
            hub.at(end, lambda target=target: self._resume(target))
        self._lose_logins()
        for begin, end, way in plan.archived:
            self._archive(begin, end, way)
        for at, before, after in plan.renames:
            hub.at(at, lambda before=before, after=after: self._rename(before, after))
        for at, seconds in plan.steps:
            hub.at(at, lambda seconds=seconds: setattr(self.clock, "step", self.clock.step + seconds))
        hub.at(plan.calm, self._calm)

    def _lose_logins(self) -> None:
        options = self.world.jira.site.options
        options.login_headers = self.plan.proves
        for begin, end in self.plan.logged_out:
            self.hub.at(begin, lambda: setattr(options, "login", "expired"))
            self.hub.at(end, lambda: setattr(options, "login", "good"))

    def _pause(self, target: str) -> None:
        """Pause a service as a person at the command line does; a daemon that is down reads it later."""
        db = Database(self.ledger.url)
        pause(db, Target(target), "operator", "simulated", self.clock.now())
        db.close()

    def _resume(self, target: str) -> None:
        db = Database(self.ledger.url)
        ask(db, "resume", {"targets": [target]}, "operator")
        db.close()

    def _enter_window(self, window: Window) -> None:
        def begin() -> None:
            if window.strike == "late":
                self.line.late.add(window.service)
                self.hub.at(window.end, lambda: self.line.late.discard(window.service))
                return
            rule = self.world.faults.add(
                ALL[window.strike],
                service=window.service,
                method=window.method,
                path=window.path,
                probability=window.probability,
                times=None,
            )
            self.rules[window] = rule
            self.hub.at(window.end, lambda: self.world.faults.remove(rule.id))

        self.hub.at(window.begin, begin)

    def _archive(self, begin: float, end: float, way: str) -> None:
        """Archive the second team's project: Jira hides it, or refuses searches and creates in it."""
        project = next(row for row in self.world.jira.site.projects.values() if row.key == "ENG")
        if way == "hidden":
            self.hub.at(begin, lambda: project.denied.add("BROWSE_PROJECTS"))
            self.hub.at(end, lambda: project.denied.discard("BROWSE_PROJECTS"))
            return

        def refuse() -> None:
            add, remove = self.world.faults.add, self.world.faults.remove
            search = add(
                faults.error(400, body=ARCHIVED), service="jira", path="/search", body="ENG", times=None
            )
            create = add(
                faults.error(400, body=NO_PROJECT),
                service="jira",
                method="POST",
                path=r"/issue(/bulk)?$",
                body=f'"(id|key)": ?"({project.id}|ENG)"',
                times=None,
            )
            self.hub.at(end, lambda: [remove(rule.id) for rule in (search, create)] and None)

        self.hub.at(begin, refuse)

    def _rename(self, before: str, after: str) -> None:
        """Rename a service, once it bears the name `before` and the ledger knows its id.

        A name that syncd never read maps nothing, so the first rename may wait for the daemon's first
        contact; the rename back then waits for the first one.
        """
        db = Database(self.ledger.url)
        known = before in service_bindings(db) or after in service_bindings(db)
        db.close()
        services = self.world.pagerduty.account.services.values()
        if known and any(service.name == before for service in services):
            self.world.pagerduty.rename_service(before, after)
        elif self.hub.now() < self.plan.calm:
            self.hub.at(self.hub.now() + WAIT, lambda: self._rename(before, after))

    def _calm(self) -> None:
        """End all faults, and keep PagerDuty from changing incidents by itself."""
        self.world.faults.clear()
        self._find_mute()
        self.clock.step = 0.0
        account = self.world.pagerduty.account
        for incident in account.incidents.values():
            for timer in list(incident.due):
                account.set_due(incident, timer, None)

    def _find_mute(self) -> None:
        db = Database(self.ledger.url)
        early = (self.clock.now() - timedelta(seconds=LONG)).isoformat()
        for row in outbox_data(db)["operations"]:
            if row["state"] == "pending" and row["waits_for"] == "its turn" and row["decided_at"] < early:
                self.mute.append(f"{row['kind']} of {row['incident']}, decided at {row['decided_at']}")
        db.close()
