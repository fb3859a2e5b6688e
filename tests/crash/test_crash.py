"""A small crash proof: some kills in CI, and the proof that the proof can fail.

The long run is `make crash KILLS=10000`. Both run in a process of their own, because the worker is forked
from a parent without threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from postgresql import WHY_SKIPPED, programs
from turns import turn

KILLS, SEEDS = 12, 4
"""So many kills of one seed make a run, those of another seed after each change of the code."""
ROOT = Path(__file__).parents[2]
CODE = """
import json, sys
from dataclasses import asdict
from crash.proof import prove, warm_up
warm_up()
json.dump([asdict(prove(**case)) for case in json.loads(sys.argv[1])], sys.stdout)
"""


def prove(*cases: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the report of each case, all proved by one process."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(cases)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout, done.stderr
    reports: list[dict[str, Any]] = json.loads(done.stdout)
    return reports


def stands(report: dict[str, Any]) -> None:
    assert report["duplicates"] == []
    assert report["losses"] == []
    assert report["late_writes"] == []
    assert report["audit"] == "whole"


@pytest.mark.timeout(300)
def test_kills_at_any_step_and_copies_that_come_back_leave_no_duplicate_and_no_loss() -> None:
    (report,) = prove({"kills": KILLS, "seed": 1 + turn(SEEDS)})
    assert report["kills"] == KILLS
    assert report["incidents"] >= KILLS
    stands(report)


@pytest.mark.skipif(programs() is None, reason=WHY_SKIPPED)
@pytest.mark.timeout(300)
def test_kills_leave_no_duplicate_and_no_loss_in_a_ledger_on_a_server() -> None:
    (report,) = prove({"kills": 3, "seed": 2, "on_server": True})
    assert report["kills"] == 3
    stands(report)


SOME = {"aimed": True, "seed": 1, "kills": 6, "mishaps": False}
"""Kills right after writing requests: there a worker that is built wrong is caught soonest."""
LONG_LAG = SOME | {"settle": 120.0}
"""A settle time that is shorter than the lag of the index."""
AT_MOST = {"kills": 150}
"""A worker that is built wrong is killed until its first duplicate; the code decides how soon that comes."""
WRONG = {
    "intent_after": SOME | AT_MOST,
    "no_probe": SOME | AT_MOST | {"settle": 60.0},
    "probe_without_base": SOME | AT_MOST,
    "labels_as_marks": LONG_LAG | AT_MOST,
}


@pytest.mark.timeout(300)
def test_the_proof_fails_for_workers_that_are_built_wrong_and_holds_for_the_one_that_is_not() -> None:
    cases = ({"mutation": name, "only_a_duplicate": True, **case} for name, case in WRONG.items())
    whole, *wrong = prove(LONG_LAG, *cases)
    assert whole["kills"] == LONG_LAG["kills"]
    stands(whole)
    assert [name for name, report in zip(WRONG, wrong, strict=True) if not report["duplicates"]] == []
