"""The first load of a team with a past: the number of requests until every incident has its one ticket.

Four of five incidents are resolved, all severities occur alike, and `backfill: {tickets: all}` gives each a
ticket. A daemon finds the incidents and holds their tickets. From `syncd accept` on every request counts,
with those of the start that makes the tickets, until the last ticket stands right. The requests before that
and the link notes of the open incidents are counted apart. What `run --once` does afterwards, such as the
nightly verification of the figures, is not waited for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from ledger_reading import opened

from bench.figure import Figure
from bench.installation import BACKFILL, Failed, Installation, installed, wait_until
from bench.standins import Line
from syncd.ledger.store.first_load import held

INCIDENTS, MANY = 300, 2000
GOAL, GOAL_MANY, LIMIT = 0.13, 0.09, 0.03
"""Requests an incident."""
FIXED_GOAL = 20
NOTES = "pagerduty POST /incidents/{id}/notes"
NOTE_CHECKS = "pagerduty GET /incidents/{id}/notes"
SEARCH = "jira POST /rest/api/2/search/jql"
SINGLE = "jira POST /rest/api/2/issue"
GRAVEST = ("P1", "P2")
"""The two gravest severities: the tickets of their open incidents never ride in a batch."""
ENFORCED_SINCE = timedelta(days=-1)
"""The rules begin tomorrow, so all resolved incidents were over before."""


def _set_up(incidents: int) -> AbstractContextManager[Installation]:
    return installed(incidents, enforced_since=ENFORCED_SINCE, more=BACKFILL)


def _is_held(place: Installation) -> bool:
    # read here and not by `syncd status`, whose start would take the processor from the daemon
    with opened(place.ledger) as db:
        return held(db) is not None


def _find(place: Installation) -> None:
    """Run the daemon until it has found the incidents and holds their tickets."""
    with place.daemon() as running:
        running.wait_until_up()
        wait_until(lambda: _is_held(place), "the first load is not held", 0.5)


def _all_stand_right(place: Installation) -> bool:
    progress = place.services.read("progress")
    return progress["issues"] >= progress["incidents"] and not place.services.read("wrong")["wrong"]


def _until_right(place: Installation) -> None:
    try:
        wait_until(lambda: _all_stand_right(place), "", 0.2)
    except Failed:
        wrong, progress = place.services.read("wrong")["wrong"], place.services.read("progress")
        words = f"{len(wrong)} of {progress['incidents']} have not exactly one ticket in the right status"
        raise Failed(words) from None


def until_last_write(lines: list[Line]) -> list[Line]:
    """Return the requests up to the last that changed Jira, without those of link notes."""
    reads = ("GET", "/search/jql", "/bulkfetch", "/approximate-count")
    last = max(
        line.began
        for line in lines
        if line.name.startswith("jira") and " GET " not in line.name and not line.name.endswith(reads)
    )
    return [line for line in lines if line.began <= last and line.name not in (NOTES, NOTE_CHECKS)]


def grave_singles(lines: list[Line], priorities: dict[str, str]) -> int:
    """Return how many creates of one ticket are for open incidents of the two gravest severities.

    `priorities` are those of the open incidents.
    """
    return sum(
        line.name == SINGLE and any(priorities.get(incident) in GRAVEST for incident in line.incidents)
        for line in lines
    )


def _listed(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(f"{count} x {name}" for name, count in counts.most_common())


def _accept(place: Installation) -> Counter[str]:
    """Accept the first load; return the requests before that."""
    before = place.services.counts()
    place.services.post("lines/clear")
    place.run("accept")
    return before


def _figure(name: str, place: Installation, incidents: int, goal: float, before: Counter[str]) -> Figure:
    lines = place.services.lines()
    counted, every = until_last_write(lines), Counter(line.name for line in lines)
    asked = Counter(line.name for line in counted)
    singles = grave_singles(counted, place.services.read("open"))
    apart = (
        f"{(asked.total() - singles) / incidents:.4f} an incident, and {singles} single creates for open"
        " incidents of the two gravest severities, which never ride in a batch"
    )
    return Figure(
        f"{name}: requests an incident",
        round(asked.total() / incidents, 4),
        "",
        goal,
        LIMIT,
        notes=(apart, *_listed(asked), f"before that, until all were held: {before.total()} requests"),
        details={
            "requests": dict(asked),
            "grave_singles": singles,
            "before_accept": before.total(),
            "link_notes": every[NOTES] + every[NOTE_CHECKS],
            "seconds": round(lines[-1].ended - lines[0].began, 1),
        },
    )


def fixed() -> Iterator[Figure]:
    """Count the requests of the same start on a team without any incident."""
    with _set_up(0) as place:
        with place.daemon() as running:
            running.wait_until_up()
            wait_until(lambda: place.services.counts()[SEARCH], "the daemon does not ask Jira", 0.2)
            time.sleep(1)
        _accept(place)
        place.run("run", "--once")
        asked = place.services.counts()
    yield Figure(
        "first load: fixed requests of the start that makes the tickets",
        asked.total(),
        "",
        FIXED_GOAL,
        notes=_listed(asked),
        details={"requests": dict(asked)},
    )


def once() -> Iterator[Figure]:
    """Accept while no daemon runs, then `run --once`."""
    with _set_up(INCIDENTS) as place:
        _find(place)
        before = _accept(place)
        with place.started("run", "--once"):
            _until_right(place)
            yield _figure(f"first load of {INCIDENTS}, accepted, run --once", place, INCIDENTS, GOAL, before)


def _daemon(incidents: int, goal: float) -> Iterator[Figure]:
    with _set_up(incidents) as place:
        _find(place)
        before = _accept(place)
        with place.daemon():
            _until_right(place)
            name = f"first load of {incidents}, accepted, then a daemon"
            yield _figure(name, place, incidents, goal, before)


def daemon() -> Iterator[Figure]:
    """Accept while no daemon runs, then start one."""
    return _daemon(INCIDENTS, GOAL)


def many() -> Iterator[Figure]:
    """Do the same with many incidents."""
    return _daemon(MANY, GOAL_MANY)


def beside() -> Iterator[Figure]:
    """Accept beside a running daemon."""
    with _set_up(INCIDENTS) as place, place.daemon() as running:
        running.wait_until_up()
        wait_until(lambda: _is_held(place), "the first load is not held", 0.5)
        before = _accept(place)
        _until_right(place)
        name = f"first load of {INCIDENTS}, accepted beside a daemon"
        yield _figure(name, place, INCIDENTS, GOAL, before)
