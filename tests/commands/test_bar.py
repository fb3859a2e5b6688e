"""The bar of `syncd run --once`: on a terminal alone, and gone when it ends."""

from __future__ import annotations

import io
import sys

import pytest
from commandline import House
from shifted_clock import ShiftedClock

from syncd.engine.runtime.progress import Progress
from syncd.sandbox.cast import START


class Terminal(io.StringIO):
    """A terminal that keeps what it was shown."""

    def isatty(self) -> bool:
        return True


class Loud:
    """A setup whose log nobody reads."""

    def __init__(self) -> None:
        self.started = 0

    def start_log(self) -> None:
        self.started += 1


def test_on_a_terminal_it_shows_how_far_things_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncd.commands.run import bar_on_terminal

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    progress, setup = Progress(ShiftedClock(START)), Loud()
    with bar_on_terminal(setup, progress):  # type: ignore[arg-type] # as much of a setup as it needs
        progress.report("incidents worked on", 3, 12)
        progress.report("incidents worked on", 12, 12)
    assert "incidents worked on" in terminal.getvalue()
    assert "12/12" in terminal.getvalue()
    assert (progress.show, setup.started) == (None, 2)


def test_a_pipe_gets_no_bar(house: House) -> None:
    house.set("SYNCD_LOG_FORMAT", "text")
    house.trigger()
    result = house.syncd("run", "--once")
    assert "\x1b" not in result.err
    assert "worked on" not in result.err
