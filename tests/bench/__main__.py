"""`make bench`: the requests and the processor time of the daemon, measured on a sandbox in another process.

It prints each figure beside its target as a ratio and writes all to `bench.json`. No figure is a test,
because machines differ: a person compares the figures with the targets.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from crash.worker import SharedClock, Task, make_context
from crash.world import Sandbox, start_sandbox
from loguru import logger
from rich.console import Console
from rich.table import Table

from bench import backfill, large, start, storm
from bench.figure import Figure
from syncd.engine.context import EngineContext
from syncd.engine.loop import ControlLoop


class Bench:
    """An engine on a sandbox in another process."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.context: EngineContext = make_context(
            sandbox, Task(folder / "bench.db", "boot", 0, 30.0, 600.0, 0)
        )
        self.loop = ControlLoop(self.context)
        self.loop.make_first_contact()

    def cycle(self, seconds: float = 30.0) -> None:
        """Run one cycle with its work, `seconds` after the last."""
        if isinstance(self.context.clock, SharedClock):
            self.context.clock.advance(seconds)
        self.loop.cycle()
        self.loop.work_queue.drain()

    def requests(self) -> dict[str, int]:
        """Return the number of requests so far, by kind."""
        rows = self.sandbox.read("counts")["counts"]
        return {f"{row['service']} {row['method']} {row['path']}": row["count"] for row in rows}


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


def quiet(bench: Bench) -> list[Figure]:
    """Measure a cycle in which nothing changed, with 50 open incidents."""
    for number in range(50):
        bench.sandbox.act(
            "pagerduty", "trigger", service="Alipay Integration", title=f"Open {number}", priority="P3"
        )
    for _ in range(4):
        bench.cycle(1.0)
    for _ in range(12):
        bench.cycle(30.0)
    rounds = 40
    before = bench.requests()
    began = time.process_time()
    for _ in range(rounds):
        bench.loop.cycle()
        bench.loop.work_queue.drain()
    spent = (time.process_time() - began) / rounds * 1000
    requests = sum(_difference(before, bench.requests()).values()) / rounds
    return [
        Figure("quiet cycle, 50 open incidents: requests", requests, 3, "requests"),
        Figure("quiet cycle, 50 open incidents: processor time", round(spent, 2), 20, "ms"),
    ]


POLLING = ("/log_entries", "/incidents", "/search/jql", "/issue/bulkfetch")


def _is_polling(name: str) -> bool:
    _service, method, path = name.split(" ", 2)
    return path.endswith(POLLING) and (method == "GET" or not path.endswith("/incidents"))


def life(bench: Bench, label: str, target: float) -> list[Figure]:
    """Measure trigger, acknowledge, note and resolve of an incident that owes nothing."""
    act = bench.sandbox.act
    before = bench.requests()
    made = act("pagerduty", "trigger", service="Alipay Integration", title="A life", priority="P4")
    bench.cycle()
    bench.cycle()
    act("pagerduty", "acknowledge", incident=made["id"], by="Amara Osei")
    bench.cycle()
    act("pagerduty", "note", incident=made["id"], content="looking", by="Amara Osei")
    bench.cycle()
    act("pagerduty", "resolve", incident=made["id"], by="Amara Osei")
    bench.cycle()
    bench.cycle(360.0)
    bench.cycle()
    requests = _difference(before, bench.requests())
    beyond = {name: count for name, count in requests.items() if not _is_polling(name)}
    for name, count in sorted(beyond.items()):
        sys.stderr.write(f"  {label}: {count} x {name}\n")
    seen = sum(count for name, count in requests.items() if name.endswith("/issue/bulkfetch"))
    return [
        Figure(f"a whole life, {label}: requests beyond polling", sum(beyond.values()), target, "requests"),
        Figure(f"a whole life, {label}: bulk reads of what the poll found changed", seen, 0, "requests"),
    ]


def _on_a_fresh_world(measure: Callable[[Bench], list[Figure]]) -> list[Figure]:
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return measure(Bench(sandbox, Path(folder)))
    finally:
        sandbox.stop()


def _lives(bench: Bench) -> list[Figure]:
    cold = life(bench, "cold", 0)
    return cold + life(bench, "warm", 7)


def _show(figures: list[Figure]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "measured", "target", "ratio"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
        target = f"{figure.target:g} {figure.unit}" if figure.target else "none"
        table.add_row(figure.name, f"{figure.measured:g} {figure.unit}", target, ratio)
    Console(width=140).print(table)


class _TimeIsUp(BaseException):
    """Raised if the whole run takes longer than its limit."""


def _give_up(_signal: int, _frame: object) -> None:
    raise _TimeIsUp


def main() -> int:
    """Measure everything, print and write it; when the time is up, show what was measured until then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="measure this part alone")
    parser.add_argument("--limit", type=int, default=180, help="seconds after which the run is given up")
    arguments = parser.parse_args()
    logger.remove()
    figures: list[Figure] = []
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(arguments.limit)
    whole = True
    try:
        for part in arguments.only or PARTS:
            for figure in PARTS[part]():
                figures.append(figure)
    except _TimeIsUp:
        whole = False
    signal.alarm(0)
    _show(figures)
    rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
    arguments.output.write_text(json.dumps({"figures": rows}, indent=2) + "\n", encoding="utf-8")
    if not whole:
        sys.stderr.write(f"given up after {arguments.limit} s; what was measured until then stands above\n")
    return 0 if whole else 1


PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    "start": start.measure,
    "quiet": lambda: _on_a_fresh_world(quiet),
    "life": lambda: _on_a_fresh_world(_lives),
    "storm": storm.measure,
    "backfill": backfill.measure,
    "large": large.measure,
}


if __name__ == "__main__":
    sys.exit(main())
