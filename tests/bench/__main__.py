"""`make bench`: how fast syncd works on the path that users take, beside physical limits and goals.

The daemon and the commands run as processes of their own, with settings, a mapping file, sockets and a ledger
on a disk, against services in another process. It prints limit, goal, measured figure and ratio (measured to
goal) and writes all to `bench.json`. No figure is a test, because machines differ: a person compares them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import first_load, large, life, priority, quiet, start, storm, webhooks
from bench.figure import Figure
from bench.installation import TimeIsUp

BUSY = 0.05
"""A share of the processors that changes the measured times."""


class Row(NamedTuple):
    """A measurement and the seconds after which it is given up."""

    measure: Callable[[], Iterable[Figure]]
    seconds: int


ROWS: dict[str, Row] = {
    "start": Row(start.measure, 30),
    "fixed": Row(first_load.fixed, 40),
    "once": Row(first_load.once, 60),
    "daemon": Row(first_load.daemon, 60),
    "beside": Row(first_load.beside, 60),
    "many": Row(first_load.many, 120),
    "storm": Row(storm.daemon, 160),
    "script": Row(storm.script, 40),
    "priority": Row(priority.measure, 110),
    "webhook": Row(webhooks.single, 60),
    "webhooks": Row(webhooks.many, 70),
    "quiet": Row(quiet.small, 90),
    "quiet-large": Row(quiet.large, 120),
    "quiet-server": Row(quiet.server_small, 90),
    "quiet-server-large": Row(quiet.server_large, 120),
    "life": Row(life.measure, 30),
    "large": Row(large.measure, 180),
}


def _give_up(_signal: int, _frame: object) -> None:
    raise TimeIsUp


class Run:
    """The rows that were measured until now, and those that failed."""

    def __init__(self, seconds: float) -> None:
        self.figures: dict[str, list[Figure]] = {}
        self.failed: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.others: dict[str, float] = {}
        """The share of the processors that other processes took meanwhile."""
        self.loops: dict[str, float] = {}
        """The milliseconds of the same loop before each row."""
        self._until = time.monotonic() + seconds

    def measure(self, name: str, row: Row, patience: float) -> None:
        """Measure a row within its time; keep the figures that it gave before it failed."""
        left = min(row.seconds * patience, self._until - time.monotonic())
        if left < 1:
            self.failed[name] = "no time was left"
            return
        figures = self.figures[name] = []
        self.loops[name] = _loop_milliseconds()
        began, before = time.monotonic(), _others()
        signal.setitimer(signal.ITIMER_REAL, left)
        try:
            for figure in row.measure():
                figures.append(figure)
                sys.stderr.write(f"  {figure.name}: {_with_unit(figure.measured, figure.unit)}\n")
        except TimeIsUp:
            self.failed[name] = f"not done after {left:.0f} s"
        except Exception as error:  # noqa: BLE001 - the other rows are measured all the same
            self.failed[name] = str(error) or type(error).__name__
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.monotonic() - began
        self.seconds[name] = round(took, 1)
        self.others[name] = round((_others() - before) / took / (os.cpu_count() or 1), 2)

    def show(self) -> None:
        """Print the table, the notes of its figures, and what failed."""
        table = Table(box=None, pad_edge=False)
        for column in ("row", "figure", "limit", "goal", "measured", "ratio"):
            table.add_column(column, justify="left" if column in ("row", "figure") else "right")
        for name, figures in self.figures.items():
            for figure in figures:
                ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
                limit, goal = _with_unit(figure.limit, figure.unit), _with_unit(figure.goal, figure.unit)
                table.add_row(name, figure.name, limit, goal, _with_unit(figure.measured, figure.unit), ratio)
        for name, why in self.failed.items():
            table.add_row(name, f"FAILED: {why.splitlines()[0][:90]}", "", "", "", "")
        console = Console(width=150, highlight=False)
        console.print(table)
        if busy := {name: share for name, share in self.others.items() if share > BUSY}:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in busy.items())
            console.print(f"\nOther processes took processor time, so times are too long: {shares}")
        for figures in self.figures.values():
            for figure in figures:
                if figure.notes:
                    console.print(f"\n{figure.name}:", *(f"\n    {note}" for note in figure.notes), sep="")

    def as_json(self) -> dict[str, Any]:
        """Return everything, with the machine on which it was measured."""
        rows = [
            {"row": name, **asdict(figure), "ratio": figure.ratio}
            for name, figures in self.figures.items()
            for figure in figures
        ]
        return {
            "machine": machine(),
            "seconds": self.seconds,
            "others": self.others,
            "loop_ms": self.loops,
            "failed": self.failed,
            "figures": rows,
        }


def _others() -> float:
    """Return the processor seconds that all processes but this one and its ended children took since boot."""
    user, nice, system, _idle, _wait, irq, soft_irq, steal = Path("/proc/stat").read_text().split()[1:9]
    ticks = sum(map(int, (user, nice, system, irq, soft_irq, steal)))
    own = sum(os.times()[:4])
    return ticks / os.sysconf("SC_CLK_TCK") - own


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:g} {unit}".strip()


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processors, Python, the commit, the disk of the ledgers."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    disk = subprocess.run(["stat", "-f", "-c", "%T", "."], capture_output=True, text=True)
    return {
        "processors": os.cpu_count(),
        "load_at_the_end": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.platform(),
        "commit": commit.stdout.strip(),
        "disk": disk.stdout.strip(),
        "fsync_ms": _fsync_milliseconds(),
        "loop_ms": _loop_milliseconds(),
    }


def _loop_milliseconds() -> float:
    """Return the processor time of a million additions, to compare machines and busy times of one machine.

    Where other machines share the processors, processor times grow with their work.
    """
    began, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return round((time.process_time() - began) * 1000, 1)


def _fsync_milliseconds() -> float:
    """Return the median time that this disk takes to keep a written block."""
    took = []
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:
        for _ in range(21):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return round(sorted(took)[10] * 1000, 2)


def _names(text: str) -> list[str]:
    names = [name for name in re.split(r"[\s,]+", text) if name]
    if unknown := [name for name in names if name not in ROWS]:
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return names


def main() -> int:
    """Measure the rows, print and write them; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(ROWS), help="rows, separated by blanks or commas")
    parser.add_argument("--limit", type=int, default=600, help="seconds after which no row goes on")
    parser.add_argument("--patience", type=float, default=1, help="multiplies the limits, on a busy machine")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _give_up)
    run = Run(arguments.limit)
    for name in arguments.only:
        sys.stderr.write(f"measuring {name}\n")
        run.measure(name, ROWS[name], arguments.patience)
    run.show()
    arguments.output.write_text(json.dumps(run.as_json(), indent=2) + "\n", encoding="utf-8")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
