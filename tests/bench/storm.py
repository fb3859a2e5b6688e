"""A storm of new incidents, each request taking 100 ms: the daemon with and without batches, and a script.

Most teams begin with such a script: for one incident after the other it looks for a ticket by its label and
creates one if there is none, with the same libraries. It has none of the daemon's safety; only its speed
counts here.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

from crash.world import Sandbox, start_sandbox
from jira import JIRA
from rig import PlainRenderer, mapping

from bench.figure import Figure
from syncd.engine.context import build_context
from syncd.engine.loop import WORKERS, ControlLoop
from syncd.engine.rules import Rules
from syncd.engine.runtime.system_clock import SystemClock
from syncd.ledger.open import open_for_work
from syncd.remote.http.budget import Budget, Rate
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY

INCIDENTS = 500
DELAY = 0.1
TARGET = 6.0
LONGEST = 60.0
"""Seconds after which a run is aborted."""


def _trigger(sandbox: Sandbox, count: int) -> None:
    for number in range(count):
        sandbox.act(
            "pagerduty", "trigger", service="Alipay Integration", title=f"Storm {number}", priority="P3"
        )


def _slow_down(sandbox: Sandbox) -> None:
    for service in ("pagerduty", "jira"):
        sandbox.control("faults", way="delay", seconds=DELAY, service=service, times=None)


def _loop(sandbox: Sandbox, folder: Path) -> ControlLoop:
    clock = SystemClock()
    ledger = open_for_work(f"sqlite:///{folder / 'storm.db'}", "bench", clock.now())
    # The limits of the services are off in this sandbox, and so is our budget: only the daemon is measured.
    rates = {"pagerduty": Rate(1000, 1000), "jira": Rate(1000, 1000)}
    transport = Transport(clock, budget=Budget(clock, rates))
    clients = (
        lambda: pagerduty_client(
            sandbox.urls["pagerduty"], PAGERDUTY_KEY, "amara.osei@qrpay.example", transport
        ),
        lambda: jira_client(sandbox.urls["jira"], JIRA_KEY, transport, email=BOT_EMAIL),
    )
    rules = Rules((mapping(enforce_from="2026-01-01"),), PlainRenderer())
    return ControlLoop(build_context(ledger, clock, clients, transport, rules))


def _tickets(loop: ControlLoop) -> int:
    """Return the number of tickets in the ledger."""
    # The bench asks 50 times a second, past the ledger's own code, which would count as work of the daemon.
    with closing(sqlite3.connect(loop.context.ledger.file)) as connection:
        return int(connection.execute("SELECT count(*) FROM ticket").fetchone()[0])


@dataclass(frozen=True)
class Run:
    """Seconds until all incidents had their ticket, requests to Jira, and processor seconds until then.

    `daemon_seconds` are those of the daemon with its threads. `sandbox_seconds` are those of the sandbox,
    which runs in a process of its own on the same processors.
    """

    took: float
    requests: int
    daemon_seconds: float
    sandbox_seconds: float


def daemon(count: int, *, bulk: bool) -> Run:
    """Measure the daemon as it runs: workers beside the reading cycle."""
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, running=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            loop = _loop(sandbox, Path(folder))
            loop.bulk.enabled = bulk
            loop.make_first_contact()
            loop.cycle()
            # A new ledger holds more than 50 tickets for `syncd accept`; this one reads no incident first.
            loop.run_until_idle()
            # PagerDuty tells whole seconds: from now on every incident is younger than the ledger.
            time.sleep(1.1)
            _trigger(sandbox, count)
            sandbox.control("journal/clear")
            _slow_down(sandbox)
            loop.work_queue.start(WORKERS)
            before = _processor(sandbox)
            began = time.monotonic()
            cycle = Thread(target=loop.cycle)
            cycle.start()
            while _tickets(loop) < count and time.monotonic() - began < LONGEST:
                time.sleep(0.02)
            took = time.monotonic() - began
            daemon_seconds, sandbox_seconds = (
                now - then for now, then in zip(_processor(sandbox), before, strict=True)
            )
            requests, made = sandbox.read("counts")["totals"]["jira"], _tickets(loop)
            loop.context.stop.set()
            cycle.join()
            loop.work_queue.stop(10)
            loop.context.ledger.close()
    finally:
        sandbox.stop()
    if made < count:
        raise RuntimeError(f"only {made} of {count} incidents had a ticket after {LONGEST:.0f} s")
    return Run(took, requests, daemon_seconds, sandbox_seconds)


def _processor(sandbox: Sandbox) -> tuple[float, float]:
    """Return the processor seconds of this process and of the sandbox's (0 except on Linux)."""
    stat = Path(f"/proc/{sandbox.pid}/stat")
    if not stat.exists():
        return time.process_time(), 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return time.process_time(), (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def script(count: int) -> Run:
    """Measure a plain script over a tenth of the incidents and multiply, because it takes minutes."""
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, running=True)
    part = max(1, count // 10)
    try:
        sandbox.control("journal/clear")
        client = JIRA(sandbox.urls["jira"], basic_auth=(BOT_EMAIL, JIRA_KEY))
        _slow_down(sandbox)
        before, began = _processor(sandbox), time.monotonic()
        for number in range(part):
            label = f"pd-storm-{number}"
            if not client.search_issues(f'project = OPS AND labels = "{label}"', maxResults=1):
                client.create_issue(
                    fields={
                        "project": {"key": "OPS"},
                        "issuetype": {"name": "Incident"},
                        "summary": f"Storm {number}",
                        "labels": [label],
                    },
                    prefetch=False,
                )
        took = time.monotonic() - began
        requests = sandbox.read("counts")["totals"]["jira"]
        daemon_seconds, sandbox_seconds = (
            now - then for now, then in zip(_processor(sandbox), before, strict=True)
        )
        times = count / part
        return Run(took * times, round(requests * times), daemon_seconds * times, sandbox_seconds * times)
    finally:
        sandbox.stop()


def measure() -> Iterator[Figure]:
    """Measure all three, one after the other."""
    name = f"{INCIDENTS} incidents at {DELAY * 1000:.0f} ms a request"
    for label, run, target in (
        ("daemon", partial(daemon, INCIDENTS, bulk=True), TARGET),
        ("daemon, batches off", partial(daemon, INCIDENTS, bulk=False), 0.0),
        ("plain script (from a tenth)", partial(script, INCIDENTS), 0.0),
    ):
        result = run()
        yield Figure(f"{name}, {label}: until all are ticketed", round(result.took, 2), target, "s")
        yield Figure(f"{name}, {label}: requests to Jira", result.requests, 0, "requests")
        daemon_seconds, sandbox_seconds = (
            round(seconds / INCIDENTS * 1000, 1)
            for seconds in (result.daemon_seconds, result.sandbox_seconds)
        )
        yield Figure(f"{name}, {label}: processor time an incident", daemon_seconds, 0, "ms")
        yield Figure(f"{name}, {label}: the sandbox's beside it", sandbox_seconds, 0, "ms")
