"""How fast the command line answers: `syncd --help` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.figure import Figure

ROUNDS = 10


def measure() -> list[Figure]:
    """Return the best of ten starts: the time without disturbance by other processes."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "from syncd.cli import main; main()", "--help"],
            capture_output=True,
            check=True,
        )
        took.append(time.perf_counter() - began)
    return [Figure("syncd --help: the best of ten starts", round(min(took) * 1000), "ms", 300)]
