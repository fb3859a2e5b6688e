"""Two ledgers on one project: the younger stops within a cycle, both say so, and no more doubles are made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Rig, RigClock, mapping

from syncd.ledger.store import holds
from syncd.ledger.views.status import status_data
from syncd.sandbox import dump


@pytest.fixture
def other(house: Rig, tmp_path: Path) -> Iterator[Rig]:
    """A second daemon with a ledger of its own, on the same accounts."""
    made = Rig(tmp_path, house.world, house.server, house.mappings, RigClock(house.world.clock), name="b.db")
    house.world.pagerduty.trigger("Alipay Integration", "Before the other came")
    house.settle(2)
    made.start()
    yield made
    made.stop()


def tickets_of(rig: Rig, incident: str) -> list[str]:
    issues = dump.whole(rig.world)["jira"]["issues"]
    return [issue["key"] for issue in issues if f"pd-{incident}" in issue["fields"]["labels"]]


def paused(rig: Rig) -> dict[str, str]:
    with rig.ledger.read() as session:
        return {target: pause["reason"] for target, pause in holds.pauses(session).items()}


def rivals(rig: Rig) -> list[dict[str, object]]:
    return list(status_data(rig.ledger)["rivals"])


def both(house: Rig, other: Rig, cycles: int = 1) -> None:
    for _ in range(cycles):
        other.cycle(15)
        house.cycle(15)


def test_the_younger_of_two_ledgers_stops_within_a_cycle_and_the_older_goes_on(
    house: Rig, other: Rig
) -> None:
    first = house.world.pagerduty.trigger("Alipay Integration", "Made by both")
    both(house, other, 2)
    assert len(tickets_of(house, first.id)) == 2
    assert set(paused(other)) == {"jira", "pagerduty", "mail", "chat"}
    assert "another ledger" in paused(other)["jira"]
    assert paused(house) == {}
    second = house.world.pagerduty.trigger("Alipay Integration", "Made by one")
    house.world.pagerduty.note(first.id, "on it", "Amara Osei")
    both(house, other, 4)
    assert len(tickets_of(house, second.id)) == 1
    assert [rival["younger"] for rival in rivals(other)] == [True]
    assert [rival["younger"] for rival in rivals(house)] == [False]


def test_the_younger_that_was_resumed_stops_again_with_the_next_ticket_of_the_older(
    house: Rig, other: Rig
) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "First")
    both(house, other, 3)
    house.world.pagerduty.trigger("Alipay Integration", "Second")
    both(house, other, 3)
    assert paused(other)
    with other.ledger.write() as session:
        holds.resume(session, list(holds.Target), "operator", other.clock.now())
    both(house, other, 3)
    assert paused(other) == {}
    house.world.pagerduty.trigger("Alipay Integration", "Third")
    both(house, other, 3)
    assert paused(other)


def test_the_tickets_of_a_ledger_that_was_lost_stop_nobody(house: Rig, tmp_path: Path) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    house.stop()
    house.name = "anew.db"
    house.start()
    house.settle(3)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(3)
    assert paused(house) == {}
    assert len(tickets_of(house, made.id)) == 1


def test_the_tickets_of_another_team_s_daemon_stop_nobody(house: Rig, other: Rig) -> None:
    house.mappings = (mapping(services={"Yoomonea Service": {}}),)
    house.restart()
    house.settle(2)
    house.world.pagerduty.trigger("Alipay Integration", "Only the other's")
    both(house, other, 3)
    assert paused(house) == {}
