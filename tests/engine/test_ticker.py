"""The ticker's threads: a job apart keeps its thread, and with it its connections to the services."""

from __future__ import annotations

from threading import get_ident

from waiting import wait_for

from syncd.engine.runtime.system_clock import SystemClock  # noqa: TID251 - the ticker waits by it
from syncd.engine.runtime.ticker import Ticker


def test_a_job_apart_runs_in_the_same_thread_each_time_and_no_other_job_there() -> None:
    ticker, apart, shared = Ticker(SystemClock()), list[int](), list[int]()
    ticker.every(0.01, lambda: apart.append(get_ident()), at_once=True, apart=True)
    ticker.every(0.01, lambda: shared.append(get_ident()), at_once=True)
    ticker.start()
    try:
        wait_for(lambda: len(apart) >= 5 and len(shared) >= 5)
    finally:
        ticker.stop()
    assert len(set(apart)) == 1
    assert set(apart).isdisjoint(shared)
