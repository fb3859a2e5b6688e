"""The demo's stage: the sandbox on loopback, the real engine on a ledger of its own, one clock for both.

The clock runs many times faster than real time, and waits for the daemon where the machine is slow: a
cycle begins only when what the last one found has been worked through, as it does in real life.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from pydantic import SecretStr

from syncd.config.load import Configuration
from syncd.config.mapping.load import load_mappings
from syncd.config.mapping.starter import example_mapping
from syncd.config.settings.access import Live
from syncd.config.settings.settings import Settings
from syncd.config.templates.templates import Templates
from syncd.daemon import make_context
from syncd.domain.clock import Clock
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import EngineContext
from syncd.engine.loop import WORKERS, ControlLoop
from syncd.engine.observe.slow_poll import EVERY_SECONDS
from syncd.ledger.open import open_for_work
from syncd.ledger.views.daemon_state import next_due
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World

POLL_SECONDS = 30.0
"""Seconds of the demo's clock between two cycles: the daemon's default."""
LONGEST_STEP = POLL_SECONDS
"""Seconds that the clock moves at once at most, so that no cycle is left out where the machine is slow."""
REAL_STEP = 0.02
"""Real seconds between two movements of the clock."""
LONGEST_LEAP, LEAST_LEAP = 5400.0, 60.0
"""Seconds of the demo's clock between two looks in the days that follow."""
PATIENCE = 5.0
"""Real seconds that the clock waits for the workers before it goes on without them."""


class DemoClock:
    """The sandbox's clock as the daemon reads it; waiting is waiting for the sandbox's time to pass."""

    def __init__(self, sandbox: SandboxClock, speed: float, real: Clock) -> None:
        self.sandbox = sandbox
        self._speed = speed
        self._began = sandbox.now()
        self._real = real
        self._moved_at = real.boottime()

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return self.sandbox.now()

    def boottime(self) -> float:
        """Seconds of the sandbox's time since the demo began."""
        return (self.now() - self._began).total_seconds()

    def boot_id(self) -> str:
        """A demo is one boot."""
        return "demo"

    def sleep(self, seconds: float, until: Event) -> bool:
        """Wait until so many seconds of the sandbox's time have passed or the event is set."""
        end = self.boottime() + seconds
        while self.boottime() < end:
            if until.wait(REAL_STEP / 4):
                return True
        return until.is_set()

    def move(self) -> None:
        """Let the time pass that has passed really, times the speed, after a moment's wait."""
        self._real.sleep(min(REAL_STEP, LONGEST_STEP / self._speed), Event())
        real = self._real.boottime()
        self.sandbox.advance(min(LONGEST_STEP, (real - self._moved_at) * self._speed))
        self._moved_at = real

    def leap(self, seconds: float) -> None:
        """Let so many seconds of the sandbox's time pass at once."""
        self.sandbox.advance(seconds)
        self._moved_at = self._real.boottime()


@dataclass
class Stage:
    """Everything of a demo that is under way."""

    world: World
    clock: DemoClock
    context: EngineContext
    loop: ControlLoop
    mapping: Mapping
    _next_cycle: float = 0.0
    _next_slow: float = EVERY_SECONDS
    _slow: Thread | None = None

    def step(self) -> None:
        """Let a little time pass, and the daemon do what it does then."""
        self.clock.move()
        self.world.catch_up()
        self.loop.tick()
        now = self.clock.boottime()
        if now >= self._next_cycle:
            self._next_cycle = now + POLL_SECONDS
            self.cycle()
        if now >= self._next_slow:
            self._next_slow = now + EVERY_SECONDS
            self._slow_beside()

    def _slow_beside(self) -> None:
        """The slow poll waits for its share of the budget, so it may not hold the clock that it waits for."""
        if self._slow is None or not self._slow.is_alive():
            self._slow = Thread(target=self.loop.slow, name="slow poll", daemon=True)
            self._slow.start()

    def leap(self, latest: float) -> None:
        """Pass to the next moment at which something may happen, an hour on at the most, and let it.

        `latest` is the story's next step, in seconds of its clock.
        """
        now = self.clock.boottime()
        until = min(now + LONGEST_LEAP, max(latest, now + LEAST_LEAP))
        due = next_due(self.context.ledger, self.clock.now())
        if due is not None:
            until = min(until, max(now + LEAST_LEAP, (due - self.clock.now()).total_seconds() + now + 1))
        self.clock.leap(until - now)
        self.world.catch_up()
        with self._time_flows():
            self.loop.tick()
            self.loop.cycle()
            self.loop.run_until_idle()
            self.loop.jobs.reports()
            self.loop.run_until_idle()
        if until >= self._next_slow:
            self._next_slow = until + 6 * EVERY_SECONDS
            self._slow_beside()

    @contextmanager
    def _time_flows(self) -> Iterator[None]:
        """While the daemon works, time passes: somebody may wait for it and hold up the others."""
        over = Event()

        def flow() -> None:
            while not over.wait(REAL_STEP / 4):
                self.clock.leap(REAL_STEP)

        flowing = Thread(target=flow, name="time", daemon=True)
        flowing.start()
        try:
            yield
        finally:
            over.set()
            flowing.join()

    def cycle(self) -> None:
        """One cycle, once the workers are through with the last one."""
        self.loop.work_queue.wait_idle(PATIENCE)
        with self._time_flows():
            self.loop.cycle()


@contextmanager
def stage(folder: Path, speed: float, real: Clock) -> Iterator[Stage]:
    """Set the stage with its ledger in `folder`, and clear it at the end, however it is reached.

    The story's clock runs `speed` times as fast as the clock `real`.
    """
    sandbox_clock = SandboxClock(START)
    world = default_world(sandbox_clock)
    clock = DemoClock(sandbox_clock, speed, real)
    with SandboxServer(world) as server:
        configuration = _configure(folder, server)
        ledger = open_for_work(configuration.settings.ledger_url, "syncd demo", clock.now())
        context = make_context(configuration, ledger, clock)
        loop = ControlLoop(context)
        try:
            loop.make_first_contact()
            loop.recover()
            loop.work_queue.start(WORKERS)
            yield Stage(world, clock, context, loop, configuration.mappings[0])
        finally:
            context.stop.set()
            loop.work_queue.stop(PATIENCE)
            ledger.close()


def _configure(folder: Path, server: SandboxServer) -> Configuration:
    """The two shipped mappings and templates; nothing is read from the environment."""
    mappings = folder / "mappings"
    mappings.mkdir(parents=True)
    for name in ("qrpay", "ramen"):
        text = example_mapping(name, (START - timedelta(days=1)).date())
        (mappings / f"{name}.yaml").write_text(text, encoding="utf-8")
    templates = Templates()
    live = Live(SecretStr(PAGERDUTY_KEY), server.url("jira"), SecretStr(JIRA_KEY), mappings)
    settings = Settings.model_construct(
        state_dir=folder,
        ledger_url=f"sqlite:///{folder / 'syncd.db'}",
        mappings_dir=mappings,
        pagerduty_url=server.url("pagerduty"),
        pagerduty_from=BOT_EMAIL,
        jira_url=server.url("jira"),
        jira_email=BOT_EMAIL,
    )
    return Configuration(settings, load_mappings(mappings, templates), templates, live)
