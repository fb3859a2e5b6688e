"""Run jobs at fixed intervals, whatever happens to the system's wall clock.

APScheduler computes the next run of a job by wall time. A clock that is set back by an hour would stop all
jobs for that hour, so `mind_clock` runs those that would wait longer than their interval. After a clock is
set forward by three days, APScheduler would count each missed run of these days, so a trigger skips them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from syncd.domain.clock import Clock

_SHARED, _APART = "default", "apart"
"""The names of APScheduler's executors; it wants a default one."""


class _Interval(IntervalTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Fires at intervals; what was missed fires once, and the intervals begin anew."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the next time after `now`."""
        following: datetime = super().get_next_fire_time(previous, now)
        # APScheduler asks for one run after the other until it reaches `now`: for days this takes seconds
        return following if following > now else now + self.interval


class Ticker:
    """A scheduler of jobs; each job runs once at a time, in a thread of the scheduler's pool.

    One job may have a thread `apart`: it keeps that thread's connections to the services, which the services
    close if the pool's threads use them by turns.
    """

    def __init__(self, clock: Clock) -> None:
        """Take the system's own clock: APScheduler waits by it, also when a test injects another one."""
        self._clock = clock
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={_SHARED: ThreadPoolExecutor(10), _APART: ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "max_instances": 1},
        )
        # APScheduler warns about each run that is longer than its interval; only errors are news
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def every(
        self, seconds: float, job: Callable[[], object], *, at_once: bool = False, apart: bool = False
    ) -> None:
        """Run a job every `seconds`; `at_once`: for the first time when the ticker starts."""
        first = {"next_run_time": self._clock.now()} if at_once else {}
        where = _APART if apart else _SHARED
        self._scheduler.add_job(job, _Interval(seconds=seconds, timezone="UTC"), executor=where, **first)

    def start(self) -> None:
        """Start to run the jobs."""
        self._scheduler.start()

    def mind_clock(self) -> None:
        """Run the jobs now that would wait longer than their interval because the wall clock was set back.

        This compares no earlier time: a clock that is set forward and back between two calls leaves no trace.
        """
        if not self._scheduler.running:
            return
        for job in self._scheduler.get_jobs():
            if job.next_run_time - self._clock.now() > job.trigger.interval:
                job.modify(next_run_time=self._clock.now())
        # it may have computed its sleep while the clock was set back for a moment
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Start nothing new and wait for the running jobs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
