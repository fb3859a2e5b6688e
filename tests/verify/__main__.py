"""Judge seeded histories by both judges, print the differences, and end with 1 if there are any.

By hand: `make simulate-verdicts SEEDS=2000`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from syncd.verify.judge import judge
from verify.compare import differences
from verify.histories import history

SHOWN = 40
"""How many differences are printed."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--start", type=int, default=1)
    given = parser.parse_args()
    seen: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    duties, shown = 0, 0
    for seed in range(given.start, given.start + given.seeds):
        played = history(seed)
        seen += played.seen
        duties += len(judge(played.facts, played.people, played.decisions, played.end))
        for difference in differences(played):
            kinds[difference.kind] += 1
            if shown < SHOWN:
                say(f"seed {seed}: {difference}")
                shown += 1
    say(f"{given.seeds} histories, {duties} duties, {sum(kinds.values())} differences {dict(kinds)}")
    say(", ".join(f"{count} {name}" for name, count in sorted(seen.items())))
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
