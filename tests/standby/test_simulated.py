"""Two daemons under the simulation's clock: a small part of `make standby-simulated`."""

from __future__ import annotations

import pytest
from postgresql import WHY_SKIPPED, Cluster, programs

from standby.simulate import Total, judged
from standby.strikes import LONG_STOPS

pytestmark = pytest.mark.skipif(programs() is None, reason=WHY_SKIPPED)


def test_strikes_against_the_leader_double_nothing_and_lose_nothing(cluster: Cluster) -> None:
    total = Total()
    # a seed with many strikes that takes little time
    assert judged(213, cluster, total) == []
    assert {strike.split(",")[0] for strike in total.strikes} == {"kill", "stop", "cut", "database", "end"}


def test_a_leader_that_sends_without_its_last_check_is_caught(cluster: Cluster) -> None:
    complaints = judged(21, cluster, Total(), "sends_unchecked", LONG_STOPS)
    assert any(complaint.startswith("duplicate: 2 tickets") for complaint in complaints)
