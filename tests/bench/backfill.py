"""The first load of a team with a past: the number of requests until every ticket is right.

The past has two thousand incidents of two weeks, four of five of them resolved, and each gets a ticket. Their
severities may ride in a batch: the two highest go alone by design, with at least one request each. The link
notes of the open incidents follow when all tickets exist, and are counted separately.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from crash.worker import SharedClock, Task, make_context
from crash.world import Sandbox, start_sandbox

from bench.figure import Figure
from syncd.engine.loop import ControlLoop
from syncd.ledger.requests.answers import ask
from syncd.sandbox.world import World

INCIDENTS = 2000
TARGET = 0.08
"""Requests for each incident."""
EVERY = 590.0
"""Seconds between two incidents, so that all are in the two weeks of a default backfill."""
CYCLES = 40
STATUS = {"triggered": "To Do", "acknowledged": "In Progress", "resolved": "Done"}
NOTES = "/incidents/{id}/notes"


def _past(world: World) -> None:
    people = world.pagerduty
    for number in range(INCIDENTS):
        priority = "P4" if number % 3 else "P3"
        made = people.trigger("Alipay Integration", f"Past trouble {number}", priority=priority)
        world.advance(EVERY / 2)
        if number % 5 or number % 2:
            people.acknowledge(made.id, "Amara Osei")
        if number % 5:
            people.resolve(made.id, "Amara Osei")
        world.advance(EVERY / 2)


def _asked(sandbox: Sandbox) -> Counter[str]:
    return Counter(
        {
            f"{row['service']} {row['method']} {row['path']}": row["count"]
            for row in sandbox.read("counts")["counts"]
        }
    )


def _wrong(sandbox: Sandbox) -> list[str]:
    """Return the incidents without exactly one ticket in the right status."""
    issues: dict[str, list[str]] = {}
    for issue in sandbox.read("state/jira")["issues"]:
        mark = issue.get("properties", {}).get("syncd")
        if mark is not None:
            issues.setdefault(mark["incident"], []).append(issue["fields"]["status"]["name"])
    incidents: list[dict[str, Any]] = sandbox.read("state/pagerduty")["incidents"]
    return [row["id"] for row in incidents if issues.get(row["id"]) != [STATUS[row["status"]]]]


def measure() -> list[Figure]:
    """Return the requests for each incident, without the link notes.

    Raise RuntimeError if a ticket is missing or has the wrong status.
    """
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, preset=_past)
    try:
        with tempfile.TemporaryDirectory() as folder:
            task = Task(Path(folder) / "backfill.db", "boot", 0, 30.0, 600.0, 0)
            context = make_context(sandbox, task, enforce_from="2027-01-01", backfill={"tickets": "all"})
            loop = ControlLoop(context)
            loop.cycle()
            loop.run_until_idle()
            ask(context.ledger, "accept", {}, "bench", context.clock.now())
            for _ in range(CYCLES):
                if isinstance(context.clock, SharedClock):
                    context.clock.advance(30.0)
                loop.cycle()
                loop.run_until_idle()
                if not _wrong(sandbox):
                    break
            requests, wrong = _asked(sandbox), _wrong(sandbox)
            context.ledger.close()
    finally:
        sandbox.stop()
    if wrong:
        raise RuntimeError(f"{len(wrong)} tickets are missing or stand wrong after the backfill")
    notes = sum(count for name, count in requests.items() if name.endswith(NOTES))
    each = (requests.total() - notes) / INCIDENTS
    name = f"backfill of {INCIDENTS} incidents, 80 % resolved"
    return [
        Figure(f"{name}: until all tickets stand right", each, TARGET, "requests an incident"),
        Figure(f"{name}: the same", requests.total() - notes, TARGET * INCIDENTS, "requests"),
        Figure(f"{name}: link notes of the open ones, after that", notes, 0, "requests"),
    ]
