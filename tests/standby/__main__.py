"""`make standby`: two real daemons on one ledger in PostgreSQL, struck again and again, then judged.

It kills the leader, kills the database, cuts the leader's link to the database, and stops the leader between
the claim of an operation and its first byte for longer than the settle time. Meanwhile people work on
incidents. It prints the times of the takeovers, duplicates and losses as one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cheap_ledgers import memory
from crash.proof import History, Report, judge
from crash.world import start_sandbox
from postgresql import shared_cluster

from standby.pair import SETTLE, Daemon, Pair, wait
from standby.room import full_disk, no_connection_left, small_disk
from syncd.ledger.open import open_for_reading
from syncd.ledger.views import audit_trail, status

SHORTAGE = 8.0
"""Seconds for which the database has no connection or no room left."""
QUIET = 660.0
"""Seconds of peace after which nothing may be open any more: notices wait ten minutes for a common mail."""


@dataclass
class Result:
    """The takeovers and the judgement of one run; times in seconds. `errors` are exceptions in the logs."""

    takeovers: dict[str, list[float]] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    left_open: int = 0
    errors: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """True if nothing was doubled, lost or left open."""
        return self.report.clean and not self.left_open and not self.errors

    def times(self) -> dict[str, dict[str, float]]:
        """Return how often each strike was made, and the median and the worst takeover."""
        return {
            name: {
                "strikes": len(times),
                "median": round(statistics.median(times), 1),
                "worst": round(max(times), 1),
            }
            for name, times in self.takeovers.items()
            if times
        }


class Strikes:
    """The strikes against a pair of daemons; each returns how long nobody led."""

    def __init__(self, pair: Pair, history: History) -> None:
        self._pair = pair
        self._history = history
        self._lost = 0

    def kill(self, leader: Daemon) -> float:
        """Kill the leader."""
        leader.signal(signal.SIGKILL)
        return self._pair.until_led(but=leader)

    def end(self, leader: Daemon) -> float:
        """Ask the leader to stop; it hands over before it has ended, or right then."""
        began = time.monotonic()
        leader.signal(signal.SIGTERM)
        wait(lambda: not leader.alive, "the leader did not stop")
        ended = time.monotonic()
        self._pair.until_led(but=leader)
        return time.monotonic() - min(ended, began + 8)

    def database(self, leader: Daemon) -> float:
        """Kill the database, which starts again at once."""
        began = time.monotonic()
        self._pair.kill_database()

        def led() -> bool:
            for daemon in self._pair.daemons:
                daemon.start()
            # the former leader may say for a second that it leads
            return (self._pair.other(leader).leads or leader.leads) and time.monotonic() - began > 2

        wait(led, "nobody leads after the database started again")
        return time.monotonic() - began

    def failover(self, leader: Daemon) -> float:
        """Put a copy in the place of the database that lacks what was done since; each second is promoted."""
        if not self._lost:
            self._pair.allow_copies()
            leader = self._pair.both_up()
        self._lost += 1
        self._pair.copy_database()
        for _ in range(3):
            self._history.go_on()
            time.sleep(1.0)
        began = time.monotonic()
        self._pair.lose_database(promoted=self._lost % 2 == 0)

        def led() -> bool:
            for daemon in self._pair.daemons:
                daemon.start()
            return (self._pair.other(leader).leads or leader.leads) and time.monotonic() - began > 2

        wait(led, "nobody leads after the database came back")
        return time.monotonic() - began

    def connections(self, leader: Daemon) -> float:
        """Take all connections of the database, kill the leader, and give them back after a while."""
        with no_connection_left(self._pair.cluster):
            self._history.go_on()
            time.sleep(SHORTAGE / 2)
            leader.signal(signal.SIGKILL)
            self._history.go_on()
            # it has to wait as well as the other one
            wait(lambda: not leader.alive, "the leader did not end")
            leader.start()
            time.sleep(SHORTAGE / 2)
        return self._pair.until_led()

    def full(self, leader: Daemon) -> float:
        """Fill the disk of the database for a while; a server that ends for it is started again."""
        with full_disk(self._pair.cluster.socket):
            for _ in range(4):
                self._history.go_on()
                time.sleep(SHORTAGE / 4)
        self._pair.start_database()
        return self._pair.until_led()

    def cut(self, leader: Daemon) -> float:
        """Cut the leader's link; both ends of each connection stay open."""
        leader.link.cut()
        self._history.go_on()
        seconds = self._pair.until_led(but=leader)
        # the former leader ends by itself, while its link is still cut
        wait(lambda: not leader.alive, "a leader without its database does not end")
        leader.link.mend()
        return seconds

    def stop(self, leader: Daemon) -> float:
        """Stop the leader before the first byte of its next write, for longer than the settle time."""
        leader.flag.touch()
        self._history.go_on()
        wait(lambda: leader.stopped, "no write to stop at", 30)
        seconds = self._pair.until_led(but=leader)
        time.sleep(SETTLE + 3)
        leader.signal(signal.SIGCONT)
        wait(lambda: not leader.alive or not leader.leads, "a stopped leader leads again")
        return seconds


def prove(counts: dict[str, int], seed: int, seconds: float = 0.0) -> Result:
    """Make so many strikes of each kind in random order, let the pair rest, and judge the end."""
    began, random, result = time.monotonic(), Random(seed), Result()
    order = [kind for kind, count in counts.items() for _ in range(count)]
    random.shuffle(order)
    sandbox = start_sandbox(seed, others_per_hour=0.0, search_lag=0.0, running=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="syncd-standby-"))
        stack.callback(_tidy, folder, result)
        # PostgreSQL runs as a user of its own where this one is root
        folder.chmod(0o755)
        place = Path(memory() or folder) / f"syncd-standby-{os.getpid()}"
        if counts.get("full"):
            why_not = stack.enter_context(small_disk(place))
            if why_not is not None:
                sys.stderr.write(f"no disk is filled: {why_not}\n")
                order = [kind for kind in order if kind != "full"]
        pair = Pair(folder, sandbox, stack.enter_context(shared_cluster(place)))
        try:
            history = History(sandbox, random)
            strikes = Strikes(pair, history)
            pair.both_up()
            # without one whole cycle the ledger would hold all incidents as its first load
            time.sleep(3)
            for kind in order:
                if 0 < seconds < time.monotonic() - began:
                    break
                leader = pair.both_up()
                history.go_on()
                time.sleep(random.random())
                took = getattr(strikes, kind)(leader)
                result.takeovers.setdefault(kind, []).append(took)
                sys.stderr.write(f"{kind}: {took:.1f} s\n")
            history.calm_down()
            _rest(pair, sandbox, result)
            judge(sandbox.read("state"), history, result.report)
            result.codes = _codes(pair)
            result.errors = _errors(pair)
            if not result.clean:
                pair.keep_ledger(folder / "ledger.sql")
        except TimeoutError:
            for daemon in pair.daemons:
                sys.stderr.write(f"{daemon.name}:\n{daemon.log.read_text()[-3000:]}\n")
            raise
        finally:
            pair.close()
            sandbox.stop()
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _tidy(folder: Path, result: Result) -> None:
    if result.clean:
        shutil.rmtree(folder)
    else:
        sys.stderr.write(f"not clean: {folder} keeps the logs and the ledger\n")


def _rest(pair: Pair, sandbox: Any, result: Result) -> None:
    """Wait until nothing is open; then nothing may be written any more."""
    pair.both_up()
    db = open_for_reading(pair.cluster.url(pair.database))
    try:
        until = time.monotonic() + QUIET + 5 * SETTLE
        time.sleep(SETTLE)
        while status.listing(db) and time.monotonic() < until:
            time.sleep(1)
        time.sleep(SETTLE)
        result.left_open = len(status.listing(db))
        sandbox.control("journal/clear")
        time.sleep(SETTLE)
        lines = sandbox.read("journal")["lines"]
        reads = ("/search/jql", "/issue/bulkfetch")
        result.report.late_writes = [
            f"{line['method']} {line['path']}"
            for line in lines
            if line["method"] != "GET" and not line["pattern"].endswith(reads)
        ]
        broken = audit_trail.verify(db)
        result.report.audit = "whole" if broken is None else str(broken)
    finally:
        db.close()


def _errors(pair: Pair) -> list[str]:
    """Return the log lines of jobs that failed with an exception; a database that is away is none."""
    lines = [line for daemon in pair.daemons for line in daemon.log.read_text().splitlines()]
    return [line[:500] for line in lines if "raised an exception" in line or "Traceback" in line]


def _codes(pair: Pair) -> dict[str, int]:
    codes = [code for daemon in pair.daemons for code in daemon.codes]
    return {str(code): codes.count(code) for code in sorted(set(codes))}


def main() -> int:
    """Run the command line of the proof and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kills of the leader")
    parser.add_argument("--ends", type=int, default=5, help="clean stops of the leader")
    parser.add_argument("--databases", type=int, default=10, help="kills of the database")
    parser.add_argument("--cuts", type=int, default=10, help="cut links")
    parser.add_argument("--stops", type=int, default=5, help="stops by SIGSTOP")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="no strike after so many (0: no limit)")
    parser.add_argument("--failovers", type=int, default=0, help="databases that lose their last commits")
    parser.add_argument("--connections", type=int, default=0, help="times without a connection left")
    parser.add_argument("--full", type=int, default=0, help="times with a full disk (root only)")
    asked = parser.parse_args()
    counts = {
        "kill": asked.kills,
        "end": asked.ends,
        "database": asked.databases,
        "cut": asked.cuts,
        "stop": asked.stops,
        "failover": asked.failovers,
        "connections": asked.connections,
        "full": asked.full,
    }
    result = prove(counts, asked.seed, asked.seconds)
    whole = {
        "takeovers": result.times(),
        **asdict(result.report),
        "left_open": result.left_open,
        "errors": result.errors,
        "exit_codes": result.codes,
        "seconds": result.seconds,
        "clean": result.clean,
    }
    sys.stdout.write(json.dumps(whole) + "\n")
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
