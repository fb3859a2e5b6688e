"""Clocks that are set, machines that sleep, ledgers that come back older: one ticket, and nothing lost."""

from __future__ import annotations

import shutil

import pytest
from rig import Rig

from engine.cast import creates, incident_of, issue_of, nothing_more_is_written, ours, status
from syncd.ledger.store import audit
from syncd.policy.marks import mark_in
from syncd.sandbox import faults

CREATE = {"service": "jira", "method": "POST", "path": r"/issue$"}
HOUR = 3600.0


def once_each(rig: Rig, incident: object, note: str) -> None:
    (ticket,) = [issue for issue in ours(rig) if issue["properties"]["syncd"]["incident"] == incident.id]  # type: ignore[attr-defined]
    number = int(ticket["key"].rpartition("-")[2])
    assert sum(note in comment["body"] for comment in issue_of(rig, number)["comments"]) == 1
    notes = [each_note["content"] for each_note in incident_of(rig, incident)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    with rig.ledger.read() as session:
        assert audit.verify(session) is None


@pytest.mark.parametrize("step", [-2 * HOUR, -90.0, 90.0, HOUR, 24 * HOUR])
def test_a_clock_that_is_set_and_set_back_loses_and_doubles_nothing(house: Rig, step: float) -> None:
    before = house.world.pagerduty.trigger("Alipay Integration", "Before", priority="P4")
    house.world.pagerduty.note(before.id, "one", "Amara Osei")
    house.settle(2)
    house.clock.step = step
    during = house.world.pagerduty.trigger("Alipay Integration", "During", priority="P4")
    house.world.pagerduty.note(during.id, "two", "Amara Osei")
    house.world.pagerduty.acknowledge(before.id, "Amara Osei")
    house.settle(4)
    house.clock.step = 0.0
    after = house.world.pagerduty.trigger("Alipay Integration", "After", priority="P4")
    house.world.pagerduty.note(after.id, "three", "Amara Osei")
    house.settle(6)
    assert len(ours(house)) == 3
    for incident, note in ((before, "one"), (during, "two"), (after, "three")):
        once_each(house, incident, note)
    assert status(house, 1) == "In Progress"
    nothing_more_is_written(house)


@pytest.mark.parametrize("strike", [faults.lose_answer(), faults.reset_before()], ids=["arrived", "did not"])
def test_a_machine_that_slept_while_a_create_was_settling_makes_one_ticket(
    house: Rig, strike: faults.Strike
) -> None:
    house.world.faults.add(strike, times=1, **CREATE)
    house.world.jira.site.options.fetch_lag = 60
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.world.pagerduty.note(made.id, "on it", "Amara Osei")
    house.cycle()
    house.world.advance(8 * HOUR)
    house.settle(4)
    once_each(house, made, "on it")
    nothing_more_is_written(house)


def test_what_happened_while_the_machine_slept_is_caught_up(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.advance(HOUR)
    other = house.world.pagerduty.trigger("BluBank Integration", "Meanwhile", priority="P4")
    house.world.pagerduty.note(other.id, "night shift", "Amara Osei")
    house.world.jira.comment("OPS-1", "anybody?", by="Ines Carvalho")
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.world.advance(9 * HOUR)
    house.settle(3)
    once_each(house, other, "night shift")
    assert status(house) == "Done"
    assert sum("anybody?" in note["content"] for note in incident_of(house, made)["notes"]) == 1
    nothing_more_is_written(house)


def test_a_file_of_an_earlier_hour_put_back_by_hand_makes_nothing_twice(house: Rig) -> None:
    first = house.world.pagerduty.trigger("Alipay Integration", "Before the copy", priority="P4")
    house.world.pagerduty.note(first.id, "one", "Amara Osei")
    house.settle(3)
    house.stop()
    shutil.copy(house.folder / house.name, house.folder / "copy.db")
    house.start()
    second = house.world.pagerduty.trigger("Alipay Integration", "After the copy", priority="P4")
    house.world.pagerduty.note(second.id, "two", "Amara Osei")
    house.world.pagerduty.acknowledge(first.id, "Amara Osei")
    house.settle(20)
    house.stop()
    shutil.copy(house.folder / "copy.db", house.folder / "back.db")
    house.name = "back.db"
    house.start()
    sent = creates(house)
    house.settle(30)
    assert creates(house) == sent
    once_each(house, first, "one")
    once_each(house, second, "two")
    assert status(house, 1) == "In Progress"
    nothing_more_is_written(house)
