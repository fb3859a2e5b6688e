"""When the loop counts as stuck, and what the service manager hears."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Event, Thread

import pytest
from rig import RigClock

from syncd.engine.runtime.systemd import LONGEST_STATUS, Supervisor
from syncd.engine.runtime.watchdog import LONGEST_CYCLE, STUCK_AFTER, Watchdog
from syncd.sandbox.cast import START
from syncd.sandbox.clock import SandboxClock


@pytest.fixture
def clock() -> RigClock:
    return RigClock(SandboxClock(START))


def pass_(clock: RigClock, seconds: float) -> None:
    clock.sleep(seconds, Event())


def test_between_two_cycles_it_may_rest_for_two_polls_and_not_for_ever(clock: RigClock) -> None:
    watchdog = Watchdog(clock, 30)
    with watchdog.cycle():
        pass
    pass_(clock, 2 * 30)
    assert watchdog.stuck() is None
    pass_(clock, 1)
    assert "no cycle has begun" in str(watchdog.stuck())
    with watchdog.cycle():
        assert watchdog.stuck() is None


def test_a_long_cycle_is_alive_as_long_as_it_takes_steps(clock: RigClock) -> None:
    watchdog = Watchdog(clock, 30)
    with watchdog.cycle():
        for _ in range(10):
            pass_(clock, STUCK_AFTER - 1)
            assert watchdog.stuck() is None
            watchdog.step()
        pass_(clock, STUCK_AFTER + 1)
        assert "made no progress" in str(watchdog.stuck())


def test_a_cycle_that_turns_in_circles_is_stuck_in_the_end(clock: RigClock) -> None:
    watchdog = Watchdog(clock, 30)
    with watchdog.cycle():
        for _ in range(int(LONGEST_CYCLE // 100) + 1):
            pass_(clock, 100)
            watchdog.step()
        assert "under way" in str(watchdog.stuck())


def test_what_other_threads_do_says_nothing_about_the_loop(clock: RigClock) -> None:
    watchdog = Watchdog(clock, 30)
    with watchdog.cycle():
        pass_(clock, STUCK_AFTER + 1)
        other = Thread(target=watchdog.step)
        other.start()
        other.join()
        assert watchdog.stuck() is not None


def test_a_cycle_that_blew_up_came_to_its_end(clock: RigClock) -> None:
    watchdog = Watchdog(clock, 30)
    with pytest.raises(ValueError, match="gone"), watchdog.cycle():
        raise ValueError("gone")
    assert watchdog.cycles == 1
    assert watchdog.stuck() is None


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    assert Supervisor({"WATCHDOG_USEC": "3000000"}).watchdog == 3.0
    assert Supervisor({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}).watchdog is None
    assert Supervisor({}).watchdog is None


def test_without_a_manager_and_with_one_that_is_gone_nothing_breaks() -> None:
    Supervisor({}).ready()
    Supervisor({"NOTIFY_SOCKET": "/nowhere/at/all"}).status("x" * (2 * LONGEST_STATUS))


def test_a_cycle_that_ends_after_the_stop_began_tells_no_status(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        supervisor.status("1 open")
        supervisor.stopping()
        supervisor.status("2 open")
        assert [manager.recv(1000) for _ in range(2)] == [b"STATUS=1 open", b"STOPPING=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(1000)
