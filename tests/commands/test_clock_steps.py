"""The machine's wall clock is set while the daemon runs: a preloaded library moves CLOCK_REALTIME alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
from commandline import House, Process
from waiting import wait_for
from wall_clock import COMPILER, WallClock

HOUR, DAY = 3600, 86400
STEPS = (-7, HOUR, -HOUR, 3 * DAY, -3 * DAY, 7)
"""Seconds by which the clock is set, one after the other: back, forward, and right again in the end."""


@pytest.fixture
def wall(house: House) -> Iterator[WallClock]:
    if COMPILER is None:
        pytest.skip("no C compiler builds the library that moves the clock")
    # the test's own folder may lie in memory, where many machines execute nothing
    with TemporaryDirectory() as folder:
        clock = WallClock(Path(folder))
        for name, value in clock.environment.items():
            house.set(name, value)
        yield clock


def test_every_incident_gets_its_ticket_and_the_daemon_stays_ready_whenever_the_clock_is_set(
    house: House, started: Callable[..., Process], wall: WallClock
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.2")
    house.set("SYNCD_HTTP_LISTEN", "127.0.0.1:0")
    # the engine as well goes by the clock that is set
    house.clock.by_wall = True
    started("run")
    address = re.compile(r"listening on (\S+) ")
    (where,) = wait_for(lambda: address.findall(house.err("run")))
    for number, seconds in enumerate(STEPS):
        incident = house.trigger(f"Before step {number}", priority="P1")
        wait_for(lambda incident=incident: house.tickets(incident))
        wall.set_by(seconds)
        incident = house.trigger(f"After step {number}", priority="P1")
        wait_for(lambda incident=incident: house.tickets(incident))
        # the log of two steps that syncd sees as one would name neither
        wait_for(lambda so_far=number + 1: house.err("run").count("the system's clock was set") == so_far)
        assert requests.get(f"http://{where}/healthz", timeout=30).text == "ok\n"
        wait_for(lambda: requests.get(f"http://{where}/readyz", timeout=30).json()["ready"])
    log = house.err("run")
    assert log.count("the system's clock was set back by") == STEPS.count(-7) + 2
    assert all(len(house.tickets(incident)) == 1 for incident in house.world.pagerduty.account.incidents)
