"""A storm of new incidents, each request taking 100 ms: the daemon with and without batches, and a script.

The script is what most teams begin with: it looks for a ticket by its label and creates it where there is
none, one incident after the other, with the same libraries. It is not safe in any of the ways that the
daemon is; it is here for its speed.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from crash.world import Sandbox, start_sandbox
from jira import JIRA
from rig import PlainRenderer, mapping
from sqlmodel import func, select

from bench.figure import Figure
from syncd.engine.clock import SystemClock
from syncd.engine.cycle import WORKERS, Engine
from syncd.engine.desk import Clients, Desk
from syncd.engine.health import Health
from syncd.engine.jira_facts import JiraFacts
from syncd.ledger.ledger import open_for_work
from syncd.ledger.tables import TicketRow
from syncd.remote.budget import Budget, Rate
from syncd.remote.jira import jira_client
from syncd.remote.pagerduty import pagerduty_client
from syncd.remote.transport import Transport
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY

INCIDENTS = 500
DELAY = 0.1
TARGET = 6.0


def _trigger(sandbox: Sandbox, count: int) -> None:
    for number in range(count):
        sandbox.act(
            "pagerduty", "trigger", service="Alipay Integration", title=f"Storm {number}", priority="P3"
        )


def _slow_down(sandbox: Sandbox) -> None:
    for service in ("pagerduty", "jira"):
        sandbox.control("faults", way="delay", seconds=DELAY, service=service, times=None)


def _engine(sandbox: Sandbox, folder: Path) -> Engine:
    clock = SystemClock()
    ledger = open_for_work(f"sqlite:///{folder / 'storm.db'}", "bench", clock.now())
    # the services' own limits are off in this sandbox, and so is ours: what is measured is the daemon
    rates = {"pagerduty": Rate(1000, 1000), "jira": Rate(1000, 1000)}
    transport = Transport(clock, budget=Budget(clock, rates))
    clients = Clients(
        lambda: pagerduty_client(
            sandbox.urls["pagerduty"], PAGERDUTY_KEY, "amara.osei@qrpay.example", transport
        ),
        lambda: jira_client(sandbox.urls["jira"], JIRA_KEY, transport, email=BOT_EMAIL),
    )
    desk = Desk(
        ledger=ledger,
        clock=clock,
        clients=clients,
        mappings=(mapping(enforce_from="2026-01-01"),),
        facts=JiraFacts(lambda: clients.jira, clock),
        health=Health(clock),
        budgets=transport.budget,
        renderer=PlainRenderer(),
    )
    return Engine(desk)


def _tickets(engine: Engine) -> int:
    with engine.desk.ledger.db.read() as session:
        return int(session.exec(select(func.count()).select_from(TicketRow)).one())


def daemon(count: int, *, bulk: bool) -> tuple[float, int]:
    """Seconds until all are ticketed, and requests to Jira until then."""
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, running=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine = _engine(sandbox, Path(folder))
            engine.bulk.enabled = bulk
            engine.contact()
            engine.cycle()
            # a new ledger asks before it makes more than 50 tickets; this one has read an empty account first
            engine.come_to_rest()
            _trigger(sandbox, count)
            sandbox.control("journal/clear")
            _slow_down(sandbox)
            engine.dispatcher.start(WORKERS)
            began = time.monotonic()
            engine.cycle()
            while _tickets(engine) < count and time.monotonic() - began < 120:
                time.sleep(0.02)
            took = time.monotonic() - began
            asked = sandbox.read("counts")["totals"]["jira"]
            engine.desk.stop.set()
            engine.dispatcher.stop(10)
            engine.desk.ledger.close()
            return took, asked
    finally:
        sandbox.stop()


def script(count: int) -> tuple[float, int]:
    """The same by a plain script; measured over a tenth and multiplied, because it takes minutes."""
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, running=True)
    part = max(1, count // 10)
    try:
        sandbox.control("journal/clear")
        client = JIRA(sandbox.urls["jira"], basic_auth=(BOT_EMAIL, JIRA_KEY))
        _slow_down(sandbox)
        began = time.monotonic()
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
        asked = sandbox.read("counts")["totals"]["jira"]
        return took * count / part, asked * count // part
    finally:
        sandbox.stop()


def measure() -> list[Figure]:
    """All three side by side."""
    figures = []
    name = f"{INCIDENTS} incidents at {DELAY * 1000:.0f} ms a request"
    for label, (took, asked), target in (
        ("daemon", daemon(INCIDENTS, bulk=True), TARGET),
        ("daemon, batches off", daemon(INCIDENTS, bulk=False), 0.0),
        ("plain script (from a tenth)", script(INCIDENTS), 0.0),
    ):
        figures.append(Figure(f"{name}, {label}: until all are ticketed", round(took, 2), target, "s"))
        figures.append(Figure(f"{name}, {label}: requests to Jira", asked, 0, "requests"))
    return figures
