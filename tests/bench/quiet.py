"""A quiet daemon: requests and processor time of a cycle without changes, on a small and a large ledger.

Two daemons run one after the other on the same ledger, one with many cycles and one with none beside the
first. Both do what a daemon does each second; the difference of their processor times is that of the cycles.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from ledger_reading import IncidentRow, TicketRow, insert_rows

from bench.figure import Figure
from bench.installation import Installation, installed, wait_until
from bench.large import defaults, past_rows
from bench.storm import POLL
from syncd.ledger.open import open_for_work

OPEN = 20
SMALL, LARGE = 100, 100_000
GOAL = 8.0
POLL_SECONDS = 0.25
SECONDS = 15.0
REST_SECONDS = "3600"
READ_FOR = timedelta(days=31)
"""The slow poll reads incidents for 30 days after their end."""
NOTHING_DUE = {IncidentRow: {"due_at": None}, TicketRow: {}}


def _fill(place: Installation, count: int) -> None:
    """Fill the ledger with incidents that were over so long ago that syncd reads them no more."""
    now = datetime.now(UTC)
    place.ledger.parent.mkdir(mode=0o700)
    ledger = open_for_work(f"sqlite:///{place.ledger}", "the bench", now - timedelta(days=200))
    rows = past_rows(random.Random(7), count, now - READ_FOR)
    empty = {table: defaults(table) for table in (IncidentRow, TicketRow)}
    while chunk := list(islice(rows, 10_000)):
        for table in (IncidentRow, TicketRow):
            done = [{**empty[table], **row, **NOTHING_DUE[table]} for of, row in chunk if of is table]
            insert_rows(ledger, table, done)
    ledger.close()


def _spent(place: Installation, poll_seconds: str) -> tuple[float, int, int]:
    """Run a daemon for a while; return its processor seconds, its cycles and its requests meanwhile."""
    place.environment["SYNCD_POLL_SECONDS"] = poll_seconds
    services = place.services
    with place.daemon() as running:
        running.wait_until_up()
        wait_until(lambda: services.read("progress")["notes"] >= OPEN, "link notes are missing", 0.5)
        # what a start begins is over
        time.sleep(8)
        services.post("lines/clear")
        before = running.seconds()
        time.sleep(SECONDS)
        spent, counts = running.seconds() - before, services.counts()
    return spent, counts[POLL], counts.total()


def _measure(count: int, goal: float) -> Iterator[Figure]:
    with installed() as place:
        _fill(place, count)
        place.services.post("storm", count=OPEN, service="Alipay Integration", title="Open", priority="P4")
        busy, cycles, requests = _spent(place, str(POLL_SECONDS))
        rest, none, _ = _spent(place, REST_SECONDS)
    if none or not cycles:
        raise RuntimeError(f"{cycles} cycles with many cycles, {none} without")
    name = f"quiet cycle, ledger of {count:,} incidents"
    yield Figure(f"{name}: processor time", round((busy - rest) / cycles * 1000, 2), "ms", goal)
    yield Figure(f"{name}: requests", round(requests / cycles, 2), "", 3)
    yield Figure(f"a second between cycles, ledger of {count:,}", round(rest / SECONDS * 1000, 2), "ms")


small = partial(_measure, SMALL, GOAL)
large = partial(_measure, LARGE, GOAL)
