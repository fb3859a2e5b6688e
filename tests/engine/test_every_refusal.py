"""What is no outage: one endpoint refused alone, a success without effect, a budget near zero, a dead token.

After each of them the end is the one without any, on both editions. Each run plays one refusal of every
second endpoint, other ones after each change of the code; `REFUSALS=all` plays all of them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cheap_ledgers import memory
from simulation.house import House
from turns import turn

from engine.test_every_fault import folder, life, logged_out, seen
from syncd.remote.http.deadline import Flight
from syncd.sandbox import faults
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery

__all__ = ["folder"]

EDITIONS = ("cloud", "datacenter")
WORDS = {
    "jira": {"errorMessages": ["You may not use this."], "errors": {}},
    "pagerduty": {"error": {"message": "Access Denied", "code": 2010}},
}
CODES = (400, 401, 403, 404)
FORMS: dict[str, Callable[[int, str], faults.Strike]] = {
    "words": lambda code, service: faults.error(code, body=WORDS[service]),
    "html": lambda code, _: faults.html(code),
    "null": lambda code, _: faults.error(code, body=b"null"),
    "plain": lambda code, _: faults.error(code, {"Content-Type": "text/plain"}, b"Access denied by policy"),
}
LASTS = {"lasting": None, "passing": 3}
ENDPOINTS = {
    "comments": ("jira", "GET", r"/comment$"),
    "transitions": ("jira", "GET", r"/transitions$"),
    "people": ("jira", "GET", r"/user/assignable/search$"),
    "screens": ("jira", "GET", r"/createmeta/"),
    "rights": ("jira", "GET", r"/mypermissions$"),
    "changelog": ("jira", None, r"/changelog(/bulkfetch)?$"),
    "bulk read": ("jira", "POST", r"/issue/bulkfetch$"),
    "issue": ("jira", "GET", r"/issue/\d+$"),
    "search": ("jira", "POST", r"/search(/jql)?$"),
    "project": ("jira", "GET", r"/project/"),
    "priorities": ("jira", "GET", r"/priority$"),
    "link types": ("jira", "GET", r"/issueLinkType$"),
    "resolutions": ("jira", "GET", r"/resolution"),
    "notes": ("pagerduty", "GET", r"/notes$"),
    "alerts": ("pagerduty", "GET", r"/alerts$"),
    "log": ("pagerduty", "GET", r"/log_entries$"),
    "open incidents": ("pagerduty", "GET", r"/incidents$"),
    "incident": ("pagerduty", "GET", r"/incidents/\w+$"),
    "users": ("pagerduty", "GET", r"/users"),
    "services": ("pagerduty", "GET", r"/services$"),
}
COMBINED = list(product(CODES, FORMS, LASTS, EDITIONS))
Case = tuple[str, int, str, str, str]


def refusals() -> list[Case]:
    """Return the cases of this run: endpoint, code, form, how long, edition."""
    if os.environ.get("REFUSALS") == "all":
        return [(endpoint, *combined) for endpoint in ENDPOINTS for combined in COMBINED]
    # a stride that shares no factor with their number meets every combination within one run of turns
    first, half = divmod(turn(2 * len(COMBINED)), 2)
    numbers = [(first + 13 * place) % len(COMBINED) for place in range(len(ENDPOINTS))]
    cases = [(endpoint, *COMBINED[number]) for endpoint, number in zip(ENDPOINTS, numbers, strict=True)]
    return cases[half::2]


@cache
def calm(edition: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        house = House(Path(name), 0, data_center=edition == "datacenter")
        try:
            return life(house, lambda _house: None)
        finally:
            house.stop()


def ends_as_without(place: Path, edition: str, begin: Callable[[House], None]) -> None:
    house = House(place, 0, data_center=edition == "datacenter")
    end = life(house, begin)
    assert end == calm(edition)
    assert house.once_more() == []
    assert seen(house) == calm(edition)
    house.stop()


@pytest.mark.parametrize("case", refusals(), ids=lambda case: "-".join(map(str, case)).replace(" ", "-"))
def test_a_refusal_of_one_endpoint_alone_leaves_nothing_behind(case: Case, folder: Path) -> None:
    endpoint, code, form, lasts, edition = case
    service, method, path = ENDPOINTS[endpoint]

    def begin(house: House) -> None:
        strike = FORMS[form](code, service)
        house.world.faults.add(strike, service=service, method=method, path=path, times=LASTS[lasts])
        # the lists of the start are read again
        assert house.loop
        house.loop.context.facts.forget_projects()

    ends_as_without(folder, edition, begin)


SILENCES: dict[str, tuple[faults.Strike, str, str]] = {
    "moves": (faults.no_effect(), "POST", r"/transitions$"),
    "edits": (faults.ignore(), "PUT", r"/issue/[^/]+$"),
    "half edits": (faults.ignore("priority", "labels"), "PUT", r"/issue/[^/]+$"),
}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("writes", SILENCES)
def test_a_success_without_effect_is_seen_and_mended(writes: str, edition: str, folder: Path) -> None:
    strike, method, path = SILENCES[writes]

    def begin(house: House) -> None:
        house.world.faults.add(strike, service="jira", method=method, path=path, times=None)

    ends_as_without(folder, edition, begin)


def nearly_spent(remaining: str, reset: str) -> Callable[[House], None]:
    """Return a way in which PagerDuty says in each answer that nearly nothing is left."""

    def begin(house: House) -> None:
        plain = house.carry

        def carry(service: str, call: Call, flight: Flight) -> Delivery:
            delivery = plain(service, call, flight)
            if service != "pagerduty" or delivery.reply is None:
                return delivery
            limits = {"ratelimit-limit": "960", "ratelimit-remaining": remaining, "ratelimit-reset": reset}
            reply = replace(delivery.reply, headers={**delivery.reply.headers, **limits})
            return replace(delivery, reply=reply)

        house.carry = carry  # type: ignore[method-assign] # `life` takes it away again

    return begin


@pytest.mark.parametrize(("remaining", "reset"), [("0", "60"), ("1", "60"), ("0", "3600"), ("0", "inf")])
def test_a_budget_near_zero_delays_and_loses_nothing(remaining: str, reset: str, folder: Path) -> None:
    ends_as_without(folder, "cloud", nearly_spent(remaining, reset))


def test_a_dead_token_of_data_center_leaves_nothing_behind(folder: Path) -> None:
    ends_as_without(folder, "datacenter", logged_out)
