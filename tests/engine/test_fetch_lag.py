"""The settle time follows from how soon bulk fetch shows what was made, and `status` says which holds."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.test_faults import creates
from syncd.engine.runtime.read_lag import FetchLag
from syncd.ledger.views.status_and_show import status_data
from syncd.sandbox import faults


@pytest.fixture
def measuring(make_rig: Any) -> Rig:
    made: Rig = make_rig(settle_seconds=None, limits=False)
    made.cycle()
    return made


def notes(rig: Rig) -> str:
    with rig.ledger.db.read() as session:
        return " ".join(status_data(session)["notes"])


def make(rig: Rig, number: int, *, lag: float = 0.0) -> None:
    """Incidents, a handful at a time so that each ticket is made singly; the daemon ticks meanwhile."""
    rig.world.jira.site.options.fetch_lag = lag
    for start in range(0, number, 5):
        for one in range(start, min(start + 5, number)):
            made = rig.world.pagerduty.trigger("Alipay Integration", f"Trouble {one}", priority="P4")
            rig.world.pagerduty.resolve(made.id, "Amara Osei")
        rig.cycle()
        for _ in range(8):
            rig.engine.tick()
            rig.world.advance(1)


def history(rig: Rig, number: int) -> None:
    """So many creates of earlier days that showed at once."""
    ids = [f"earlier-{one}" for one in range(number)]
    rig.desk.fetch_lag.made(ids)
    rig.desk.fetch_lag.looked(ids, ids, rig.clock.boottime())


def test_after_a_hundred_creates_that_showed_at_once_an_unknown_outcome_settles_in_two_minutes(
    measuring: Rig,
) -> None:
    history(measuring, 97)
    make(measuring, 2)
    assert measuring.desk.fetch_lag.settle_seconds() == 600
    make(measuring, 1)
    measuring.settle(2)
    assert measuring.desk.fetch_lag.settle_seconds() == 120
    assert "settled after 120 s" in notes(measuring)
    measuring.restart()
    assert measuring.desk.fetch_lag.settle_seconds() == 120
    measuring.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    measuring.world.pagerduty.trigger("Alipay Integration", "Latency")
    measuring.cycle()
    sent = creates(measuring)
    measuring.settle(3)
    assert creates(measuring) == sent
    measuring.settle(3)
    assert creates(measuring) == sent + 1


def test_one_create_that_showed_late_brings_the_long_settle_time_back(measuring: Rig) -> None:
    history(measuring, 110)
    assert measuring.desk.fetch_lag.settle_seconds() == 120
    make(measuring, 1, lag=30)
    measuring.settle(2)
    assert measuring.desk.fetch_lag.settle_seconds() == 600
    assert "showed 99 within 5 s" in notes(measuring)


def test_what_was_made_singly_is_measured_with_one_request_a_second_for_all(measuring: Rig) -> None:
    make(measuring, 5)
    asked = measuring.world.journal.total("jira")
    for _ in range(10):
        measuring.engine.tick()
        measuring.world.advance(1)
    assert measuring.world.journal.total("jira") == asked


def test_a_batch_is_measured_by_its_own_reading_back(measuring: Rig) -> None:
    for number in range(30):
        measuring.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P4")
    measuring.cycle()
    assert "of the last" in measuring.desk.fetch_lag.said()
    assert measuring.desk.fetch_lag.to_look_for() == []
    assert "showed 30" in measuring.desk.fetch_lag.said()


def test_a_settle_time_that_is_set_holds_and_nothing_is_measured(house: Rig) -> None:
    lag = FetchLag(house.ledger, house.clock, 45.0)
    lag.made(["1"])
    assert lag.to_look_for() == []
    assert lag.settle_seconds() == 45
    assert "SYNCD_SETTLE_SECONDS" in lag.said()
