"""Each fault by itself and all together: after they stop, the end is the one without any.

A run plays a sixth of the faults of single requests, another sixth after each change of the code, and all
together; `REFUSALS=all` plays each by itself. The wire has no sockets, so that time-outs and trickles take no
time, but the transport is the daemon's own.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cheap_ledgers import memory
from simulation.house import House
from turns import turn

from syncd.ledger.requests.answers import ask
from syncd.sandbox import faults
from syncd.sandbox.cast import START

MARK = re.compile(r"syncd [0-9a-f]{16}|[0-9-]{10} [0-9:]{5} UTC")
BY, COLLEAGUE = "Amara Osei", "Ines Carvalho"
LATER = format_datetime(START + timedelta(minutes=6), usegmt=True)
NOT_ALLOWED = {"errorMessages": ["You do not have permission."], "errors": {}}
NONE_OPEN = {"incidents": [], "limit": 100, "offset": 0, "total": None, "more": False}
AGAIN = {
    "issues": [{"id": "10001", "key": "OPS-1", "fields": {"updated": "2026-11-16T06:00:30.000+0000"}}],
    "isLast": False,
    "nextPageToken": "the same again",
}

STRIKES: dict[str, faults.Strike] = {
    "429-seconds": faults.jira_429(7),
    "429-of-pagerduty": faults.pagerduty_429(20),
    "429-date": faults.error(429, {"Retry-After": LATER}),
    "429-bare": faults.bare_429(),
    "408": faults.error(408),
    "408-after": faults.error(408, after=True),
    "500": faults.error(500),
    "500-after": faults.error(500, after=True),
    "502-html": faults.html(),
    "502-html-after": faults.html(after=True),
    "503-retry-after": faults.error(503, {"Retry-After": "20"}),
    "504-after": faults.error(504, after=True),
    "refused": faults.refuse(),
    "reset-before": faults.reset_before(),
    "reset-after": faults.lose_answer(),
    "slow": faults.delay(20.0),
    "timeout": faults.delay(45.0),
    "timeout-after": faults.delay(45.0, after=True),
    "cut": faults.cut(),
    "empty": faults.empty(),
    "html-200": faults.html(200, after=True),
    "trickle": faults.trickle(),
    "401": faults.error(401),
    "403": faults.error(403, body=NOT_ALLOWED),
    "404-html": faults.error(404, body=b"<html>not here</html>"),
    "409": faults.error(409, body={"errorMessages": ["Conflict."], "errors": {}}),
    "410": faults.error(410, body={"errorMessages": ["Gone."], "errors": {}}),
}


def everything(house: House) -> None:
    for strike in STRIKES.values():
        house.world.faults.add(strike, probability=0.015, times=None)


def on_a_third(strike: faults.Strike) -> Callable[[House], None]:
    def begin(house: House) -> None:
        house.world.faults.add(strike, probability=0.33, times=None)

    return begin


def one_issue_forbidden(house: House) -> None:
    house.world.faults.add(faults.error(403, body=NOT_ALLOWED), path=r"/issue/10001(/.*)?$", times=None)


def none_open(house: House) -> None:
    where: dict[str, Any] = {"service": "pagerduty", "method": "GET", "path": r"/incidents$"}
    house.world.faults.add(faults.error(200, body=NONE_OPEN), times=None, **where)


def page_that_repeats(house: House) -> None:
    where: dict[str, Any] = {"service": "jira", "path": r"/search/jql$"}
    house.world.faults.add(faults.error(200, body=AGAIN), times=6, **where)


def issue_errors(house: House) -> None:
    for issue in list(house.world.jira.site.issues):
        house.world.jira.make_unreadable(issue, times=4)


def lagging_search(house: House) -> None:
    house.world.jira.site.options.search_lag = 600.0


def lagging_both(house: House) -> None:
    house.world.jira.site.options.search_lag = house.world.jira.site.options.fetch_lag = 300.0


def logged_out(house: House) -> None:
    house.world.jira.site.options.login = "expired"


def logged_out_without_headers(house: House) -> None:
    house.world.jira.site.options.login_headers = False
    logged_out(house)


def refused_endpoint(status: int, path: str) -> Callable[[House], None]:
    def begin(house: House) -> None:
        house.world.faults.add(faults.error(status), path=path, times=None)

    return begin


IN_TURN = list(STRIKES) if os.environ.get("REFUSALS") == "all" else list(STRIKES)[turn(6) :: 6]
WAYS: dict[str, Callable[[House], None]] = {
    **{name: on_a_third(STRIKES[name]) for name in IN_TURN},
    "mixed": everything,
    "403-on-one-issue": one_issue_forbidden,
    "incidents-vanish": none_open,
    "page-repeats": page_that_repeats,
    "issueErrors": issue_errors,
    "logged-out": logged_out,
    "logged-out-silently": logged_out_without_headers,
    "401-on-creates": refused_endpoint(401, r"/issue(/bulk)?$"),
    "403-on-moves": refused_endpoint(403, r"/transitions$"),
    "search-lags": lagging_search,
    "both-lag": lagging_both,
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        yield Path(name)


def turns(house: House, number: int) -> None:
    for _ in range(number):
        house.world.advance(30)
        house.survive(house.turn)


def life(house: House, begin: Callable[[House], None]) -> dict[str, Any]:
    """One incident before the faults, one among them; then the calm, and a person tries again."""
    people, jira = house.world.pagerduty, house.world.jira
    first = people.trigger("Alipay Integration", "First", priority="P4")
    house.rest()
    begin(house)
    second = people.trigger("BluBank Integration", "Second", priority="P2")
    people.acknowledge(first.id, BY)
    people.note(first.id, "on it", BY)
    jira.comment(house.ticket(first.id), "ok", by=COLLEAGUE)
    turns(house, 3)
    people.set_priority(first.id, "P3", BY)
    people.acknowledge(second.id, BY)
    people.note(second.id, "me too", BY)
    turns(house, 3)
    people.set_priority(first.id, "P4", BY)
    people.resolve(first.id, BY)
    turns(house, 2)
    house.world.faults.clear()
    house.world.jira.site.options.login = "good"
    # a way may have put itself between daemon and services
    vars(house).pop("carry", None)
    turns(house, 14)
    house.world.jira.site.options.search_lag = house.world.jira.site.options.fetch_lag = 0.0
    assert house.ledger
    ask(house.ledger, "outbox.retry", {"ids": []}, "operator")
    turns(house, 4)
    house.rest()
    return seen(house)


def seen(house: House) -> dict[str, Any]:
    """What people see in the end; marks and minutes depend on who wrote first, and when."""
    return {
        name: json.loads(MARK.sub("mark", json.dumps(state))) for name, state in house.end_state().items()
    }


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        house = House(Path(name), 0)
        try:
            return life(house, lambda _house: None)
        finally:
            house.stop()


@pytest.mark.parametrize("way", WAYS)
def test_after_the_faults_stop_the_end_is_the_one_without(
    way: str, folder: Path, calm: dict[str, Any]
) -> None:
    house = House(folder, 0)
    after_faults = life(house, WAYS[way])
    assert after_faults == calm
    assert house.once_more() == []
    assert seen(house) == calm
    house.stop()
