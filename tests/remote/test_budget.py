"""The rate budget: what it lets through, what it makes wait, and whom a pause concerns."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Condition, Event, Thread
from typing import Any

import pytest
from loguru import logger

from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.budget import FIRST_PAUSE, PROBE_EVERY, Budget
from syncd.remote.http.lanes import LEFT, SHORT_WAIT, Lane, lane, prepaid, slow_lane, use_prepaid
from syncd.remote.http.places import Rate

from .conftest import StillClock


@pytest.fixture(autouse=True)
def first() -> Iterator[None]:
    """Where a test names no class, it asks as a poll does."""
    with lane(Lane.FIRST, 30.0):
        yield


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The log's lines from INFO on."""
    lines: list[str] = []
    handler = logger.add(lambda line: lines.append(line.rstrip()), format="{message}", level="INFO")
    yield lines
    logger.remove(handler)


@pytest.fixture
def budget(clock: StillClock) -> Budget:
    return Budget(clock)


def times(
    clock: StillClock,
    budget: Budget,
    count: int,
    service: str = "pagerduty",
    which: Lane = Lane.FIRST,
    patience: float = 1000.0,
    **more: Any,
) -> list[float]:
    """When each of `count` requests of a class may leave, in seconds from now."""
    start = clock.boottime()
    moments = []
    with lane(which, patience):
        for _ in range(count):
            budget.take(service, **more)
            moments.append(clock.boottime() - start)
    return moments


def refusal(budget: Budget, which: Lane, service: str = "pagerduty", **more: Any) -> NotDone:
    """The answer to a request of a class that cannot leave soon."""
    with lane(which, SHORT_WAIT), pytest.raises(NotDone) as caught:
        budget.take(service, **more)
    assert caught.value.cause is Cause.LIMITED
    return caught.value


def test_no_minute_of_pagerduty_passes_its_limit_of_960(clock: StillClock, budget: Budget) -> None:
    moments = times(clock, budget, 3000)
    assert max(sum(1 for moment in moments if begin <= moment < begin + 60) for begin in moments) <= 960
    assert moments[-1] == pytest.approx((3000 - 60) / 15, abs=0.2)


def test_jira_takes_fifty_a_second(clock: StillClock, budget: Budget) -> None:
    assert times(clock, budget, 150, "jira")[-1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("service, rate", [("pagerduty", 1.5), ("jira", 5.0)])
def test_the_slow_lane_gets_a_tenth(clock: StillClock, budget: Budget, service: str, rate: float) -> None:
    start = clock.boottime()
    with slow_lane():
        for _ in range(60):
            budget.take(service)
    assert (60 - 6) / rate - 1 < clock.boottime() - start < 60 / rate
    assert times(clock, budget, 20, service)[-1] == 0


@pytest.mark.parametrize("service, burst, rate", [("pagerduty", 60, 15), ("jira", 50, 50)])
def test_each_class_leaves_its_share_to_graver_ones(
    clock: StillClock, budget: Budget, service: str, burst: int, rate: int
) -> None:
    texts = times(clock, budget, burst, service, Lane.TEXT)
    assert sum(1 for moment in texts if moment == 0) == burst * (1 - LEFT[Lane.TEXT])
    assert texts[-1] == pytest.approx(burst * LEFT[Lane.TEXT] / rate, abs=0.01)
    for which, graver in ((Lane.UPDATE, Lane.TEXT), (Lane.CREATE, Lane.UPDATE), (Lane.FIRST, Lane.CREATE)):
        share = round(burst * (LEFT[graver] - LEFT[which]))
        assert set(times(clock, budget, share, service, which)) == {0.0}
    assert times(clock, budget, 1, service)[0] > 0


class SharedClock(StillClock):
    """A clock of several threads: it moves when all of them sleep, to the first one that wakes."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.awake, self.wakes = threads, list[float]()
        self.change = Condition()

    def sleep(self, seconds: float, until: Event) -> bool:
        with self.change:
            wakes = self.boot + seconds
            self.wakes.append(wakes)
            self.awake -= 1
            self._move()
            self.change.wait_for(lambda: self.boot >= wakes)
            self.wakes.remove(wakes)
            self.awake += 1
        return False

    def ends(self) -> None:
        """A thread ends."""
        with self.change:
            self.awake -= 1
            self._move()

    def _move(self) -> None:
        if not self.awake and self.wakes:
            self.advance(max(0.0, min(self.wakes) - self.boot))
            self.change.notify_all()


def left_at(which: Lane, threads: int, each: int) -> list[float]:
    """When the requests of several threads leave after the class's share was used up, in seconds."""
    clock = SharedClock(threads)
    budget, moments = Budget(clock), list[float]()
    with lane(which, 0.0):
        while not budget.wait_for("pagerduty"):
            budget.take("pagerduty")
    start = clock.boot

    def ask() -> None:
        with lane(which, 1000.0):
            for _ in range(each):
                budget.take("pagerduty")
                moments.append(round(clock.boot - start, 3))
        clock.ends()

    asking = [Thread(target=ask) for _ in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    return sorted(moments)


def test_texts_that_wait_leave_together_and_as_many_in_all() -> None:
    moments = left_at(Lane.TEXT, threads=5, each=6)
    assert moments[-1] == pytest.approx(30 / 15, abs=0.01)
    assert len(set(moments)) <= 12
    for count, moment in enumerate(moments, 1):
        assert count <= moment * 15 + 0.1


def test_texts_that_wait_leave_after_a_second_at_most() -> None:
    moments = left_at(Lane.TEXT, threads=40, each=1)
    assert moments[0] <= 1.0
    assert moments[-1] == pytest.approx(40 / 15, abs=0.01)


def test_graver_requests_wait_for_no_company() -> None:
    moments = left_at(Lane.UPDATE, threads=5, each=2)
    assert moments == pytest.approx([number / 15 for number in range(1, 11)], abs=0.01)


def test_a_request_that_waits_holds_no_token(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 300, 50, 960)
    for _ in range(500):
        assert refusal(budget, Lane.TEXT).retry_after == 50
    assert set(times(clock, budget, 60)) == {0.0}


def test_writes_to_one_issue_keep_both_of_jiras_windows(clock: StillClock, budget: Budget) -> None:
    moments = times(clock, budget, 300, "jira", issue="10001")
    for count, seconds in ((20, 2.0), (100, 30.0)):
        assert (
            max(sum(1 for moment in moments if begin <= moment < begin + seconds) for begin in moments)
            <= count
        )
    assert moments[-1] < 70


def test_another_issue_does_not_wait(clock: StillClock, budget: Budget) -> None:
    times(clock, budget, 20, "jira", issue="10001")
    clock.advance(0.5)
    assert times(clock, budget, 1, "jira", issue="10002") == [0.0]
    assert times(clock, budget, 1, "jira", issue="10001") == [pytest.approx(1.5)]


def test_a_pause_holds_the_whole_service_and_no_other(clock: StillClock, budget: Budget) -> None:
    budget.refused("jira", 7)
    assert budget.wait_for("jira") == 7
    assert times(clock, budget, 1, "pagerduty") == [0.0]
    assert times(clock, budget, 1, "jira") == [7.0]
    assert budget.wait_for("jira", endpoint="GET /myself") < 1


def test_a_scoped_pause_holds_only_its_scope(clock: StillClock, budget: Budget) -> None:
    budget.refused("jira", 7, "10001")
    budget.refused("jira", 5, "PUT /issue/{id}")
    assert times(clock, budget, 1, "jira") == [0.0]
    assert times(clock, budget, 1, "jira", endpoint="PUT /issue/{id}") == [5.0]
    assert times(clock, budget, 1, "jira", issue="10001") == [2.0]


def test_a_shorter_pause_does_not_end_a_longer_one(budget: Budget) -> None:
    budget.refused("jira", 9)
    budget.refused("jira", 1)
    assert budget.wait_for("jira") == 9


def test_what_would_wait_too_long_is_not_done_and_takes_nothing(clock: StillClock, budget: Budget) -> None:
    budget.refused("jira", 40)
    for _ in range(200):
        assert refusal(budget, Lane.FIRST, "jira").retry_after == 40
    clock.advance(40)
    assert times(clock, budget, 1, "jira") == [0.0]


def test_a_stop_ends_the_wait_and_takes_nothing(clock: StillClock) -> None:
    stop = Event()
    stop.set()
    budget = Budget(clock, stop=stop)
    budget.refused("jira", 5)
    for _ in range(60):
        with pytest.raises(NotDone):
            budget.take("jira")
    clock.advance(5)
    assert times(clock, budget, 1, "jira") == [0.0]


def test_a_pause_that_begins_during_the_wait_is_kept(clock: StillClock) -> None:
    class Pausing(StillClock):
        def sleep(self, seconds: float, until: Event) -> bool:
            if not self.slept:
                budget.refused("jira", 4)
            return super().sleep(seconds, until)

    pausing = Pausing()
    budget = Budget(pausing, {"jira": Rate(1, 1)})
    assert times(pausing, budget, 2, "jira") == [0.0, 4.0]


def test_each_class_leaves_its_share_of_pagerdutys_window(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 193, 40, 960)
    assert refusal(budget, Lane.TEXT).retry_after == 40
    assert times(clock, budget, 1, which=Lane.UPDATE) == [0.0]
    assert refusal(budget, Lane.UPDATE).retry_after == 40
    assert times(clock, budget, 1, which=Lane.CREATE) == [0.0]
    clock.advance(40)
    assert times(clock, budget, 1, which=Lane.TEXT) == [0.0]


def test_parallel_answers_about_one_window_count_once(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 3, 40, 960)
    budget.learn("pagerduty", 5, 40, 960)
    assert times(clock, budget, 4) == [0.0, 0.0, 0.0, 40.0]


def test_plenty_left_changes_nothing(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 900, 59, 960)
    assert times(clock, budget, 60)[-1] == 0


@pytest.mark.parametrize("reset", [3600.0, 1e300])
def test_no_window_is_longer_than_a_minute(clock: StillClock, budget: Budget, reset: float) -> None:
    budget.learn("pagerduty", 0, reset, 960)
    assert times(clock, budget, 1) == [60.0]


def test_a_window_without_a_size_has_the_size_of_our_own_minute(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 300, 12)
    assert refusal(budget, Lane.TEXT).retry_after == 12


def test_the_rate_that_jira_tells_is_kept(clock: StillClock, budget: Budget) -> None:
    budget.learn_rate("jira", Rate(5, 5))
    assert times(clock, budget, 30, "jira")[-1] == pytest.approx(5.0, abs=0.1)
    budget.learn_rate("jira", Rate(5000, 5000))
    clock.advance(10)
    assert times(clock, budget, 150, "jira")[-1] == pytest.approx(2.0, abs=0.1)


def test_a_429_without_a_time_doubles_the_pause_up_to_a_minute(clock: StillClock, budget: Budget) -> None:
    pauses = []
    for _ in range(6):
        budget.refused("jira", None)
        # answers to requests that left before the pause began
        budget.refused("jira", None)
        pauses += times(clock, budget, 1, "jira")
    assert pauses == [FIRST_PAUSE, 10, 20, 40, 60, 60]
    budget.answered("jira")
    budget.refused("jira", None)
    assert budget.wait_for("jira") == FIRST_PAUSE


def test_a_429_that_names_no_second_does_not_become_a_loop(clock: StillClock, budget: Budget) -> None:
    budget.refused("jira", 0.0)
    assert times(clock, budget, 1, "jira") == [0.0]
    budget.refused("jira", 0.0)
    assert times(clock, budget, 1, "jira") == [10.0]


@pytest.mark.parametrize("told", [3600.0, 31_536_000.0, float("inf")])
def test_a_long_pause_is_asked_about_once_a_minute(clock: StillClock, budget: Budget, told: float) -> None:
    budget.refused("jira", told)
    assert refusal(budget, Lane.UPDATE, "jira").retry_after == PROBE_EVERY
    assert times(clock, budget, 1, "jira") == [60.0]
    # that poll is refused as well
    budget.refused("jira", told)
    assert refusal(budget, Lane.UPDATE, "jira").retry_after == PROBE_EVERY
    assert refusal(budget, Lane.FIRST, "jira").retry_after == PROBE_EVERY
    clock.advance(60)
    refusal(budget, Lane.UPDATE, "jira")
    assert times(clock, budget, 1, "jira") == [0.0]
    assert refusal(budget, Lane.FIRST, "jira").retry_after == PROBE_EVERY
    budget.answered("jira")
    assert times(clock, budget, 1, "jira", patience=SHORT_WAIT)[-1] < 1
    assert times(clock, budget, 20, "jira", Lane.TEXT, SHORT_WAIT)[-1] < 1


def test_after_a_pause_the_poll_that_was_refused_goes_first(clock: StillClock, budget: Budget) -> None:
    budget.learn("pagerduty", 0, 20, 960)
    refusal(budget, Lane.FIRST)
    clock.advance(30)
    refusal(budget, Lane.CREATE)
    assert times(clock, budget, 1) == [0.0]
    assert times(clock, budget, 1, which=Lane.TEXT) == [0.0]


def test_a_limit_of_more_than_a_minute_is_logged_once_and_shown(
    clock: StillClock, budget: Budget, log: list[str]
) -> None:
    budget.refused("jira", 30)
    assert (log, budget.lasting()) == ([], [])
    clock.advance(30)
    budget.answered("jira")
    budget.refused("jira", 600, "PUT /issue/{id}")
    budget.refused("jira", 600, "PUT /issue/{id}")
    words = (
        "Jira limits requests like PUT /issue/{id} since 09:00:30 UTC, until 09:10:30 UTC;"
        " syncd asks once a minute if that still holds"
    )
    assert (log, budget.lasting()) == ([words], [words])
    clock.advance(600)
    budget.answered("jira", endpoint="GET /myself")
    assert budget.lasting() == [words]
    budget.answered("jira", endpoint="PUT /issue/{id}")
    assert budget.lasting() == []
    assert log[1:] == ["Jira no longer limits requests like PUT /issue/{id}; it did since 09:00:30 UTC"]


def test_refusals_that_add_up_to_more_than_a_minute_are_logged_once(
    clock: StillClock, budget: Budget, log: list[str]
) -> None:
    for _ in range(8):
        budget.refused("pagerduty", None)
        times(clock, budget, 1)
    assert [line.partition(",")[0] for line in log] == [
        "PagerDuty limits our requests since 09:00:00 UTC",
    ]


def test_a_limit_that_nobody_asks_about_any_more_is_over(
    clock: StillClock, budget: Budget, log: list[str]
) -> None:
    budget.refused("jira", 90, "10001")
    clock.advance(90 + 301)
    assert budget.lasting() == []
    assert log[-1].startswith("Jira no longer limits writes to issue 10001")


def test_prepaid_lets_one_request_through() -> None:
    assert use_prepaid() is False
    with prepaid():
        assert (use_prepaid(), use_prepaid()) == (True, False)
    assert use_prepaid() is False


def test_quiet_issues_are_forgotten(clock: StillClock, budget: Budget) -> None:
    for number in range(1500):
        clock.advance(1)
        budget.take("jira", issue=str(number))
    assert len(budget._issues) <= 1001
