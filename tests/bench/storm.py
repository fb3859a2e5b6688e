"""A storm of new incidents, each request taking 100 ms: the daemon, and a plain script beside it.

Most teams begin with such a script: for one incident after the other it looks for a ticket by its label and
creates one if there is none, with the same library. It has none of the daemon's safety; only its speed counts
here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from jira import JIRA

from bench.figure import Figure
from bench.installation import Daemon, Failed, Installation, installed, processor_seconds, wait_until
from bench.standins import Line, StandIns
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY

INCIDENTS = 500
DELAY = 0.1
GOAL, LIMIT = 3.0, 1.1
GOAL_PROCESSOR = 6.0
POLL = "pagerduty GET /log_entries"
POLL_SECONDS = 30.0
"""The default of `SYNCD_POLL_SECONDS`."""
CREATES = ("POST /rest/api/2/issue", "POST /rest/api/2/issue/bulk", "POST /rest/api/3/issue")
SHARE = 10
"""The script works on this part of the incidents, because it takes minutes; its figures are multiplied."""


def await_poll(place: Installation, every: float = POLL_SECONDS) -> None:
    """Wait until just before the daemon's second poll."""
    services = place.services
    wait_until(lambda: services.counts()[POLL], "the daemon does not ask PagerDuty")
    first = min(line.began for line in services.lines() if line.name == POLL)
    time.sleep(max(0.0, first + every - 2.0 - time.time()))


def break_loose(place: Installation, priority: str = "P3") -> tuple[list[str], float]:
    """Let all incidents happen at once; return them and the time (Unix) of the poll that finds them."""
    services = place.services
    services.post("lines/clear")
    services.post("delay", seconds=DELAY)
    made = services.post(
        "storm", count=INCIDENTS, service="Alipay Integration", title="Storm", priority=priority
    )["incidents"]
    wait_until(lambda: services.counts()[POLL], "the daemon does not ask PagerDuty", every=0.1)
    return made, min(line.began for line in services.lines() if line.name == POLL)


def created(lines: list[Line]) -> dict[str, Line]:
    """Return by incident the request that created its ticket."""
    return {
        incident: line
        for line in lines
        if line.name.endswith(CREATES) and line.status == 201
        for incident in line.incidents
    }


def daemon() -> Iterator[Figure]:
    """Measure the daemon from the poll that finds the storm until nothing is left to do."""
    with installed() as place, place.daemon() as running:
        running.wait_until_up()
        await_poll(place)
        before = running.seconds(), processor_seconds(place.services.pid)
        made, began = break_loose(place)
        services = place.services
        wait_until(
            lambda: services.read("progress")["issues"] >= INCIDENTS, "tickets are missing", every=0.05
        )
        until_tickets = running.seconds() - before[0]
        beside = processor_seconds(services.pid) - before[1]
        lines = services.lines()
        creates = created(lines)
        took = max(line.ended for line in creates.values()) - began
        if len(creates) != INCIDENTS or set(creates) != set(made):
            raise Failed(f"{len(creates)} of {INCIDENTS} incidents got their ticket by one create")
        name = f"storm of {INCIDENTS} at {DELAY * 1000:.0f} ms a request"
        jira = sum(line.name.startswith("jira") for line in lines)
        yield Figure(
            f"{name}: until the last ticket",
            round(took, 2),
            "s",
            GOAL,
            LIMIT,
            details={"requests": dict(services.counts()), "services_processor_seconds": round(beside, 2)},
        )
        yield Figure(f"{name}: requests to Jira until then", jira, "")
        yield _processor(f"{name}: processor time an incident, until the last ticket", until_tickets)
        yield _until_nothing_is_left(name, place, running, before[0])


def _processor(name: str, seconds: float, goal: float | None = None) -> Figure:
    return Figure(name, round(seconds / INCIDENTS * 1000, 2), "ms", goal)


def _until_nothing_is_left(name: str, place: Installation, running: Daemon, before: float) -> Figure:
    services = place.services
    wait_until(lambda: services.read("progress")["notes"] >= INCIDENTS, "link notes are missing", 0.2)
    # the last note is confirmed
    time.sleep(2 * DELAY)
    seconds = running.seconds() - before
    rest = place.run("outbox")
    if "The outbox is empty" not in rest:
        raise Failed(f"the outbox is not empty: {rest[:500]}")
    return _processor(f"{name}: processor time an incident, until nothing is left", seconds, GOAL_PROCESSOR)


def script() -> Iterator[Figure]:
    """Measure the plain script."""
    part = INCIDENTS // SHARE
    services = StandIns()
    try:
        client = JIRA(services.urls["jira"], basic_auth=(BOT_EMAIL, JIRA_KEY))
        services.post("lines/clear")
        services.post("delay", seconds=DELAY)
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
        name = f"plain script beside it (from a tenth), {INCIDENTS} at {DELAY * 1000:.0f} ms"
        yield Figure(f"{name}: until the last ticket", round(took * SHARE, 1), "s")
        yield Figure(f"{name}: requests to Jira", services.counts().total() * SHARE, "")
    finally:
        services.stop()


def measure() -> Iterator[Figure]:
    """Measure both, one after the other."""
    yield from daemon()
    yield from script()
