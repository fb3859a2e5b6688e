"""`make standby-simulated`: plays seeds for two daemons until so many strikes were made, and judges each.

It prints the figures as one JSON line, and the strikes and complaints of each seed that failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from unittest.mock import patch

from cheap_ledgers import memory
from loguru import logger
from postgresql import Cluster, shared_cluster
from simulation.judge import Judge
from simulation.mutations import as_it_is, settles_at_once

from standby.simulated import played_by_two
from standby.strikes import EVERYTHING, LONG_STOPS
from syncd.ledger.database.leadership import Leadership


@contextmanager
def sends_unchecked() -> Iterator[None]:
    """Let each write leave, whoever leads by now."""
    with patch.object(Leadership, "why_not_send", lambda *_: None):
        yield


MUTATIONS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "none": as_it_is,
    "sends_unchecked": sends_unchecked,
    "settles_at_once": settles_at_once,
}
"""Daemons that are built wrong; the proof must catch each of them."""


@dataclass
class Total:
    """The figures of all seeds; `strikes` counts them by kind and point."""

    seeds: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    incidents: int = 0
    letters: int = 0
    duplicates: int = 0
    losses: int = 0
    others: int = 0
    failed: list[int] = field(default_factory=list)

    @property
    def made(self) -> int:
        """How many strikes were made."""
        return self.strikes.total()


def judged(
    seed: int,
    cluster: Cluster,
    total: Total,
    mutation: str = "none",
    among: tuple[tuple[str, ...], tuple[str, ...]] = EVERYTHING,
) -> list[str]:
    """Play a seed, count it, and return its complaints; a failing one is told on standard error."""
    with MUTATIONS[mutation](), played_by_two(seed, cluster, among) as (ending, made):
        judge = Judge(ending)
        total.seeds += 1
        total.strikes.update(f"{hit.kind}, {hit.point}" for hit in made)
        total.starts += ending.starts
        total.incidents += len(ending.people.ids)
        total.letters += len(ending.letters)
        total.duplicates += len(judge.duplicates)
        total.losses += len(judge.losses)
        total.others += len(judge.others)
        complaints = judge.complaints
    if complaints:
        total.failed.append(seed)
        sys.stderr.write(f"seed {seed}:\n")
        sys.stderr.writelines(f"  {hit}\n" for hit in made)
        sys.stderr.writelines(f"  !! {complaint}\n" for complaint in complaints)
    return complaints


def main() -> int:
    """Run the command line of the proof and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m standby.simulate", description=__doc__)
    parser.add_argument("--strikes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seconds", type=float, default=0.0, help="no seed after so many (0: no limit)")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), default="none")
    parser.add_argument("--long-stops", action="store_true", help="only stop leaders, for long")
    asked = parser.parse_args()
    logger.remove()
    total, began, seed = Total(), time.monotonic(), asked.seed
    with shared_cluster(Path(memory() or gettempdir()) / f"syncd-simulated-{os.getpid()}") as cluster:
        while total.made < asked.strikes and not 0 < asked.seconds < time.monotonic() - began:
            judged(seed, cluster, total, asked.mutation, LONG_STOPS if asked.long_stops else EVERYTHING)
            seed += 1
    seconds = round(time.monotonic() - began, 1)
    whole = {**vars(total), "made": total.made, "seconds": seconds, "clean": not total.failed}
    sys.stdout.write(json.dumps(whole) + "\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
