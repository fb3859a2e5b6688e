"""The stage of the demo: the sandbox on loopback, the real engine on a ledger of its own, one clock for both.

The clock runs many times faster than real time, and waits for the daemon on a slow machine: as in real life,
a cycle begins only when the work of the last cycle is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from pydantic import SecretStr
from rich.console import Console

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
from syncd.engine.runtime.watchdog import Watchdog
from syncd.ledger.open import open_for_work
from syncd.ledger.views.daemon_state import next_due
from syncd.sandbox.cast import BOT_EMAIL, CHANNEL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World
from syncd.web.page import Page, page_app
from syncd.web.receive import Receiver
from syncd.web.server import Listener
from syncd.web.source import Source

POLL_SECONDS = 60.0
"""Seconds of the demo's clock between two cycles: a quiet cycle shows nothing and costs processor time."""
LONGEST_STEP = POLL_SECONDS
"""The most seconds that the clock moves at once, so that a slow machine skips no cycle."""
REAL_STEP = 0.02
"""Real seconds between two movements of the clock."""
LONGEST_LEAP, LEAST_LEAP = 3 * 3600.0, 60.0
"""The most and the fewest seconds of the demo's clock in one leap."""
LONG_LEAP = 4 * LONGEST_LEAP
"""The most seconds in a leap through a time in which little happens."""
SLOW_EVERY, SLOW_EVERY_LEAPING = 2 * EVERY_SECONDS, 12 * EVERY_SECONDS
"""Seconds of the demo's clock between two slow polls: real life has more, which read the same again."""
PATIENCE = 5.0
"""Real seconds that the clock waits for the workers before it goes on without them."""


class DemoClock:
    """The sandbox's clock as the daemon reads it; to wait means to wait for the sandbox's time to pass."""

    def __init__(self, sandbox: SandboxClock, speed: float, real: Clock) -> None:
        self.sandbox = sandbox
        self._speed = speed
        self._began = sandbox.now()
        self._real = real
        self._moved_at = real.boottime()

    def now(self) -> datetime:
        """Return the sandbox's time, in UTC."""
        return self.sandbox.now()

    def boottime(self) -> float:
        """Return the seconds of the sandbox's time since the demo began."""
        return (self.now() - self._began).total_seconds()

    def boot_id(self) -> str:
        """Return one id for the whole demo: it is one boot."""
        return "demo"

    def sleep(self, seconds: float, until: Event) -> bool:
        """Wait until so many seconds of the sandbox's time have passed or the event is set."""
        end = self.boottime() + seconds
        while self.boottime() < end:
            if until.wait(REAL_STEP / 4):
                return True
        return until.is_set()

    def move(self) -> None:
        """Wait a moment, then let the real time that has passed, times the speed, pass on this clock."""
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
    """Everything that a running demo consists of."""

    world: World
    clock: DemoClock
    context: EngineContext
    loop: ControlLoop
    mapping: Mapping
    _next_cycle: float = 0.0
    _next_slow: float = SLOW_EVERY
    _slow: Thread | None = None

    def step(self) -> None:
        """Let a little time pass, and let the daemon do what is due."""
        self.clock.move()
        self.world.catch_up()
        self.loop.tick()
        now = self.clock.boottime()
        if now >= self._next_cycle:
            self._next_cycle = now + POLL_SECONDS
            self.cycle()
        if now >= self._next_slow:
            self._next_slow = now + SLOW_EVERY
            self._start_slow_poll()

    def _start_slow_poll(self) -> None:
        # The slow poll waits for its share of the budget. In this thread it would stop the clock, and with it
        # the time that it waits for.
        if self._slow is None or not self._slow.is_alive():
            self._slow = Thread(target=self.loop.slow, name="slow poll", daemon=True)
            self._slow.start()

    def finish_work(self) -> None:
        """Wait until the workers and the slow poll have ended, so that no request of theirs is under way."""
        with self._time_flows():
            if self._slow is not None:
                self._slow.join(PATIENCE)
            self.loop.work_queue.wait_idle(PATIENCE)

    def leap(self, latest: float, *, long: bool = False) -> None:
        """Leap to the next time at which something may happen, and let the daemon work.

        A leap is three hours at most, a `long` one twelve. `latest` is the time of the story's next
        step, in seconds of its clock.
        """
        now = self.clock.boottime()
        until = min(now + (LONG_LEAP if long else LONGEST_LEAP), max(latest, now + LEAST_LEAP))
        due = next_due(self.context.ledger, self.clock.now())
        if due is not None:
            # One second behind what is due, so that it is due when the daemon looks.
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
            self._next_slow = until + SLOW_EVERY_LEAPING
            self._start_slow_poll()

    @contextmanager
    def _time_flows(self) -> Iterator[None]:
        # The daemon waits on this clock, for example for its budget; if it stood still, no wait would end.
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
        """Run one cycle, once the workers have finished the last one."""
        self.loop.work_queue.wait_idle(PATIENCE)
        with self._time_flows():
            self.loop.cycle()


@contextmanager
def stage(folder: Path, speed: float, real: Clock) -> Iterator[Stage]:
    """Set the stage with its ledger in `folder`, and clear it at the end, also after an error.

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


def serve_page(context: EngineContext, loop: ControlLoop, out: Console, over: Event) -> None:
    """Serve the page of state at the story's last moment, on a free port of this machine.

    It ends with Ctrl-C, or when `over` is set.
    """
    # the story's cycles passed without a watchdog, which would miss them
    context = replace(context, watchdog=Watchdog(context.clock, POLL_SECONDS))
    source = Source(context, loop.good_reads.latest, Receiver(context, lambda _incidents: None), 3600.0)
    listener = Listener("127.0.0.1", 0, page_app(Page(source, Templates()), None), "the page of state")
    listener.start()
    out.print(f"\nThe page of state: http://127.0.0.1:{listener.port}/ (Ctrl-C ends it)", soft_wrap=True)
    try:
        over.wait()
    except KeyboardInterrupt:
        out.print()
    finally:
        listener.stop(2.0)


def _configure(folder: Path, server: SandboxServer) -> Configuration:
    """Return the two shipped mappings and templates as a configuration."""
    # The environment and .env are not read: the demo must never reach a real account.
    mappings = folder / "mappings"
    mappings.mkdir(parents=True)
    for name in ("qrpay", "ramen"):
        # The rules hold from the day before, so that every incident of the story counts.
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
        chat_urls={CHANNEL: SecretStr(server.world.chat.url(CHANNEL))},
    )
    return Configuration(settings, load_mappings(mappings, templates), templates, live=live)
