"""Every place at which the recorder touches the product: no other file of this package imports it.

After a class was renamed or a module moved, only this file changes.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import sys
import time  # noqa: TID251 - the recorder replaces what the wire sleeps with
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

from cheap_ledgers import put_empty_ledger
from loguru import logger
from simulation.plan import Plan, make_plan
from simulation.play import Simulation, no_mutation
from simulation.wire import WireTransport

from golden import ledger
from golden.trace import Trace
from syncd.cli import main
from syncd.config.load import load_configuration
from syncd.daemon import Daemon, make_context, open_ledger
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.mail import Letter, MailSandbox
from syncd.sandbox.story.story_week import week
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery, World

SYSTEM_CLOCK = "syncd.engine.runtime.system_clock.SystemClock"
"""The clock of commands."""
MAPPINGS = Path(__file__).parents[2] / "mappings"
LEDGER = "syncd.db"
PAGERDUTY, JIRA = "http://127.0.0.1:1", "http://127.0.0.1:2"
POLL = 30.0
"""Seconds between two cycles."""
SLOW_EVERY = 900.0
"""Seconds between two runs of the slow poll."""
SLOW_IN_LEAPS = 20 * 3600.0
"""The same where turns are leaps: once a day is enough."""
_ENFORCE_FROM = re.compile(r"^enforce_from: .*$", re.MULTILINE)
_PROCESS_OWNER = re.compile(r"^  process_owner: (.*)$", re.MULTILINE)

__all__ = ["LEDGER", "POLL", "START", "Stage", "World", "play_seed", "stage", "week"]


def attach(world: World, trace: Trace) -> None:
    """Record each request that reaches the services of a world, and each that a fault strikes."""
    inner = world.answer

    def answer(name: str, call: Call, sleep: Callable[[float], object] = time.sleep) -> Delivery:
        place = trace.request(world.clock(), name, call.method, call.path, call.query, call.body)
        delivery = inner(name, call, sleep)
        status = str(delivery.reply.status) if delivery.reply else "no answer"
        manner = "" if delivery.manner == "whole" else f" {delivery.manner}"
        trace.answered(place, f"{status}{manner}")
        return delivery

    world.answer = answer  # type: ignore[method-assign] # a listener on this one world
    for service in (world.pagerduty, world.jira):
        _see_late(service, world, trace)


def _see_late(service: Any, world: World, trace: Trace) -> None:
    """Record requests that arrive after their sender gave up: they enter a service by another function."""
    inner = service.handle

    def handle(call: Call, fault: str | None = None) -> Any:
        reply = inner(call, fault)
        if fault == "late":
            place = trace.request(world.clock(), service.name, call.method, call.path, call.query, call.body)
            trace.answered(place, f"{reply.status} late")
        return reply

    service.handle = handle


@contextmanager
def steady() -> Iterator[None]:
    """Remove chance and the machine's user from what the product records; silence its log."""

    def token(size: int = 32) -> str:
        return "5e" * size

    logger.remove()
    with mock.patch.object(secrets, "token_hex", token), mock.patch.object(os, "getuid", lambda: 0):
        yield


class StageClock:
    """The sandbox's clock as daemon and commands see it; while one waits, `on_sleep` lets time pass."""

    def __init__(self, clock: SandboxClock) -> None:
        self.sandbox = clock
        self.on_sleep: Callable[[float], object] = clock.advance

    def now(self) -> datetime:
        return self.sandbox.now()

    def boottime(self) -> float:
        return (self.sandbox.now() - START).total_seconds() + 1000.0

    def boot_id(self) -> str:
        return "boot-1"

    def sleep(self, seconds: float, until: Event) -> bool:
        self.on_sleep(max(0.0, seconds))
        return until.is_set()


@dataclass
class Stage:
    """The real daemon on the sandbox, driven from one thread under one clock."""

    folder: Path
    world: World
    clock: StageClock
    trace: Trace
    daemon: Daemon
    _slow_at: float = 0.0

    @property
    def file(self) -> Path:
        return self.folder / LEDGER

    @property
    def seconds(self) -> float:
        """Return the seconds since the world began."""
        return (self.world.clock() - START).total_seconds()

    def act(self, words: str, act: Callable[[], Any]) -> Any:
        """Record an act of a person and do it."""
        self.trace.act(self.world.clock(), words)
        return act()

    def turn(self, seconds: float = POLL) -> None:
        """Let time pass, and let the daemon do once everything that it does by itself."""
        self.world.advance(seconds)
        loop = self.daemon.loop
        # The cycle comes first: after a leap the tick would tell the operator that nothing was read.
        loop.cycle()
        loop.run_until_idle()
        loop.tick()
        loop.run_until_idle()
        loop.jobs.run_jobs()
        loop.jobs.reports()
        loop.run_until_idle()
        if self.seconds >= self._slow_at:
            self._slow_at = self.seconds + (SLOW_EVERY if seconds < SLOW_EVERY else SLOW_IN_LEAPS)
            loop.slow()
            loop.jobs.nightly()
            loop.run_until_idle()
        self.trace.audit(self.file)

    def state_changes(self, count: int, seconds: float = POLL) -> None:
        """Let several turns pass."""
        for _ in range(count):
            self.turn(seconds)

    def syncd(self, *args: str) -> str:
        """Run a command in this process beside the daemon; record and return its output."""
        clock = StageClock(self.clock.sandbox)
        clock.on_sleep = self._while_a_command_waits
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch(SYSTEM_CLOCK, lambda: clock),
            mock.patch.object(sys, "argv", ["syncd", *args]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
        logger.remove()
        self.trace.output(" ".join(args), code, out.getvalue(), err.getvalue())
        self.trace.audit(self.file)
        return out.getvalue()

    def _while_a_command_waits(self, seconds: float) -> None:
        self.turn(max(1.0, seconds))


class StageLine:
    """The network in this process: no request is lost, and a slow answer moves the clock."""

    def __init__(self, world: World) -> None:
        self.world = world

    def open(self, service: str) -> bool:
        return True

    def carry(self, service: str, call: Call, flight: object) -> Delivery:
        return self.world.answer(service, call, lambda seconds: self.world.advance(seconds))

    def step(self, kind: str) -> None:
        return

    def now(self) -> float:
        return (self.world.clock() - START).total_seconds()

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        return


def _environment(folder: Path, world: World, mail: MailSandbox) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    cloud = {"SYNCD_JIRA_EMAIL": BOT_EMAIL} if world.jira.site.edition == "cloud" else {}
    return {
        **kept,
        **cloud,
        "SYNCD_PAGERDUTY_URL": PAGERDUTY,
        "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
        "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
        "SYNCD_JIRA_URL": JIRA,
        "SYNCD_JIRA_TOKEN": JIRA_KEY,
        "SYNCD_SMTP_HOST": mail.host,
        "SYNCD_SMTP_PORT": str(mail.port),
        "SYNCD_SMTP_SECURITY": "none",
        "SYNCD_SMTP_FROM": BOT_EMAIL,
        "SYNCD_STATE_DIR": str(folder),
        "SYNCD_MAPPINGS_DIR": str(folder / "mappings"),
        "SYNCD_HTTP_LISTEN": "",
        "SYNCD_LOG_LEVEL": "ERROR",
        "SYNCD_OPERATOR_EMAIL": "ops@qrpay.example",
        "LOGNAME": "operator",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }


@contextmanager
def stage(trace: Trace, folder: Path, *mappings: str, data_center: bool = False) -> Iterator[Stage]:
    """Yield a started daemon under shipped mappings with an approver; record its requests and mails."""
    clock = SandboxClock(START)
    world = default_world(clock, data_center_edition=data_center)
    (folder / "mappings").mkdir(parents=True)
    since = f"enforce_from: {(START - timedelta(days=1)).date()}"
    for name in mappings:
        text = _ENFORCE_FROM.sub(since, (MAPPINGS / f"{name}.yaml").read_text(encoding="utf-8"))
        # The shipped mappings have no approvers, so no label would be a waiver.
        text = _PROCESS_OWNER.sub(r"\g<0>\n  approvers: [\1]", text)
        (folder / "mappings" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with ExitStack() as stack:
        stack.enter_context(steady())
        world.pagerduty.account.base_url, world.jira.site.base_url = PAGERDUTY, JIRA
        mail = stack.enter_context(MailSandbox(clock.now))
        environment = _environment(folder, world, mail)
        # Commands read the environment: the machine's own settings must not reach a trace.
        stack.enter_context(mock.patch.dict(os.environ, environment, clear=True))
        trace.places |= {str(folder): "<folder>", PAGERDUTY: "<pagerduty>", JIRA: "<jira>"}
        attach(world, trace)
        _see_mails(mail, trace)
        stage_clock = StageClock(clock)
        configuration = load_configuration(None)
        put_empty_ledger(folder / LEDGER)
        opened_ledger = open_ledger(configuration.settings, "golden", stage_clock)
        stack.callback(opened_ledger.close)
        transport = WireTransport(stage_clock, StageLine(world))
        context = make_context(configuration, opened_ledger, stage_clock, transport=transport)
        started = Stage(folder, world, stage_clock, trace, Daemon(context, configuration))
        started.daemon.loop.make_first_contact()
        started.daemon.loop.recover()
        yield started


def _see_mails(mail: MailSandbox, trace: Trace) -> None:
    inner = mail.take

    def take(letter: Letter) -> None:
        trace.mail(letter.content)
        inner(letter)

    mail.take = take  # type: ignore[method-assign] # a listener on this one mailbox


def _steady_crashes(simulation: Simulation) -> None:
    """Let the daemon end only at requests and not at commits.

    The number of commits between two requests may change without a change of behaviour; a crash that counted
    commits would then strike at another place.
    """
    line = simulation.line
    inner = line.step

    def step(kind: str) -> None:
        if "commit" in kind and not simulation.hub.dead:
            return
        inner(kind)

    line.step = step  # type: ignore[method-assign] # of this one simulation


def _plan(seed: int) -> Plan:
    plan = make_plan(seed)
    # About half of the steps of a plan are commits, which do not count here.
    crashes = tuple(replace(crash, steps=max(1, crash.steps // 2)) for crash in plan.crashes)
    return replace(plan, crashes=crashes)


def play_seed(seed: int, trace: Trace, folder: Path) -> None:
    """Play a seed of the simulation into a trace."""
    with steady():
        simulation = Simulation(_plan(seed), folder, no_mutation)
        attach(simulation.world, trace)
        _steady_crashes(simulation)
        try:
            ending = simulation.play()
            trace.heading(f"seed {seed}: {ending.crashes} crashes, {ending.starts} starts")
            trace.audit(simulation.file)
            trace.heading("operations")
            trace.operations(simulation.file)
        finally:
            simulation.stop()


def ticket_of(world: World, incident: str) -> str:
    """Return the key of an incident's ticket."""
    return _issue_of(world, incident, postmortem=False)


def postmortem_of(world: World, incident: str) -> str:
    """Return the key of an incident's postmortem."""
    return _issue_of(world, incident, postmortem=True)


def _issue_of(world: World, incident: str, *, postmortem: bool) -> str:
    label = f"pd-{incident}".casefold()
    for issue in world.jira.site.issues.values():
        labels = {str(name).casefold() for name in issue.now.values.get("labels") or ()}
        if "syncd-action-item" in labels or issue.deleted_at is not None:
            continue
        if label in labels and ("syncd-postmortem" in labels) is postmortem:
            return str(issue.key)
    raise LookupError(f"{incident} has no such issue")


def description_of(world: World, issue: str) -> str:
    """Return an issue's description."""
    return str(world.jira.find(issue).now.values.get("description") or "")


def parked(stage: Stage) -> list[int]:
    """Return the operations that wait for a person."""
    return ledger.parked(stage.file)
