"""One cycle: both sides are read, each by itself, and the incidents that may have changed are worked on.

A side that cannot be read does not hold up the other. A cycle is good for a side when its reads came to
their end; the moment is kept for `status` and for whoever watches the daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from syncd.engine.adoption import adopt_known
from syncd.engine.contact import contact
from syncd.engine.desk import Desk
from syncd.engine.dispatch import Dispatcher
from syncd.engine.jira_facts import MappingDoesNotFit
from syncd.engine.observe_jira import JiraPoller
from syncd.engine.observe_pagerduty import PagerDutyPoller
from syncd.engine.requests import serve
from syncd.engine.slow_lane import SlowLane
from syncd.engine.work import Worker
from syncd.ledger import outbox
from syncd.ledger.snapshots import awaiting_a_look, set_cursor, unfinished
from syncd.remote.errors import RemoteError

SERVICES = frozenset({"pagerduty", "jira"})
WORKERS = 8
"""Incidents that are worked on at the same time."""
NOTED_EVERY = 60.0
"""Seconds between two notes of a good cycle in the ledger, for those who read it from outside."""


@dataclass(frozen=True)
class CycleResult:
    """Which sides could be read."""

    pagerduty: bool
    jira: bool

    @property
    def good(self) -> bool:
        """Whether both could."""
        return self.pagerduty and self.jira


class Engine:
    """The daemon's inside: pollers, dispatcher, worker, on one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pagerduty = PagerDutyPoller(desk)
        self.jira = JiraPoller(desk)
        self.slow_lane = SlowLane(desk)
        self.dispatcher = Dispatcher(Worker(desk).work, desk.clock)
        self.good: dict[str, datetime] = {}
        self.contacted: set[str] = set()
        self._noted: dict[str, float] = {}
        self._state: dict[str, object] = {}

    def recover(self) -> None:
        """At the start: what an earlier run left in flight is looked up; what is open is taken up."""
        desk = self.desk
        with desk.ledger.db.write() as session:
            orphans = outbox.recover(session, desk.ledger.run_name, desk.clock.now(), desk.gave_up())
        if orphans:
            logger.warning("{} incidents had a request under way when the daemon ended", len(orphans))
        with desk.ledger.db.read() as session:
            self.dispatcher.submit(outbox.incidents_with_work(session))
            self.dispatcher.submit(unfinished(session))

    def contact(self) -> None:
        """Ask both services who they are; see `syncd.engine.contact`."""
        self.contacted |= contact(self.desk, SERVICES - self.contacted)

    def cycle(self) -> CycleResult:
        """Read both sides and hand out what may have changed; returns without waiting for the workers."""
        self.serve_requests()
        self.dispatcher.wake()
        result = CycleResult(
            pagerduty=self._side("pagerduty", self.pagerduty.poll), jira=self._side("jira", self.jira.poll)
        )
        if result.jira:
            self._side("jira", self._adopt)
        with self.desk.ledger.db.read() as session:
            waiting = awaiting_a_look(session)
        self.dispatcher.submit(waiting)
        self._note_state()
        return result

    def serve_requests(self) -> None:
        """Do what people asked for at the command line."""
        self.dispatcher.submit(serve(self.desk.ledger, self.desk.clock))

    def tick(self) -> None:
        """Once a second between cycles: take up what is due and what was asked for."""
        self.serve_requests()
        self.dispatcher.wake()

    def slow(self) -> None:
        """The slow lane, every 15 minutes."""
        if self.contacted >= SERVICES:
            self._side("slow lane", self.slow_lane.run)

    def _adopt(self) -> None:
        self.dispatcher.submit(adopt_known(self.desk))

    def _side(self, service: str, read: Callable[[], None]) -> bool:
        desk = self.desk
        if not desk.health.may_ask(service):
            return False
        try:
            if service in SERVICES and service not in self.contacted:
                self.contacted |= contact(desk, {service})
                if service not in self.contacted:
                    return False
            read()
        except RemoteError as error:
            desk.health.failed(error.service, error)
            logger.debug("{} could not be read: {}", service, error)
            return False
        except MappingDoesNotFit as error:
            logger.error("{}", error)
            return False
        self._note_good(service)
        return True

    def _note_state(self) -> None:
        """Keep in the ledger what `status` says about the services, written only when it changes."""
        state: dict[str, object] = {
            "down": [
                f"{one.name} since {one.down_since:%H:%M} UTC: {one.words}" for one in self.desk.health.down()
            ],
            "unmapped": dict(self.pagerduty.unmapped),
            "notes": self._notes(),
        }
        if state != self._state:
            self._state = state
            with self.desk.ledger.db.write() as session:
                set_cursor(session, "services", **state)

    def _notes(self) -> list[str]:
        notes = [f"An unknown outcome is settled after {self.desk.settle_seconds:.0f} s"]
        if self.desk.dry_run:
            notes.append("Dry run: nothing is written to either service")
        return notes

    def _note_good(self, service: str) -> None:
        self.good[service] = self.desk.clock.now()
        now = self.desk.clock.boottime()
        if now - self._noted.get(service, -NOTED_EVERY) >= NOTED_EVERY:
            self._noted[service] = now
            with self.desk.ledger.db.write() as session:
                set_cursor(session, f"cycle.{service}", at=self.desk.clock.now().isoformat())


def once(engine: Engine, *, parallel: int = 0) -> CycleResult:
    """One full cycle in the caller's thread: read, work until nothing more can leave now, and return."""
    engine.contact()
    engine.recover()
    result = engine.cycle()
    if parallel:
        engine.dispatcher.start(parallel)
        engine.dispatcher.wait_idle(3600)
        engine.dispatcher.stop(1)
    else:
        engine.dispatcher.drain()
    return result
