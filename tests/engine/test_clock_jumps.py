"""A wall clock that is set is noticed; a thread that waits between two clocks is not taken for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from syncd.engine.runtime.clock_jumps import ClockJumps

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Stalling:
    """A clock whose reader waits, once for each entry of `stalls`, before and after it reads the wall."""

    def __init__(self) -> None:
        self.passed, self.moved = 0.0, 0.0
        self.stalls: list[tuple[float, float]] = []

    def boottime(self) -> float:
        return self.passed

    def now(self) -> datetime:
        before, after = self.stalls.pop() if self.stalls else (0.0, 0.0)
        self.passed += before
        wall = START + timedelta(seconds=self.passed + self.moved)
        self.passed += after
        return wall

    def boot_id(self) -> str:
        return "boot"

    def sleep(self, seconds: float, until: Event) -> bool:
        self.passed += seconds
        return until.is_set()


@pytest.mark.parametrize("stall", [(5.0, 0.0), (0.0, 5.0), (3.0, 3.0)])
@pytest.mark.parametrize("seconds", [0.0, -3600.0, -4.0, 4.0, 3600.0])
def test_a_thread_that_waits_while_it_reads_the_clocks_sees_what_was_set_alone(
    stall: tuple[float, float], seconds: float
) -> None:
    clock = Stalling()
    clock.stalls = [stall]
    jumps = ClockJumps(clock)
    clock.stalls, clock.moved = [stall] * 2, seconds
    assert [jumps.latest() for _ in range(3)] == [seconds, 0.0, 0.0]
