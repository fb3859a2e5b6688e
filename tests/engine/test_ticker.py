"""The ticker's threads, and its jobs while the wall clock is set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import get_ident

import pytest
from apscheduler.schedulers import base
from waiting import wait_for

from syncd.engine.runtime.system_clock import SystemClock  # noqa: TID251 - the ticker waits by it
from syncd.engine.runtime.ticker import Ticker

HOUR = 3600.0
FORWARD = timedelta(days=3650)
"""So far that to count the runs of it one by one would never end."""


class SetClock(SystemClock):
    """The wall clock by which APScheduler waits; it can be set."""

    moved = timedelta()

    def now(self) -> datetime:
        return super().now() + self.moved

    def set_by(self, moved: timedelta) -> None:
        self.moved += moved


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    clock = SetClock()

    class Moved(datetime):
        @classmethod
        def now(cls, _zone: object = None) -> datetime:  # type: ignore[override]
            return clock.now()

    monkeypatch.setattr(base, "datetime", Moved)
    return clock


@pytest.fixture
def ticker(wall: SetClock) -> Iterator[Ticker]:
    ticker = Ticker(wall)
    yield ticker
    ticker.stop()


def test_a_job_apart_runs_in_the_same_thread_each_time_and_no_other_job_there(ticker: Ticker) -> None:
    apart, shared = list[int](), list[int]()
    ticker.every(0.01, lambda: apart.append(get_ident()), at_once=True, apart=True)
    ticker.every(0.01, lambda: shared.append(get_ident()), at_once=True)
    ticker.start()
    wait_for(lambda: len(apart) >= 5 and len(shared) >= 5)
    assert len(set(apart)) == 1
    assert set(apart).isdisjoint(shared)


class Job:
    """A job that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1

    def go_on(self) -> None:
        """Wait for runs that began now: one may have been under way, another due."""
        before = self.runs
        wait_for(lambda: self.runs >= before + 4)


def test_a_clock_that_is_set_forward_and_back_between_two_looks_stops_no_job(
    ticker: Ticker, wall: SetClock
) -> None:
    job = Job()
    ticker.every(0.01, job, at_once=True)
    ticker.start()
    ticker.mind_clock()
    job.go_on()
    wall.set_by(timedelta(seconds=HOUR))
    job.go_on()
    wall.set_by(-timedelta(seconds=HOUR))
    ticker.mind_clock()
    job.go_on()


def test_a_job_that_waits_by_a_clock_that_was_wrong_for_a_moment_runs_after_the_next_look(
    ticker: Ticker, wall: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job()
    ticker.every(0.01, job, at_once=True)
    ticker.start()
    job.go_on()
    slept = list[float]()
    process = ticker._scheduler._process_jobs

    def process_once_by_a_wrong_clock() -> float | None:
        seconds: float | None = process()
        if slept or seconds is None:
            return seconds
        slept.append(seconds + HOUR)
        return slept[0]

    monkeypatch.setattr(ticker._scheduler, "_process_jobs", process_once_by_a_wrong_clock)
    wait_for(lambda: slept)
    ticker.mind_clock()
    job.go_on()


@pytest.mark.parametrize("again", [False, True])
def test_a_clock_that_is_set_forward_by_years_counts_no_missed_runs(
    ticker: Ticker, wall: SetClock, again: bool
) -> None:
    job = Job()
    ticker.every(0.01, job, at_once=again)
    ticker.start()
    job.go_on()
    wall.set_by(FORWARD)
    job.go_on()
    wall.set_by(-FORWARD)
    ticker.mind_clock()
    job.go_on()
