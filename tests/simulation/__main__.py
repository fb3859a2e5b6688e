"""Plays seeds, prints the figures, and ends with 1 and the story of a seed that failed.

By hand: `make simulate SEEDS=500 SEED=1`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from loguru import logger

from simulation.ending import Ending
from simulation.judge import Judge, compare
from simulation.mutations import MUTATIONS
from simulation.people import papers
from simulation.plan import Plan, make_plan
from simulation.play import played
from syncd.sandbox.cast import START


@dataclass
class Total:
    """The figures of all seeds."""

    seeds: int = 0
    incidents: int = 0
    texts: int = 0
    papers: int = 0
    items: int = 0
    requests: int = 0
    faults: int = 0
    crashes: int = 0
    duplicates: int = 0
    losses: int = 0
    others: int = 0
    convergence: list[float] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)

    def add(self, ending: Ending, judge: Judge, twin: list[str]) -> None:
        """Count one ending."""
        self.seeds += 1
        self.incidents += len(ending.people.ids)
        self.texts += len(ending.people.notes) + len(ending.people.comments)
        self.papers += sum(len(papers(ending.world, incident)) for incident in ending.people.ids.values())
        self.items += len(ending.people.items)
        struck = [line.fault for line in ending.world.journal.lines() if line.fault]
        self.requests += ending.world.journal.total()
        self.faults += len(struck)
        self.ways.update(struck)
        self.crashes += ending.crashes
        self.duplicates += len(judge.duplicates)
        self.losses += len(judge.losses)
        self.others += len(judge.others) + len(twin)
        self.convergence.append(ending.convergence)


def judged(seed: int, total: Total, mutation: str, *, twin: bool) -> list[str]:
    """Play a seed, count it, and return its complaints."""
    plan = make_plan(seed)
    with MUTATIONS[mutation](), played(plan) as ending:
        judge = Judge(ending)
        complaints = judge.complaints
        differing: list[str] = []
        # Only a seed without complaints is worth a second play without faults.
        if twin and not plan.dry and not complaints:
            with played(plan.without_faults()) as calm:
                differing = compare(ending, calm)
                differing += [f"without faults: {complaint}" for complaint in Judge(calm).complaints]
        total.add(ending, judge, differing)
        complaints += differing
        if complaints:
            total.failed.append(seed)
            tell(plan, ending, complaints)
    return complaints


def tell(plan: Plan, ending: Ending, complaints: list[str]) -> None:
    """Print the story of a failed seed: the plan, all acts, writes and faults in order, the complaints."""
    write = sys.stderr.write
    write(f"\nseed {plan.seed}: search lag {plan.search_lag:.0f} s, fetch lag {plan.fetch_lag:.0f} s, ")
    write(f"cycle {plan.poll:.0f} s, crashes {plan.crashes}, clock steps {plan.steps},")
    write(f" calm at {plan.calm:.0f} s\n")
    for window in plan.windows:
        where = f"{window.service or 'both'} {window.path or ''}"
        write(
            f"  {window.begin:7.1f}-{window.end:.1f} {window.strike} at {where} ({window.probability:.0%})\n"
        )
    lines = [(act.at, f"people: {act.kind} {act.incident} {act.arguments or ''}") for act in plan.acts]
    writes = set(map(id, ending.world.journal.writes()))
    for line in ending.world.journal.lines():
        if id(line) in writes or line.fault:
            at = (line.ended - START).total_seconds()
            lines.append((at, f"{line.service}: {line.method} {line.path} {line.status} {line.fault or ''}"))
    for at, words in sorted(lines, key=lambda line: line[0]):
        write(f"  {at:7.1f} {words}\n")
    for complaint in complaints:
        write(f"  !! {complaint}\n")


def report(total: Total) -> str:
    """Return the figures as text."""
    worst = max(total.convergence, default=0.0)
    middle = median(total.convergence) if total.convergence else 0.0
    ways = ", ".join(f"{way} {number}" for way, number in total.ways.most_common())
    return (
        f"{total.seeds} seeds, {total.incidents} incidents, {total.texts} notes and comments of people,"
        f" {total.papers} postmortems, {total.items} action items of people,"
        f" {total.requests} requests, {total.faults} of them struck, {total.crashes} crashes\n"
        f"duplicates {total.duplicates}, losses {total.losses}, other broken promises {total.others}\n"
        f"from the end of the faults to the last write: median {middle:.0f} s, worst {worst:.0f} s\n"
        f"struck by: {ways or 'nothing'}\n"
    )


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so many seconds (0: never)")
    parser.add_argument("--twin-every", type=int, default=4, help="0: never play a history without faults")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), default="none")
    parser.add_argument("--all", action="store_true", help="go on after a failing seed")
    arguments = parser.parse_args()
    logger.remove()
    total, began = Total(), time.monotonic()
    for seed in range(arguments.start, arguments.start + arguments.seeds):
        twin = bool(arguments.twin_every) and seed % arguments.twin_every == 0
        if judged(seed, total, arguments.mutation, twin=twin) and not arguments.all:
            break
        if arguments.seconds and time.monotonic() - began > arguments.seconds:
            break
    seconds = time.monotonic() - began
    sys.stdout.write(f"seeds from {arguments.start}: {report(total)}")
    sys.stdout.write(f"{seconds:.1f} s, {total.seeds / max(seconds, 0.001):.1f} seeds a second\n")
    if total.failed:
        again = f"make simulate SEEDS=1 SEED={total.failed[0]}"
        sys.stdout.write(f"failed: {total.failed}; again: {again}\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
