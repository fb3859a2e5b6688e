"""Run jobs at fixed intervals, whatever happens to the system's wall clock.

APScheduler computes the next run of a job by wall time: without help, a clock that is set back by an hour
would stop all jobs for that hour. `mind_clock` compares wall time with boot time; when they part, it runs all
jobs at once and arms them anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from syncd.domain.clock import Clock
from syncd.engine.runtime.clock_jumps import ClockJumps

_SHARED, _APART = "default", "apart"
"""The names of APScheduler's executors; it wants a default one."""


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
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._jumps = ClockJumps(clock)
        # APScheduler warns about each run that is longer than its interval; only errors are news
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def every(
        self, seconds: float, job: Callable[[], object], *, at_once: bool = False, apart: bool = False
    ) -> None:
        """Run a job every `seconds`; `at_once`: for the first time when the ticker starts."""
        first = {"next_run_time": self._clock.now()} if at_once else {}
        where = _APART if apart else _SHARED
        self._scheduler.add_job(job, "interval", seconds=seconds, executor=where, **first)

    def start(self) -> None:
        """Start to run the jobs."""
        self._scheduler.start()

    def mind_clock(self) -> None:
        """Run all jobs now, and at their intervals from now on, if the wall clock was set."""
        if not self._jumps.latest() or not self._scheduler.running:
            return
        now = self._clock.now()
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def stop(self) -> None:
        """Start nothing new and wait for the running jobs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
