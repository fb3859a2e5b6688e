"""Plays a history of incidents while the worker is killed again and again, then judges the end.

Between the kills copies of the ledger come back, and the clock is set (`crash.mishaps`). The proof counts
duplicates (two tickets, two link notes, two comments for one note) and losses (none at all). Run it as
`python -m crash.proof --kills 10000` (`make crash KILLS=10000`); it prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from cheap_ledgers import memory
from postgresql import shared_cluster
from wall_clock import COMPILER, WallClock, file_in_force

from crash.mishaps import Mishaps
from crash.mutations import MUTATIONS, none
from crash.worker import End, Task, run_worker, work
from crash.world import Sandbox, start_sandbox
from syncd.domain.operation import op_of, ticket_key
from syncd.engine.loop import ControlLoop
from syncd.ledger.open import open_for_reading
from syncd.ledger.views import audit_trail
from syncd.policy.marks import mark_in

OTHERS_PER_HOUR = 30.0
SETTLE = 600.0
CYCLE = 30.0
STEPS = 140
"""The latest step at which a worker is killed: about as many steps as a start with a few incidents takes."""
WRITES = 3
"""With aimed kills, the number of the last writing request after which a worker is killed."""


@dataclass
class Report:
    """The result of a proof."""

    kills: int = 0
    starts: int = 0
    incidents: int = 0
    notes: int = 0
    duplicates: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    late_writes: list[str] = field(default_factory=list)
    audit: str = ""
    mishaps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Return True if every promise was kept."""
        return not self.duplicates and not self.losses and not self.late_writes and self.audit == "whole"


class History:
    """People at work on PagerDuty, from one seed."""

    def __init__(self, sandbox: Sandbox, random: Random) -> None:
        self._sandbox = sandbox
        self._random = random
        self.incidents: dict[str, str] = {}
        self.notes = 0

    def go_on(self) -> None:
        """Open an incident, and play the next act on some earlier ones."""
        service = self._random.choice(["Alipay Integration", "BluBank Integration", "Core QRPay Web"])
        priority = self._random.choice(["P1", "P3", "P4", None])
        made = self._sandbox.act(
            "pagerduty", "trigger", service=service, title=f"Trouble {len(self.incidents)}", priority=priority
        )
        self.incidents[made["id"]] = "triggered"
        open_ids = [incident_id for incident_id, state in self.incidents.items() if state != "resolved"]
        for incident in self._random.sample(open_ids, min(2, len(open_ids))):
            self._turn(incident)

    def calm_down(self) -> None:
        """Acknowledge what nobody has acknowledged: PagerDuty would escalate it, and the ticket follows."""
        for incident, state in self.incidents.items():
            if state == "triggered":
                self._turn(incident)

    def _turn(self, incident: str) -> None:
        state = self.incidents[incident]
        act = "acknowledge" if state == "triggered" else self._random.choice(["resolve", "note"])
        if act == "note":
            self.notes += 1
            text = f"note {self.notes} on {incident}"
            self._sandbox.act("pagerduty", "note", incident=incident, content=text, by="Amara Osei")
            return
        self._sandbox.act("pagerduty", act, incident=incident, by="Amara Osei")
        self.incidents[incident] = "acknowledged" if act == "acknowledge" else "resolved"


def prove(
    kills: int,
    seed: int,
    mutation: str = "none",
    *,
    settle: float = SETTLE,
    lag: float = 300.0,
    aimed: bool = False,
    seconds: float = 0.0,
    mishaps: bool = True,
    only_a_duplicate: bool = False,
    on_server: bool = False,
) -> Report:
    """Kill the worker `kills` times under the mutation, let it end in peace, and count.

    `aimed` kills only right after requests that write. `seconds` ends the kills after so many (0: no limit).
    `mishaps` also puts copies of the ledger back and sets the clock. `only_a_duplicate` ends the proof at the
    first duplicate, and counts nothing else then. `on_server` keeps the ledger in PostgreSQL, of which no
    copies are put back.
    """
    began = time.monotonic()
    random = Random(seed)
    report = Report()
    mutate = MUTATIONS[mutation]
    mishaps = mishaps and not on_server
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory())))
        file = folder / "ledger.db"
        ledger = _ledger_on_server(folder, stack) if on_server else file
        sandbox = start_sandbox(seed, others_per_hour=OTHERS_PER_HOUR, search_lag=lag)
        stack.callback(sandbox.stop)
        history = History(sandbox, random)
        happens = Mishaps(sandbox, file, Random(seed))
        boot = 0
        # Without one whole cycle the ledger would count all incidents as its first load and hold them.
        run_worker(sandbox, Task(ledger, "boot-0", 1, CYCLE, settle, 0), mutate)
        while report.kills < kills and not 0 < seconds < time.monotonic() - began:
            history.go_on()
            boot += random.random() < 0.05
            die_at = random.randint(1, WRITES if aimed else STEPS)
            task = Task(ledger, f"boot-{boot}", random.randint(1, 3), CYCLE, settle, die_at, aimed)
            report.starts += 1
            if mishaps:
                happens.between(task.boot)
            end = run_worker(sandbox, task, mutate, happens.during(die_at) if mishaps else None)
            happens.judge(end)
            report.kills += end is End.KILLED
            if only_a_duplicate:
                report.duplicates = _duplicates(sandbox.read("state"), history)
                if report.duplicates:
                    return report
            sandbox.control("clock", advance=random.choice([1.0, 5.0, 30.0, 120.0]))
        if mishaps:
            happens.peace()
        report.mishaps = dict(happens.counts)
        peace = Task(ledger, f"boot-{boot}", int(settle / CYCLE) + 16, CYCLE, settle, 0)
        _end_in_peace(sandbox, peace, mutate, history, report)
    report.seconds = round(time.monotonic() - began, 1)
    return report


def _ledger_on_server(folder: Path, stack: ExitStack) -> str:
    """Return the URL of an empty ledger on a server of its own, which ends with the stack."""
    # PostgreSQL runs as a user of its own where this one is root
    folder.chmod(0o755)
    return stack.enter_context(shared_cluster(folder / "server")).empty_ledger()


def _end_in_peace(
    sandbox: Sandbox, peace: Task, mutate: Callable[[ControlLoop], None], history: History, report: Report
) -> None:
    """Let the worker end its work, and one that finds nothing to do write nothing; then judge."""
    run_worker(sandbox, peace, mutate)
    # PagerDuty escalates as time passes, so the clock stands still while nothing may be written.
    still = replace(peace, cycles=2, cycle_seconds=0.0)
    run_worker(sandbox, still, mutate)
    sandbox.control("journal/clear")
    run_worker(sandbox, still, mutate)
    lines = sandbox.read("journal")["lines"]
    report.late_writes = [f"{line['method']} {line['path']}" for line in lines if _writes(line)]
    judge(sandbox.read("state"), history, report)
    report.audit = _audit(peace.url)


def warm_up() -> None:
    """Work once in this process, so that the forked workers inherit its compiled statements."""
    sandbox = start_sandbox(0, others_per_hour=0.0, search_lag=0.0)
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        try:
            history = History(sandbox, Random(0))
            for _ in range(4):
                history.go_on()
            work(sandbox, Task(Path(folder) / "ledger.db", "boot-0", 3, CYCLE, SETTLE, 0), none)
        finally:
            sandbox.stop()


def _writes(line: dict[str, Any]) -> bool:
    reads = ("/search/jql", "/issue/bulkfetch")
    return line["method"] != "GET" and not line["pattern"].endswith(reads)


def _audit(url: str) -> str:
    db = open_for_reading(url)
    broken = audit_trail.verify(db)
    db.close()
    return "whole" if broken is None else str(broken)


def _duplicates(state: dict[str, Any], history: History) -> list[str]:
    report = Report()
    judge(state, history, report)
    return report.duplicates


def judge(state: dict[str, Any], history: History, report: Report) -> None:
    """Count tickets, notes and comments against what the history owes."""
    report.incidents, report.notes = len(history.incidents), history.notes
    issues: Counter[str] = Counter()
    comments: Counter[str] = Counter()
    statuses: dict[str, str] = {}
    for issue in state["jira"]["issues"]:
        mark = issue.get("properties", {}).get("syncd")
        if not mark:
            continue
        issues[mark["op"]] += 1
        statuses[mark["op"]] = issue["fields"]["status"]["name"]
        for comment in issue["comments"]:
            comments[mark_in(comment["body"]) or ""] += 1
    for incident in state["pagerduty"]["incidents"]:
        if incident["id"] not in history.incidents:
            continue
        op = op_of(ticket_key(incident["id"]))
        _hold(report, f"ticket of {incident['id']}", issues[op])
        # An acknowledgement that timed out changes no ticket, if syncd saw the acknowledgement.
        timed_out = incident["status"] == "triggered" and history.incidents[incident["id"]] == "acknowledged"
        states = ["triggered", "acknowledged"] if timed_out else [incident["status"]]
        _hold_status(report, incident, states, statuses.get(op, "none"))
        link = op_of(f"link-note/{incident['id']}")
        links = sum(mark_in(note["content"]) == link for note in incident["notes"])
        _hold(report, f"link note of {incident['id']}", links)
        for note in incident["notes"]:
            if mark_in(note["content"]) is None:
                _hold(report, f"comment for note {note['id']}", comments[op_of(f"note/{note['id']}")])


def _hold(report: Report, promise: str, count: int) -> None:
    if count > 1:
        report.duplicates.append(f"{count} times {promise}")
    elif count == 0:
        report.losses.append(promise)


def _hold_status(report: Report, incident: dict[str, Any], states: list[str], status: str) -> None:
    owes = (incident.get("priority") or {}).get("summary") != "P4"
    resolved = "In Review" if owes else "Done"
    names = {"triggered": "To Do", "acknowledged": "In Progress", "resolved": resolved}
    allowed = [names[state] for state in states]
    if status not in allowed:
        report.losses.append(f"status of {incident['id']}: {status} instead of {' or '.join(allowed)}")


def main() -> int:
    """Run the command line of the proof and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settle", type=float, default=SETTLE)
    parser.add_argument("--lag", type=float, default=300.0)
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), default="none")
    parser.add_argument("--aimed", action="store_true", help="kill only right after requests that write")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="no kill after so many seconds (0: no limit)"
    )
    parser.add_argument("--kills-only", action="store_true", help="put no copy back and set no clock")
    parser.add_argument("--ledger", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    if file_in_force() is None and COMPILER is not None:
        # a clock can only be set where the library was loaded at the start
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "crash.proof", *sys.argv[1:]]
            return subprocess.run(
                command, env={**os.environ, **WallClock(Path(folder)).environment}, check=False
            ).returncode
    warm_up()
    report = prove(
        arguments.kills,
        arguments.seed,
        arguments.mutation,
        settle=arguments.settle,
        lag=arguments.lag,
        aimed=arguments.aimed,
        seconds=arguments.seconds,
        mishaps=not arguments.kills_only,
        on_server=arguments.ledger == "postgresql",
    )
    sys.stdout.write(json.dumps({**asdict(report), "clean": report.clean}) + "\n")
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
