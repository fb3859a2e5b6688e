"""A quiet daemon: requests and processor time of a cycle without changes, on a small and a large ledger.

Both are measured in a file and in PostgreSQL, whose processor time counts, too.

Two daemons run one after the other on the same ledger, one with many cycles and one with none beside the
first. Both do what a daemon does each second; the difference of their processor times is that of the cycles.
The cycles are measured twice: while the window of each poll still shows what happened before, all of which
syncd has seen, and when the windows are empty.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

from ledger_reading import IncidentRow, OperationRow, TicketRow, insert_rows

from bench.databases import POSTGRESQL, SQLITE, Database, opened
from bench.figure import Figure
from bench.installation import Daemon, Installation, installed, wait_until
from bench.large import defaults, past_rows
from bench.storm import POLL
from syncd.ledger.open import open_for_work

OPEN = 20
SMALL, LARGE = 100, 100_000
GOAL, FLAT = 8.0, 1.1
POLL_SECONDS = 0.25
SECONDS, WINDOW_SECONDS = 15.0, 8.0
LONG_AGO = 1800.0
"""Seconds, more than the windows of all polls."""
REST_SECONDS = "3600"
READ_FOR = timedelta(days=31)
"""The slow poll reads incidents for 30 days after their end."""
NOTHING_DUE = {IncidentRow: {"due_at": None}, TicketRow: {}, OperationRow: {}}


def _fill(place: Installation, database: Database, count: int) -> None:
    """Fill the ledger with incidents that were over so long ago that syncd reads them no more."""
    now = datetime.now(UTC)
    place.ledger.parent.mkdir(mode=0o700)
    ledger = open_for_work(database.url, "the bench", now - timedelta(days=200))
    rows = past_rows(random.Random(7), count, now - READ_FOR)
    empty = {table: defaults(table) for table in NOTHING_DUE}
    while chunk := list(islice(rows, 10_000)):
        for table in NOTHING_DUE:
            done = [{**empty[table], **row, **NOTHING_DUE[table]} for of, row in chunk if of is table]
            insert_rows(ledger, table, done)
    ledger.close()
    database.filled()


class _Spent(NamedTuple):
    """The processor seconds of a daemon and its server in some seconds, and its cycles and requests then."""

    seconds: float
    server: float
    of: float
    cycles: int
    requests: int

    def of_a_cycle(self, rest: _Spent) -> float:
        """Return the milliseconds of one cycle, given what is spent without cycles."""
        both = self.seconds + self.server - (rest.seconds + rest.server) / rest.of * self.of
        return round(both / self.cycles * 1000, 2)

    def servers_share(self, rest: _Spent) -> float:
        """Return the server's part of `of_a_cycle`."""
        return round((self.server - rest.server / rest.of * self.of) / self.cycles * 1000, 2)


@contextmanager
def _settled(place: Installation, poll_seconds: str) -> Iterator[Daemon]:
    """Run a daemon; yield it when all that a start begins is over."""
    place.environment["SYNCD_POLL_SECONDS"] = poll_seconds
    with place.daemon() as running:
        running.wait_until_up()
        wait_until(lambda: place.services.read("progress")["notes"] >= OPEN, "link notes are missing", 0.5)
        time.sleep(8)
        yield running


def _spent(place: Installation, running: Daemon, database: Database, seconds: float) -> _Spent:
    place.services.post("lines/clear")
    before, of_server = running.seconds(), database.seconds()
    time.sleep(seconds)
    spent, counts = running.seconds() - before, place.services.counts()
    return _Spent(spent, database.seconds() - of_server, seconds, counts[POLL], counts.total())


_measured: dict[tuple[str, int], float] = {}
"""The milliseconds of a quiet cycle by database and size, to compare the sizes."""


def _measure(on: str, count: int) -> Iterator[Figure]:
    with installed() as place, opened(on, place.ledger) as database:
        place.environment["SYNCD_LEDGER_URL"] = database.url
        _fill(place, database, count)
        place.services.post("storm", count=OPEN, service="Alipay Integration", title="Open", priority="P4")
        with _settled(place, str(POLL_SECONDS)) as running:
            window = _spent(place, running, database, WINDOW_SECONDS)
            place.services.post("age", seconds=LONG_AGO)
            time.sleep(3 * POLL_SECONDS)
            quiet = _spent(place, running, database, SECONDS)
        with _settled(place, REST_SECONDS) as running:
            rest = _spent(place, running, database, SECONDS)
    if rest.cycles or not quiet.cycles or not window.cycles:
        raise RuntimeError(f"{quiet.cycles} cycles with many cycles, {rest.cycles} without")
    name = f"quiet cycle, {on}, {count:,} incidents"
    _measured[on, count] = quiet.of_a_cycle(rest)
    yield Figure(f"{name}: processor time", _measured[on, count], "ms", GOAL)
    if on == POSTGRESQL:
        yield Figure(f"{name}: PostgreSQL's part of it", quiet.servers_share(rest), "ms")
    if count == LARGE and (on, SMALL) in _measured:
        times = _measured[on, LARGE] / _measured[on, SMALL]
        yield Figure(f"quiet cycle, {on}: {LARGE:,} incidents to {SMALL}", round(times, 2), "times", FLAT)
    yield Figure(f"{name}: requests", round(quiet.requests / quiet.cycles, 2), "", 3)
    note = f"after {OPEN} new ones"
    yield Figure(f"{name}, {note}: processor time", window.of_a_cycle(rest), "ms")
    between = (rest.seconds + rest.server) / rest.of * 1000
    yield Figure(f"a second between cycles, {on}, {count:,} incidents", round(between, 2), "ms")


small, large = (partial(_measure, SQLITE, count) for count in (SMALL, LARGE))
server_small, server_large = (partial(_measure, POSTGRESQL, count) for count in (SMALL, LARGE))
