"""What a service refuses is tried again by one rule: once where a fresh read may help, else by a person."""

from __future__ import annotations

from typing import Any

from rig import Rig

from engine.cast import nothing_more_is_written, status
from syncd.sandbox import faults

ME = "Amara Osei"
NOT_NOW = faults.error(400, body={"errorMessages": ["Not now."], "errors": {}})
MOVES: dict[str, Any] = {"service": "jira", "method": "POST", "path": r"/transitions$"}


def acknowledged(rig: Rig) -> str:
    """Let a ticket be made, and its incident be acknowledged; the move has still to leave."""
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    rig.world.pagerduty.acknowledge(made.id, ME)
    return made.id


def sent(rig: Rig, pattern: str) -> int:
    """How many requests of this kind Jira has received."""
    return len(rig.world.journal.lines(service="jira", method="POST", pattern=pattern))


def test_a_link_that_is_refused_for_ever_is_asked_for_twice_and_parked(house: Rig) -> None:
    source = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    target = house.world.pagerduty.trigger("Alipay Integration", "Cause", priority="P4")
    house.settle(2)
    rule = house.world.faults.add(NOT_NOW, service="jira", method="POST", path=r"/issueLink$", times=None)
    house.world.pagerduty.merge(target.id, [source.id], ME)
    house.settle(4)
    (link,) = house.operations("parked")
    assert link.kind == "link_tickets"
    assert "Not now." in (link.error or "")
    assert rule.struck == 2
    nothing_more_is_written(house)


def test_waiting_for_a_service_is_no_refusal(house: Rig) -> None:
    acknowledged(house)
    later = house.world.faults.add(faults.jira_429(), times=6, **MOVES)
    house.settle(40)
    assert later.struck == 6
    assert status(house) == "In Progress"
    nothing_more_is_written(house)


def test_one_refusal_after_an_outage_is_the_first(house: Rig) -> None:
    acknowledged(house)
    house.world.faults.add(faults.jira_429(), times=6, **MOVES)
    house.world.faults.add(NOT_NOW, times=1, **MOVES)
    house.settle(40)
    assert not house.operations("parked")
    assert status(house) == "In Progress"
    nothing_more_is_written(house)


def test_an_unknown_outcome_is_no_refusal(house: Rig) -> None:
    acknowledged(house)
    house.world.faults.add(faults.reset_before(), times=3, **MOVES)
    house.world.faults.add(NOT_NOW, times=1, **MOVES)
    house.settle(30)
    assert not house.operations("parked")
    assert status(house) == "In Progress"
    nothing_more_is_written(house)


def test_a_restart_forgets_no_refusal(house: Rig) -> None:
    acknowledged(house)
    rule = house.world.faults.add(NOT_NOW, times=None, **MOVES)
    for _ in range(3):
        house.settle(2)
        house.restart()
    house.settle(2)
    assert [row.kind for row in house.operations("parked")] == ["move_ticket"]
    assert rule.struck == 2
