"""The crash proof in small: some kills in CI, and the proof that the proof can fail.

The long run is `make crash KILLS=10000`. It is a process of its own, because the worker is forked from a
parent without threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def prove(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "crash.proof", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.timeout(300)
def test_fifty_kills_leave_no_duplicate_and_no_loss() -> None:
    report = prove("--kills", "50", "--seed", "1")
    assert report["kills"] == 50
    assert report["incidents"] >= 50
    assert report["duplicates"] == []
    assert report["losses"] == []
    assert report["late_writes"] == []
    assert report["audit"] == "whole"


SOME = ("--aimed", "--seed", "1", "--kills", "12")
"""Kills right after requests that write, where a worker that is built wrong shows it soonest."""
SHORT = ("--settle", "120")
"""Seconds of settling that are shorter than the index lags."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mutation", "arguments"),
    [
        ("intent_after", SOME),
        ("no_probe", (*SOME, "--settle", "60")),
        ("probe_without_base", ("--aimed", "--seed", "1", "--kills", "25")),
        ("labels_as_marks", (*SOME, *SHORT)),
    ],
)
def test_the_proof_fails_for_a_worker_that_is_built_wrong(mutation: str, arguments: tuple[str, ...]) -> None:
    assert prove(*arguments, "--mutation", mutation)["duplicates"]


@pytest.mark.timeout(300)
def test_the_worker_as_it_is_stands_even_where_the_index_lags_longer_than_the_settle_time() -> None:
    report = prove(*SOME, *SHORT)
    assert report["clean"]
    assert report["kills"] == 12
