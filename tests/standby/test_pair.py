"""Two real daemons on one ledger: a small part of `make standby`, of which this run plays one history."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest
from crash.proof import History, Report, judge
from crash.world import start_sandbox
from postgresql import WHY_SKIPPED, Cluster, programs

from standby.pair import Pair, wait


@pytest.mark.skipif(programs() is None, reason=WHY_SKIPPED)
def test_the_standby_leads_when_the_leader_is_killed_and_makes_nothing_twice(
    tmp_path: Path, cluster: Cluster
) -> None:
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0, running=True)
    pair = Pair(tmp_path, sandbox, cluster)
    try:
        leader = pair.both_up()
        assert pair.other(leader).asked("/healthz") == 200
        history = History(sandbox, Random(1))
        history.go_on()
        leader.signal(signal.SIGKILL)
        history.go_on()
        pair.until_led(but=leader)

        def report() -> Report:
            report = Report(audit="whole")
            judge(sandbox.read("state"), history, report)
            return report

        wait(lambda: not report().losses, "the new leader did not catch up")
        assert report().duplicates == []
    finally:
        pair.close()
        sandbox.stop()
        cluster.drop(pair.database)
