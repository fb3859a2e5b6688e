"""An installation of syncd as users have it: settings, a mapping file, a ledger on disk, and commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.standins import StandIns, python_path

SECRET = "the-secret-of-the-bench"
GRACE = 12.0
"""Seconds for the daemon to end."""
MAPPING = """\
syncd: 1
team: QRPay
enforce_from: {enforce_from}
jira:
  project: OPS
services:
  Alipay Integration:
    component: Alipay Integration
    owner: amara.osei@qrpay.example
  BluBank Integration:
    component: BluBank Integration
    owner: jonas.lindqvist@qrpay.example
  Yoomonea Service:
    owner: mei.tanaka@qrpay.example
  Core QRPay Web:
    component: Core QRPay Web
    owner: priya.raman@qrpay.example
severities:
  SEV0:
    pagerduty: P1
    priority: Highest
    postmortem: true
    notify: owner
  SEV1:
    pagerduty: P2
    priority: High
    postmortem: true
    notify: [karin.holt@qrpay.example]
  SEV2:
    pagerduty: P3
    urgency: high
    priority: Medium
    postmortem: true
  SEV3:
    pagerduty: P4
    urgency: low
    priority: Low
people:
  fallback: priya.raman@qrpay.example
mails:
  mode: enforce
closing:
  mode: enforce
{more}"""
BACKFILL = "backfill:\n  tickets: all\n"


class Failed(RuntimeError):
    """Raised if syncd did not do what is measured."""


class Installation:
    """A folder with settings, mapping and ledger. It lies in the present folder, which is on a disk."""

    def __init__(self, folder: Path, services: StandIns, settings: dict[str, str], mapping: str) -> None:
        self.folder, self.services = folder, services
        (folder / "mappings").mkdir()
        (folder / "mappings" / "qrpay.yaml").write_text(mapping, encoding="utf-8")
        self.ledger = folder / "state" / "syncd.db"
        self.log = folder / "log"
        own = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
        self.environment = (
            own
            | {"PYTHONPATH": python_path()}
            | services.environment()
            | {
                "SYNCD_STATE_DIR": str(folder / "state"),
                "SYNCD_MAPPINGS_DIR": str(folder / "mappings"),
                "SYNCD_HTTP_LISTEN": "127.0.0.1:0",
                "SYNCD_PAGERDUTY_WEBHOOK_SECRETS": SECRET,
                "SYNCD_JIRA_WEBHOOK_SECRET": SECRET,
            }
            | settings
        )

    def run(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
        """Run a command and return its output. Raise `Failed` if it ends with another exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "syncd", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if done.returncode not in expected:
            raise Failed(f"syncd {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def daemon(self) -> AbstractContextManager[Daemon]:
        """Run the daemon; end it with SIGTERM."""
        return self.started("run")

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Daemon]:
        """Run a command of syncd beside the bench; end it with SIGTERM if it has not ended by itself."""
        with self.log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "syncd", *arguments],
                env=self.environment,
                cwd=self.folder,
                stderr=out,
                stdout=subprocess.DEVNULL,
            )
        try:
            yield Daemon(process, self.log)
            if process.poll() not in (None, 0, 75):
                words = self.log.read_text()[-2000:]
                raise Failed(f"syncd {' '.join(arguments)} ended with {process.returncode}: {words}")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Daemon:
    """The daemon's process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def port(self) -> int:
        """The port of the listener; 0 before it listens."""
        listening = re.search(r"listening on 127\.0\.0\.1:(\d+) for", self._log.read_text())
        return int(listening[1]) if listening else 0

    def wait_until_up(self) -> int:
        """Wait until the daemon listens and return the port."""
        wait_until(lambda: self.port or self.process.poll() is not None, "the daemon does not listen")
        if not self.port:
            raise Failed(f"the daemon ended with {self.process.poll()}: {self._log.read_text()[-2000:]}")
        return self.port

    def seconds(self) -> float:
        """Return the processor seconds of the process and its threads until now."""
        return processor_seconds(self.process.pid)


def processor_seconds(pid: int) -> float:
    """Return the processor seconds of a process and its threads, in steps of 10 ms."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class TimeIsUp(BaseException):
    """Raised when a measurement has taken longer than its limit."""


def wait_until(true: Callable[[], object], problem: str, every: float = 0.05) -> None:
    """Wait until something is true. Raise `Failed` with the problem if the time of the row is up before."""
    try:
        while not true():
            time.sleep(every)
    except TimeIsUp:
        raise Failed(problem) from None


@contextmanager
def installed(
    past: int = 0,
    *,
    severities: str = "P1,P2,P3,P4",
    enforced_since: timedelta = timedelta(days=1),
    more: str = "",
    **settings: str,
) -> Iterator[Installation]:
    """Start the services and install syncd, with the rules in force since then; remove all afterwards."""
    services = StandIns(past, severities)
    try:
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
            day = (datetime.now(UTC) - enforced_since).date()
            mapping = MAPPING.format(enforce_from=day, more=more)
            yield Installation(Path(folder), services, settings, mapping)
    finally:
        services.stop()
