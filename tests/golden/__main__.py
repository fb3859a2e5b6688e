"""Records golden traces and compares two recordings.

`python -m golden record DIR` writes every trace, `python -m golden compare OLD NEW --renames FILE` says
where two recordings differ.
Run from the top of the repository with `PYTHONPATH=tests:.`.
"""

from __future__ import annotations

import argparse
import sys
import time  # noqa: TID251 - processor time of a recording, for the person who records
from collections.abc import Iterator
from pathlib import Path

from golden.compare import compare, read_renames
from golden.scenarios import SCENARIOS, SEEDS, trace_of, trace_of_seed

SHOWN = 60
"""Lines of a difference that are shown of one trace."""


def _played(only: str, seeds: range) -> Iterator[tuple[str, str]]:
    """Yield name and trace of each scenario whose name contains `only`; print the time that it took."""
    names: list[tuple[str, int | None]] = [(name, None) for name in SCENARIOS]
    names += [(f"seed-{seed:03d}", seed) for seed in seeds]
    for name, seed in names:
        if only not in name:
            continue
        began = time.process_time()
        text = trace_of(SCENARIOS[name]) if seed is None else trace_of_seed(seed)
        took = time.process_time() - began
        sys.stderr.write(f"{name}: {len(text) // 1024} KiB, {took:.1f} s of processor time\n")
        yield name, text


def record(folder: Path, only: str, seeds: range) -> None:
    """Write every trace into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _played(only, seeds):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def report(old: Path, new: Path, table: Path | None, shown: int) -> int:
    """Print where two recordings differ. Return 1 if they do, else 0."""
    renames = read_renames(table.read_text(encoding="utf-8")) if table else []
    differing = 0
    for name, lines in compare(old, new, renames):
        differing += 1
        sys.stdout.write(f"{name}: {len(lines)} lines of difference\n")
        sys.stdout.write("".join(f"  {line}\n" for line in lines[:shown]))
    sys.stdout.write(f"{differing} traces differ\n")
    return 1 if differing else 0


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="golden", description="Record and compare golden traces.")
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="Write every trace.")
    recorder.add_argument("folder", type=Path)
    recorder.add_argument("--only", default="", help="Only scenarios whose names contain this.")
    recorder.add_argument("--from", type=int, default=1, dest="first", help="The first seed.")
    recorder.add_argument("--seeds", type=int, default=len(SEEDS), help="How many seeds.")
    comparer = commands.add_parser("compare", help="Say where two recordings differ.")
    comparer.add_argument("old", type=Path)
    comparer.add_argument("new", type=Path)
    comparer.add_argument("--renames", type=Path, help="A table of renamings: `old -> new` a line.")
    comparer.add_argument("--lines", type=int, default=SHOWN, help="Lines shown of each difference.")
    arguments = parser.parse_args()
    if arguments.command == "record":
        record(arguments.folder, arguments.only, range(arguments.first, arguments.first + arguments.seeds))
        return 0
    return report(arguments.old, arguments.new, arguments.renames, arguments.lines)


if __name__ == "__main__":
    sys.exit(main())
