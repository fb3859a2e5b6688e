"""The rate budget: what it lets through, what it makes wait, and whom a pause concerns."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.budget import (
    LEFT_BY_COMMENTS,
    LEFT_BY_UPDATES,
    UNNAMED_PAUSE,
    Budget,
    Rate,
    prepaid,
    slow_lane,
    use_prepaid,
)

from .conftest import StillClock


@pytest.fixture
def budget(clock: StillClock) -> Budget:
    return Budget(clock)


def times(
    clock: StillClock, budget: Budget, count: int, service: str = "pagerduty", **more: Any
) -> list[float]:
    """When each of `count` requests may leave, in seconds from now."""
    start = clock.boottime()
    moments = []
    for _ in range(count):
        budget.take(service, **more)
        moments.append(clock.boottime() - start)
    return moments


def test_no_minute_of_pagerduty_passes_its_limit_of_960(clock: StillClock, budget: Budget) -> None:
    moments = times(clock, budget, 3000)
    assert max(sum(1 for one in moments if begin <= one < begin + 60) for begin in moments) <= 960
    assert moments[-1] == pytest.approx((3000 - 60) / 15, abs=0.2)


def test_jira_takes_fifty_a_second(clock: StillClock, budget: Budget) -> None:
    assert times(clock, budget, 150, "jira")[-1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("service, rate", [("pagerduty", 1.5), ("jira", 5.0)])
def test_the_slow_lane_gets_a_tenth(clock: StillClock, budget: Budget, service: str, rate: float) -> None:
    with slow_lane():
        slow = times(clock, budget, 60, service)
    assert (60 - 6) / rate - 1 < slow[-1] < 60 / rate
    assert times(clock, budget, 20, service)[-1] == 0


@pytest.mark.parametrize("service, burst, rate", [("pagerduty", 60, 15), ("jira", 50, 50)])
def test_near_the_end_of_a_budget_creates_go_before_updates_before_comments(
    clock: StillClock, budget: Budget, service: str, burst: int, rate: int
) -> None:
    comments = times(clock, budget, burst, service, leave=LEFT_BY_COMMENTS)
    assert sum(1 for moment in comments if moment == 0) == burst * (1 - LEFT_BY_COMMENTS)
    assert comments[-1] == pytest.approx(burst * LEFT_BY_COMMENTS / rate)
    assert set(times(clock, budget, int(burst * 0.2), service, leave=LEFT_BY_UPDATES)) == {0.0}
    assert set(times(clock, budget, int(burst * 0.2), service)) == {0.0}
    assert times(clock, budget, 1, service)[0] > 0


def test_writes_to_one_issue_keep_both_of_jiras_windows(clock: StillClock, budget: Budget) -> None:
    moments = times(clock, budget, 300, "jira", issue="10001")
    for count, seconds in ((20, 2.0), (100, 30.0)):
        assert max(sum(1 for one in moments if begin <= one < begin + seconds) for begin in moments) <= count
    assert moments[-1] < 70


def test_another_issue_does_not_wait(clock: StillClock, budget: Budget) -> None:
    times(clock, budget, 20, "jira", issue="10001")
    clock.advance(0.5)
    assert times(clock, budget, 1, "jira", issue="10002") == [0.0]
    assert times(clock, budget, 1, "jira", issue="10001") == [pytest.approx(1.5)]


def test_a_pause_holds_the_whole_service_and_no_other(clock: StillClock, budget: Budget) -> None:
    budget.pause("jira", 7)
    assert budget.paused_for("jira") == 7
    assert times(clock, budget, 1, "pagerduty") == [0.0]
    assert times(clock, budget, 1, "jira") == [7.0]
    assert budget.paused_for("jira") == 0


def test_a_scoped_pause_holds_only_its_scope(clock: StillClock, budget: Budget) -> None:
    budget.pause("jira", 7, "10001")
    budget.pause("jira", 5, "PUT /issue/{id}")
    assert times(clock, budget, 1, "jira") == [0.0]
    assert times(clock, budget, 1, "jira", endpoint="PUT /issue/{id}") == [5.0]
    assert times(clock, budget, 1, "jira", issue="10001") == [2.0]


def test_a_shorter_pause_does_not_end_a_longer_one(budget: Budget) -> None:
    budget.pause("jira", 9)
    budget.pause("jira", 1)
    assert budget.paused_for("jira") == 9


def test_what_would_wait_too_long_is_not_done_and_takes_nothing(clock: StillClock, budget: Budget) -> None:
    budget.pause("jira", 100)
    for _ in range(200):
        with pytest.raises(NotDone) as caught:
            budget.take("jira")
    assert caught.value.cause is Cause.LIMITED
    assert caught.value.retry_after == 100
    clock.advance(100)
    assert times(clock, budget, 1, "jira") == [0.0]


def test_a_stop_ends_the_wait_and_takes_nothing(clock: StillClock) -> None:
    stop = Event()
    stop.set()
    budget = Budget(clock, stop=stop)
    budget.pause("jira", 5)
    for _ in range(60):
        with pytest.raises(NotDone):
            budget.take("jira")
    clock.advance(5)
    assert times(clock, budget, 1, "jira") == [0.0]


def test_a_pause_that_begins_during_the_wait_is_kept(clock: StillClock) -> None:
    class Pausing(StillClock):
        def sleep(self, seconds: float, until: Event) -> bool:
            if not self.slept:
                budget.pause("jira", 4)
            return super().sleep(seconds, until)

    pausing = Pausing()
    budget = Budget(pausing, {"jira": Rate(1, 1)})
    assert times(pausing, budget, 2, "jira") == [0.0, 4.0]


def test_what_pagerduty_says_is_left_slows_us(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 20, 40)
    moments = times(clock, budget, 40)
    assert sum(1 for one in moments if one < 39) <= 40
    assert moments[20] > 0
    assert moments[39] == pytest.approx(40, abs=2)


def test_plenty_left_changes_nothing(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 900, 59)
    assert times(clock, budget, 60)[-1] == 0


def test_nothing_left_pauses_until_the_reset(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 0, 12)
    assert times(clock, budget, 1) == [12.0]


def test_prepaid_lets_one_request_through() -> None:
    assert use_prepaid() is False
    with prepaid():
        assert (use_prepaid(), use_prepaid()) == (True, False)
    assert use_prepaid() is False


def test_a_pause_without_a_time_is_short() -> None:
    assert 0 < UNNAMED_PAUSE <= 10


def test_quiet_issues_are_forgotten(clock: StillClock, budget: Budget) -> None:
    for number in range(1500):
        clock.advance(1)
        budget.take("jira", issue=str(number))
    assert len(budget._issues) <= 1001
