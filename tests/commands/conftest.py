from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from check_cast import FIRST
from commandline import House, Process, end
from shifted_clock import ShiftedClock

from syncd.preflight.checks import configured
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer


@pytest.fixture
def bare(
    tmp_path: Path, start: datetime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    """A sandbox and its settings in the environment, but no mapping yet."""
    for name in list(os.environ):
        if name.startswith(("SYNCD_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    clock = ShiftedClock(start)
    world = default_world(SandboxClock(clock.now))
    monkeypatch.setattr(
        configured, "HOSTILE", configured.HOSTILE[:1]
    )  # each takes `check` as long as all else
    with SandboxServer(world) as server:
        house = House(world, server, tmp_path, clock, monkeypatch, capsys)
        house.set("SYNCD_PAGERDUTY_URL", server.url("pagerduty"))
        house.set("SYNCD_PAGERDUTY_TOKEN", PAGERDUTY_KEY)
        house.set("SYNCD_PAGERDUTY_FROM", BOT_EMAIL)
        house.set("SYNCD_JIRA_URL", server.url("jira"))
        house.set("SYNCD_JIRA_EMAIL", BOT_EMAIL)
        house.set("SYNCD_JIRA_TOKEN", JIRA_KEY)
        house.set("SYNCD_HTTP_LISTEN", "")
        yield house


@pytest.fixture
def house(bare: House) -> House:
    """A sandbox, and QRPay's shipped mapping as `syncd init` writes it."""
    assert bare.syncd("init", "mappings", "--example", "qrpay").code == 0
    bare.set("SYNCD_MAPPINGS_DIR", "mappings")
    return bare


@pytest.fixture
def started(house: House) -> Iterator[Callable[..., Process]]:
    """Start commands as processes that end with the test."""
    processes: list[Process] = []

    def start(*args: str, first: str = "") -> Process:
        processes.append(house.start(*args, first=first))
        return processes[-1]

    yield start
    for process in processes:
        end(process)


@pytest.fixture
def first(bare: House) -> House:
    """A sandbox, and a short mapping that fits it."""
    Path("m").mkdir()
    Path("m/qrpay.yaml").write_text(FIRST)
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    return bare
