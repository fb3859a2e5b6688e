"""The command line on a sandbox: in this process, or as a process of its own where signals matter."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fork_server
import pytest
from cheap_ledgers import put_empty_ledger
from loguru import logger
from shifted_clock import ShiftedClock

from syncd.cli import main
from syncd.sandbox import dump
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World

CONTROLS = {chr(code) for code in range(32)} - {"\n"} | {"\x7f"}
NO_DAEMON = "no daemon is running; the writes that follow leave when syncd runs: syncd run\n"
"""The end of an answer after which syncd has something to write, and no daemon is running."""


Process = subprocess.Popen[str] | fork_server.Forked
"""A command that runs as a process of its own."""


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class House:
    """A sandbox, and the command line with the environment that points to it."""

    world: World
    server: SandboxServer
    folder: Path
    clock: ShiftedClock
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def syncd(self, *args: str) -> Said:
        """Run a command in this process, exactly as the console script does."""
        self._put_ledger(args)
        self.capsys.readouterr()
        handlers = logging.root.handlers[:]
        self.monkeypatch.setattr(sys, "argv", ["syncd", *args])
        with pytest.raises(SystemExit) as ended:
            main(self.clock)
        logger.remove()
        logging.root.handlers[:] = handlers
        printed = self.capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 1, printed.out, printed.err)

    def start(self, *args: str, first: str = "") -> Process:
        """Start a command as a process of its own; its standard error goes to `<first word>.err`.

        `first` is Python that the process executes before, to make waits shorter than they are in life.
        """
        self._put_ledger(args)
        with (self.folder / f"{args[0]}.err").open("w") as err:
            if "LD_PRELOAD" not in os.environ:
                return fork_server.start(self.clock.script(first), args, err.fileno(), self.folder)
            # only a process that begins anew loads a library before all others
            return subprocess.Popen(
                [sys.executable, "-c", self.clock.script(first), *args],
                cwd=self.folder,
                env=dict(os.environ),
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )

    def _put_ledger(self, args: tuple[str, ...]) -> None:
        """Give a first run its ledger: to make one takes Alembic as long as all the rest of a cycle."""
        if args[:1] == ("run",):
            state = self.folder / ".syncd"
            state.mkdir(mode=0o700, exist_ok=True)
            put_empty_ledger(state / "syncd.db")

    def err(self, command: str) -> str:
        """What a started command has said on standard error so far."""
        return (self.folder / f"{command}.err").read_text()

    def set(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self.monkeypatch.setenv(name, value)

    def unset(self, name: str) -> None:
        """Take an environment variable away."""
        self.monkeypatch.delenv(name, raising=False)

    def trigger(
        self, title: str = "Callbacks time out", service: str = "Alipay Integration", **more: Any
    ) -> str:
        """Open an incident and return its id."""
        return self.world.pagerduty.trigger(service, title, **more).id

    def tickets(self, incident: str) -> list[dict[str, Any]]:
        """The issues that bear our mark for an incident."""
        issues = dump.whole(self.world)["jira"]["issues"]
        return [issue for issue in issues if issue["properties"].get("syncd", {}).get("incident") == incident]

    def writes(self) -> int:
        """How many requests that write both services have received."""
        return len(self.world.journal.writes())


def end(process: Process) -> None:
    """End a started process for certain."""
    if process.poll() is None:
        process.kill()
    process.communicate()
