"""Two real daemons on one ledger in PostgreSQL, each behind a link that can be cut."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from crash.world import Sandbox
from postgresql import Cluster, run_program

from standby.link import Link
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY

POLL, SETTLE = 1.0, 10.0
PATIENCE = 150.0
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
STOPS = """
import os, signal, threading
from syncd.remote.http import deadline
commits, ends, alone, checked = deadline.Flight.commits, deadline.Flight.__exit__, threading.Lock(), set()
def stopped(flight):
    if flight._departs is None:
        return commits(flight)
    with alone:
        if not checked and os.path.exists({flag!r}):
            os.unlink({flag!r})
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        commits(flight)
        checked.add(flight)
def ended(flight, *error):
    checked.discard(flight)
    return ends(flight, *error)
deadline.Flight.commits, deadline.Flight.__exit__ = stopped, ended
"""
"""Stops a daemon between the claim of an operation and the last check before its first byte, if asked to.

The signal goes to this very thread: one to the process stops it a moment later, after its check. No other
write has passed its check either: what is stopped after it leaves when it goes on, which nothing prevents.
"""


def wait(true: Callable[[], Any], what: str, patience: float = PATIENCE) -> float:
    """Return the seconds until something is true; raise `TimeoutError` if it does not become true."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > patience:
            raise TimeoutError(what)
        time.sleep(0.05)
    return time.monotonic() - began


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Daemon:
    """One daemon of the pair; `start` starts it again after its end."""

    def __init__(self, name: str, folder: Path, sandbox: Sandbox, cluster: Cluster, database: str) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.link = Link(f"{cluster.socket}/.s.PGSQL.5432")
        self.port = free_port()
        self.flag = self.folder / "stop-at-the-next-write"
        self.log = self.folder / "log"
        self.codes: list[int] = []
        self._environment = {
            # compiled modules are kept: the daemons start again and again
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("SYNCD_", _NO_BYTECODE))
            },
            "SYNCD_LEDGER_URL": f"postgresql+psycopg://syncd@127.0.0.1:{self.link.port}/{database}",
            "SYNCD_STATE_DIR": str(self.folder / "state"),
            "SYNCD_MAPPINGS_DIR": str(folder / "mappings"),
            "SYNCD_PAGERDUTY_URL": sandbox.urls["pagerduty"],
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": sandbox.urls["jira"],
            "SYNCD_JIRA_EMAIL": BOT_EMAIL,
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
            "SYNCD_POLL_SECONDS": str(POLL),
            "SYNCD_SETTLE_SECONDS": str(SETTLE),
            "SYNCD_HTTP_LISTEN": f"127.0.0.1:{self.port}",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon unless it is running."""
        if self.alive:
            return
        if self.process is not None:
            self.codes.append(self.process.returncode)
        program = STOPS.format(flag=str(self.flag)) + "from syncd.cli import main\nmain()\n"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "run"], env=self._environment, stderr=log, cwd=self.folder
            )

    @property
    def alive(self) -> bool:
        """True while its process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def stopped(self) -> bool:
        """True while its process is stopped by SIGSTOP."""
        assert self.process is not None
        with suppress(OSError):
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def asked(self, path: str) -> int:
        """Return the status of an answer, 0 without one."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0

    @property
    def leads(self) -> bool:
        """True while it says that it leads."""
        return self.alive and not self.stopped and self.asked("/leader") == 200

    @property
    def stands_by(self) -> bool:
        """True while it answers as a standby that can store webhooks."""
        return self.alive and self.asked("/leader") == 503 and self.asked("/readyz") == 200

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self) -> None:
        """End its process and its link for good."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)
        self.link.close()


class Pair:
    """Two daemons and their database."""

    def __init__(self, folder: Path, sandbox: Sandbox, cluster: Cluster) -> None:
        self.cluster = cluster
        self._sandbox = sandbox
        self.database = cluster.new()
        command = [sys.executable, "-m", "syncd", "init", str(folder / "mappings"), "--example", "qrpay"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        self.daemons = [Daemon(name, folder, sandbox, cluster, self.database) for name in ("a", "b")]

    def both_up(self) -> Daemon:
        """Start what ended, wait until one leads and the other stands by; return the leader."""
        for daemon in self.daemons:
            daemon.start()

        def settled() -> bool:
            for daemon in self.daemons:
                # the service manager starts again what ended
                daemon.start()
            first, other = self.daemons
            return (first.leads and other.stands_by) or (other.leads and first.stands_by)

        wait(settled, "no leader with a standby")
        return self.leader

    @property
    def leader(self) -> Daemon:
        """The daemon that leads now."""
        return next(daemon for daemon in self.daemons if daemon.leads)

    def other(self, daemon: Daemon) -> Daemon:
        """Return the other daemon."""
        return next(other for other in self.daemons if other is not daemon)

    def until_led(self, *, but: Daemon | None = None) -> float:
        """Return the seconds until a daemon leads, not this one; start the others again where they end."""
        others = [daemon for daemon in self.daemons if daemon is not but]

        def led() -> bool:
            for daemon in others:
                daemon.start()
            return any(daemon.leads for daemon in others)

        return wait(led, "nobody took over")

    def kill_database(self) -> None:
        """Kill the server as a crash does, and start it again."""
        data, log = self.cluster.socket / "data", self.cluster.socket / "log"
        run_program("pg_ctl", "restart", "-D", str(data), "-m", "immediate", "-w", "-s", "-l", str(log))

    def start_database(self) -> None:
        """Start the server if it ended by itself."""
        data, log = self.cluster.socket / "data", self.cluster.socket / "log"
        try:
            run_program("pg_ctl", "status", "-D", str(data))
        except subprocess.CalledProcessError:
            run_program("pg_ctl", "start", "-D", str(data), "-w", "-s", "-l", str(log))

    def allow_copies(self) -> None:
        """Let the server make base backups, from which a replica could start."""
        with (self.cluster.socket / "data" / "postgresql.conf").open("a") as file:
            file.write("wal_level = 'replica'\nmax_wal_senders = '2'\n")
        self.kill_database()

    def copy_database(self) -> None:
        """Make a base backup of the running server."""
        copy = ("-D", str(self._copy), "-X", "stream", "-c", "fast", "--no-sync")
        run_program("pg_basebackup", *copy, "-h", str(self.cluster.socket), "-U", "syncd")

    def lose_database(self, *, promoted: bool) -> None:
        """Kill the server, and start its copy in its place: as a promoted replica, or as the same server."""
        data, log = self.cluster.socket / "data", self.cluster.socket / "log"
        run_program("pg_ctl", "stop", "-D", str(data), "-m", "immediate", "-w", "-s")
        shutil.rmtree(data)
        self._copy.rename(data)
        if promoted:
            (data / "standby.signal").touch()
        run_program("pg_ctl", "start", "-D", str(data), "-w", "-s", "-l", str(log))
        if promoted:
            run_program("pg_ctl", "promote", "-D", str(data), "-w", "-s")

    @property
    def _copy(self) -> Path:
        return self.cluster.socket / "copy"

    def keep_ledger(self, file: Path) -> None:
        """Write the ledger as SQL to a file, and the sandbox's state beside it."""
        command = ["pg_dump", "--dbname", self.cluster.url(self.database).replace("+psycopg", "")]
        with file.open("wb") as out:
            subprocess.run(command, check=True, stdout=out)
        file.with_suffix(".json").write_text(json.dumps(self._sandbox.read("state")))

    def close(self) -> None:
        """End both daemons."""
        for daemon in self.daemons:
            daemon.end()
