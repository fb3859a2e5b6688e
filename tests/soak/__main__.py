"""`make soak`: days of a daemon in minutes, to find what grows slowly: memory, files, threads, the ledger.

The real engine works on a sandbox in a process of its own, under a clock that the soak moves. An incident
begins every ten minutes, is acknowledged, noted and resolved. The soak exits with 1 if an incident has not
exactly one ticket, an operation stays parked, or memory or open files grew after the first hours.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash.worker import SharedClock, Task, make_context
from crash.world import Sandbox, start_sandbox
from loguru import logger

from syncd.engine.context import EngineContext
from syncd.engine.loop import ControlLoop
from syncd.engine.observe.slow_poll import EVERY_SECONDS
from syncd.ledger.views import audit_trail, status

CYCLE = 30.0
INCIDENT_EVERY, ACKNOWLEDGED, NOTED, RESOLVED = 600.0, 120.0, 300.0, 900.0
"""Seconds of the sandbox's time between two incidents, and from the start of one to each act of people."""
WARM_HOURS = 6
"""Hours after which only the ledger may grow."""
MOST_GROWTH = 1.25
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """The size of the process and its ledger at one moment."""

    memory: float
    files: int
    threads: int
    ledger: float


def size_of(ledger: Path) -> Size:
    """Return megabytes, open files and threads of this process, and megabytes of the ledger with its log."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    files = sum(path.stat().st_size for path in ledger.parent.glob(f"{ledger.name}*"))
    opened = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Size(resident / MEGABYTE, opened, threading.active_count(), files / MEGABYTE)


class People:
    """The acts of people on PagerDuty, by the clock of the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._due: list[tuple[float, str, dict[str, Any]]] = []
        self._next = 0.0
        self.begun = 0

    def act(self, now: float) -> None:
        """Play everything that is due by `now`, in seconds since the beginning."""
        if now >= self._next:
            self._next = now + INCIDENT_EVERY
            self._begin(now)
        due = [row for row in self._due if row[0] <= now]
        self._due = [row for row in self._due if row[0] > now]
        for _, act, arguments in due:
            self._sandbox.act("pagerduty", act, **arguments)

    def _begin(self, now: float) -> None:
        self.begun += 1
        priority = ("P4", "P3", "P4", "P2")[self.begun % 4]
        made = self._sandbox.act(
            "pagerduty",
            "trigger",
            service="Alipay Integration",
            title=f"Latency {self.begun}",
            priority=priority,
        )
        common = {"incident": made["id"], "by": "Amara Osei"}
        self._due += [
            (now + ACKNOWLEDGED, "acknowledge", common),
            (now + NOTED, "note", {**common, "content": f"looking at {self.begun}"}),
            (now + RESOLVED, "resolve", common),
        ]


def soak(sandbox: Sandbox, folder: Path, hours: int) -> list[str]:
    """Work for so many hours of sandbox time; return what was not as promised."""
    ledger = folder / "soak.db"
    context = make_context(sandbox, Task(ledger, "boot", 0, CYCLE, 600.0, 0))
    loop, people, warm = ControlLoop(context), People(sandbox), size_of(ledger)
    loop.make_first_contact()
    loop.recover()
    began, slow_at = time.perf_counter(), EVERY_SECONDS
    for cycle in range(int(hours * 3600 / CYCLE)):
        now = cycle * CYCLE
        people.act(now)
        if isinstance(context.clock, SharedClock):
            context.clock.advance(CYCLE)
        loop.cycle()
        loop.tick()
        loop.work_queue.drain()
        if now >= slow_at:
            slow_at += EVERY_SECONDS
            loop.slow()
            loop.work_queue.drain()
        if now % 3600 == 0 and now:
            size = size_of(ledger)
            hour = int(now / 3600)
            warm = size if hour <= min(WARM_HOURS, hours // 2) else warm
            sys.stderr.write(
                f"hour {hour:3}: {size.memory:6.1f} MB, {size.files} files, {size.threads} threads,"
                f" ledger {size.ledger:.1f} MB, {people.begun} incidents\n"
            )
    last = size_of(ledger)
    seconds = time.perf_counter() - began
    wrong = _wrong(sandbox, context, people, warm, last)
    sys.stdout.write(
        f"{hours} hours in {seconds:.0f} s: {people.begun} incidents; memory {warm.memory:.0f} MB after"
        f" the first hours, {last.memory:.0f} MB at the end; files {warm.files} and {last.files}; threads"
        f" {warm.threads} and {last.threads}; ledger {last.ledger:.1f} MB\n"
    )
    return wrong


def _wrong(sandbox: Sandbox, context: EngineContext, people: People, warm: Size, last: Size) -> list[str]:
    problems = []
    issues = sandbox.read("state")["jira"]["issues"]
    marks = Counter((issue.get("properties") or {}).get("syncd", {}).get("incident") for issue in issues)
    doubled = sum(count > 1 for incident, count in marks.items() if incident)
    missing = people.begun - sum(1 for incident in marks if incident)
    if doubled or missing:
        problems.append(f"{doubled} incidents with two tickets, {missing} without")
    counts, broken = status.counts(context.ledger), audit_trail.verify(context.ledger)
    if counts["parked"]:
        problems.append(f"{counts['parked']} operations are parked")
    if broken:
        problems.append(str(broken))
    if last.memory > warm.memory * MOST_GROWTH:
        problems.append(f"memory grew from {warm.memory:.0f} to {last.memory:.0f} MB")
    if last.files > warm.files + 5 or last.threads > warm.threads + 2:
        problems.append(f"files {warm.files} to {last.files}, threads {warm.threads} to {last.threads}")
    return problems


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--hours", type=int, default=72)
    arguments = parser.parse_args()
    logger.remove()
    sandbox = start_sandbox(1, others_per_hour=30.0, search_lag=60.0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wrong = soak(sandbox, Path(folder), arguments.hours)
    finally:
        sandbox.stop()
    for problem in wrong:
        sys.stdout.write(f"not as promised: {problem}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
