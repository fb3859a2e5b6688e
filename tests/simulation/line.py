"""The clock of the daemon's machine, and the network between the daemon and the services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from threading import Event

from simulation.baton import Hub
from simulation.plan import Plan
from simulation.wire import Killed, TimedOut, WatchedLedger, server_of
from syncd.remote.http.deadline import Flight
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery, World

WHOLE = 30.0
"""Seconds that a request may take."""
LATE = 200.0
"""Seconds after which a late request arrives at the latest."""
TICK = 1e-6
"""Time moves by whole microseconds here: a shorter sleep would let no time pass, again and again."""


class DaemonClock:
    """Time as the daemon sees it: a wall clock that people set, a boot clock that a reboot starts anew."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.boot = 0
        self.booted_at = -1000.0
        self.step = 0.0

    def now(self) -> datetime:
        return self.hub.clock.now() + timedelta(seconds=self.step)

    def boottime(self) -> float:
        return self.hub.now() - self.booted_at

    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def sleep(self, seconds: float, until: Event) -> bool:
        self.hub.pause(max(TICK, seconds))
        return until.is_set()

    def reboot(self) -> None:
        """Start the machine anew."""
        self.boot += 1
        self.booted_at = self.hub.now() - 5.0


@dataclass
class Sending:
    """One request with a mark: when it left, and when the daemon knew or lost its outcome."""

    mark: str
    left: float
    ended: float
    outcome: str


@dataclass
class SimulatedLine:
    """The network: it takes time, fails, and delivers requests that nobody waits for any more."""

    world: World
    hub: Hub
    plan: Plan
    random: Random
    db: WatchedLedger | None = None
    die_at: int = 0
    steps: int = 0
    orphans: int = 0
    late: set[str | None] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    sendings: list[Sending] = field(default_factory=list)
    writes: list[tuple[str, float]] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)

    def open(self, service: str) -> bool:
        return server_of(service) not in self.closed

    def step(self, kind: str) -> None:
        if self.db is not None and kind == "before a request" and self.db.under_way:
            self.broken_rules.append("a request was sent inside a transaction of the ledger")
        if self.hub.dead:
            raise Killed
        self.steps += 1
        if self.steps == self.die_at:
            self.hub.kill()

    def now(self) -> float:
        return self.hub.now()

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        self.sendings += [Sending(mark, left, self.hub.now(), outcome) for mark in marks]
        if writes:
            self.writes.append((server_of(service), left))

    def carry(self, service: str, call: Call, flight: Flight) -> Delivery:
        service = server_of(service)
        arrives, returns = self._latency(), self._latency()
        if self._is_late(service, call):
            self._orphan(service, call, self.random.uniform(WHOLE, LATE))
            self.hub.pause(WHOLE)
            raise TimedOut
        if arrives:
            self._travel(service, call, arrives)
        slept = 0.0

        def sleep(seconds: float) -> None:
            nonlocal slept
            slept += seconds
            self.hub.pause(seconds)

        delivery = self._answer(service, call, sleep)
        if delivery.manner == "trickle" or slept > WHOLE:
            self.hub.pause(max(0.0, WHOLE - slept))
            raise TimedOut
        if returns:
            self.hub.pause(returns)
        return delivery

    def _answer(self, service: str, call: Call, sleep: Callable[[float], None]) -> Delivery:
        return self.world.answer(service, call, sleep)

    def _travel(self, service: str, call: Call, seconds: float) -> None:
        """Wait while a request travels; if the daemon dies meanwhile, half of the requests still arrive."""
        self.orphans += 1
        try:
            self.hub.pause(seconds)
        except Killed:
            # The daemon cannot know if its last request still arrived.
            if self.random.random() < 0.5:
                self._orphan(service, call, self.random.uniform(0.0, WHOLE))
            raise
        finally:
            self.orphans -= 1

    def _orphan(self, service: str, call: Call, seconds: float) -> None:
        self.orphans += 1

        def arrive() -> None:
            self.orphans -= 1
            self.world.service(service).handle(call, "late")

        self.hub.at(self.hub.now() + seconds, arrive)

    def _latency(self) -> float:
        return self.random.expovariate(1.0 / self.plan.latency) if self.plan.latency else 0.0

    def _is_late(self, service: str, call: Call) -> bool:
        return (service in self.late or None in self.late) and self.random.random() < 0.3
