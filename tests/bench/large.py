"""A large ledger: 100,000 incidents and 20,000 action items, to measure what must not grow with it.

It is measured in each database; the processor time of a server counts, too.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ledger_reading import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    insert_rows,
)
from pydantic_core import PydanticUndefined

from bench.databases import DATABASES, Database, opened
from bench.figure import Figure
from bench.standins import python_path
from syncd.config.mapping.load import load_mappings
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import op_of, ticket_key
from syncd.ledger.open import open_for_reading, open_for_work
from syncd.ledger.views.daemon_state import due_incidents

NOW = datetime.now(UTC).replace(microsecond=0)
INCIDENTS, ITEMS = 100_000, 20_000
DAYS = 90
FIRST_ISSUE = 50_000_000
"""Below it are the ids of the issues that the sandbox makes."""
OWNERS = ("Amara Osei", "Jonas Lindqvist", "Mei Tanaka")
SERVICES = ("Alipay Integration", "BluBank Integration", "Yoomonea Service", "Core QRPay Web")


def measure() -> Iterator[Figure]:
    """Measure a tick, the report and the reading commands on a large ledger in each database."""
    for name in DATABASES:
        with (
            tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
            opened(name, Path(folder) / "syncd.db") as database,
        ):
            fill(database.url)
            database.filled()
            figures = _in_a_process(database.url)
            commands = dict(_commands(Path(folder), database))
        size = f"{name}, {INCIDENTS // 1000}k incidents, {ITEMS // 1000}k action items"
        yield Figure(f"{size}: a tick with nothing due, processor time", figures["tick_ms"], "ms", 10)
        yield Figure(f"{size}: the weekly report, processor time", figures["report_s"], "s", 3)
        yield Figure(f"{size}: the weekly report, memory at its peak", figures["memory_mb"], "MB", 200)
        for command, seconds in commands.items():
            yield Figure(f"{size}: syncd {command}, processor time", round(seconds, 2), "s")


def _in_a_process(url: str) -> dict[str, float]:
    """Measure in a process that filled no ledger, so that the memory is its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.large", url], capture_output=True, text=True, check=True, timeout=300
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _commands(folder: Path, database: Database) -> Iterator[tuple[str, float]]:
    """Yield reading commands with the processor seconds of their process and of the server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
    own |= {"PYTHONPATH": python_path(), "SYNCD_LEDGER_URL": database.url}
    own |= {"SYNCD_STATE_DIR": str(folder), "SYNCD_MAPPINGS_DIR": str(shipped("mappings"))}
    for command in ("status", f"show {INCIDENTS // 2 + 1}", "outbox", "report"):
        before = _children() + database.seconds()
        line = [sys.executable, "-m", "syncd", *command.split()]
        subprocess.run(line, env=own, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        yield command, _children() + database.seconds() - before


def _children() -> float:
    """Return the processor seconds of the processes that this one started and that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _rows(rng: random.Random) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    per_item = INCIDENTS // ITEMS
    for table, row in past_rows(rng, INCIDENTS, NOW):
        yield table, row
        if table is IncidentRow and row["number"] % per_item == 0:
            yield from _after(rng, row["id"], row["number"], row["resolved_at"])


def past_rows(rng: random.Random, count: int, now: datetime) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    """Yield the rows of `count` resolved incidents of the last 90 days, of their tickets and creates."""
    for number in range(1, count + 1):
        at = now - timedelta(days=rng.uniform(0, DAYS))
        ident, resolved = f"P{number}", at + timedelta(minutes=rng.expovariate(1 / 40))
        yield IncidentRow, _incident(rng, ident, number, at, resolved, now)
        yield (
            TicketRow,
            {
                "incident_id": ident,
                "issue_id": str(FIRST_ISSUE + number),
                "key": f"OPS-{number}",
                "project": "OPS",
                "origin": "operation",
                "agreed": {},
                "refused": [],
                "read_seq": 0,
                "written_seq": 0,
                "created_at": at,
            },
        )
        yield (
            OperationRow,
            {
                "key": ticket_key(ident),
                "op": op_of(ticket_key(ident)),
                "op_class": "once",
                "kind": "create_ticket",
                "target": "jira",
                "incident_id": ident,
                "object": f"ticket:{ident}",
                "reason": "it has no ticket",
                "state": "done",
                "meaning": {
                    "severity": "SEV3",
                    "title": f"Latency {number}",
                    "labels": ["syncd", f"pd-{ident}"],
                },
                "attempts": 1,
                "remote_id": str(FIRST_ISSUE + number),
                "decided_at": at,
                "claimed_at": at,
                "finished_at": at,
            },
        )


def _incident(
    rng: random.Random, ident: str, number: int, at: datetime, resolved: datetime, now: datetime
) -> dict[str, Any]:
    return {
        "id": ident,
        "number": number,
        "service_id": "S1",
        "team": "QRPay",
        "severity": rng.choice(("SEV0", "SEV1", "SEV2", "SEV3")),
        "assumed": False,
        "status": "resolved",
        "created_at": at,
        "acknowledged_at": at + timedelta(minutes=3),
        "resolved_at": resolved,
        "first_seen_at": at,
        "snapshot": Incident(
            id=ident,
            number=number,
            title=f"Latency {number}",
            status=IncidentStatus.RESOLVED,
            service=Reference(id="S1", name=rng.choice(SERVICES)),
            created_at=at,
            resolved_at=resolved,
        ).model_dump(mode="json"),
        "read_seq": number,
        "notes_read_seq": 0,
        "written_seq": 0,
        "searched": True,
        "finished": True,
        "dry_run_notes": [],
        "roles": {},
        "restricted": False,
        "provisional": False,
        "log_read_seq": 0,
        "changed_seq": 0,
        "severity_periods": [],
        "due_at": now + timedelta(days=rng.uniform(0.1, 60)) if number % 5 == 0 else None,
    }


def _after(
    rng: random.Random, ident: str, number: int, resolved: datetime
) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    issue, owner = str(500_000 + number), {"name": rng.choice(OWNERS), "active": True}
    duty_issue = {"project": "OPS", "read_seq": 0, "written_seq": 0, "changes": []}
    snapshot = {"summary": "Alert on the age", "status": {"name": "To Do"}, "assignee": owner}
    yield (
        PostmortemRow,
        {
            **duty_issue,
            "incident_id": ident,
            "issue_id": str(300_000 + number),
            "key": f"OPS-{300_000 + number}",
            "origin": "operation",
            "agreed": {},
            "snapshot": snapshot,
            "follow_ups": [],
            "created_at": resolved,
        },
    )
    yield (
        ActionItemRow,
        {
            **duty_issue,
            "issue_id": issue,
            "incident_id": ident,
            "key": f"OPS-{issue}",
            "source": "subtask",
            "facts": {},
            "snapshot": snapshot,
            "first_seen_at": resolved,
        },
    )
    for kind, subject, hours in (("scheduled", ident, 48), ("completed", ident, 336), ("done", issue, 720)):
        due = resolved + timedelta(hours=hours)
        fate = rng.random() if due < NOW else 1.0
        met = due + timedelta(hours=-1 if fate < 0.9 else 5) if fate < 0.98 else None
        state = "breached" if due < NOW else "pending"
        if met is not None:
            state = "met" if fate < 0.9 else "met_late"
        yield (
            DutyRow,
            {
                "incident_id": ident,
                "kind": kind,
                "subject": subject,
                "clock": 1,
                "state": state,
                "started_at": resolved,
                "due_at": due,
                "reason": "resolved",
                "rule": "v1",
                "met_at": met,
            },
        )


def defaults(table: type[Any]) -> dict[str, Any]:
    """Return the defaults of a table's columns, because a plain insert does not ask the model."""
    fields = table.model_fields.items()
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields}
    return {
        name: value
        for name, value in defaults.items()
        if value is not None and value is not PydanticUndefined
    }


def fill(url: str) -> None:
    """Fill an empty ledger."""
    ledger = open_for_work(url, "the bench", NOW - timedelta(days=100))
    rows = _rows(random.Random(7))
    while chunk := list(islice(rows, 20_000)):
        for table in (IncidentRow, TicketRow, OperationRow, PostmortemRow, ActionItemRow, DutyRow):
            empty = defaults(table)
            insert_rows(ledger, table, [{**empty, **row} for of, row in chunk if of is table])
    ledger.close()


def _tick(ledger: Database) -> float:
    """Return the milliseconds of processor time of a tick that finds nothing due."""
    rounds = 200
    began = time.process_time()
    for _ in range(rounds):
        if due_incidents(ledger, NOW):
            raise RuntimeError("something is due, so this measures nothing")
    return (time.process_time() - began) / rounds * 1000


def _report(ledger: Database) -> float:
    """Return the processor seconds of a report with its HTML, text and CSV, less those of a server."""
    from syncd.report.weekly.formats import written
    from syncd.report.weekly.report import make
    from syncd.report.weekly.week import Week

    templates = Templates()
    mappings = load_mappings(shipped("mappings"), templates)
    began = time.process_time()
    report = make(ledger, Week.of(NOW, "UTC").back(1), None, mappings, NOW)
    for form in ("html", "text", "csv"):
        written(report, form, templates)
    return time.process_time() - began


def _peak_kilobytes() -> int:
    """Return the peak memory of this process."""
    # `getrusage` would count the memory of the parent at the start of this process, too.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Measure on the ledger of a URL, and print one JSON document."""
    with closing(open_for_reading(sys.argv[1])) as ledger:
        report, tick = _report(ledger), _tick(ledger)
    figures = {"tick_ms": round(tick, 3), "report_s": round(report, 2)}
    sys.stdout.write(json.dumps({**figures, "memory_mb": round(_peak_kilobytes() / 1024, 1)}))


if __name__ == "__main__":
    main()
