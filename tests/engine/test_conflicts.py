"""Another robot changes back what we wrote: the daemon stops, end to end."""

from __future__ import annotations

import json
from typing import Any

from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, status
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.tables import AuditEventRow
from syncd.ledger.views.audit_trail import verify
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data

ROBOT = "Ines Carvalho"


def events(rig: Rig, kind: str = "conflict") -> list[dict[str, Any]]:
    from sqlmodel import select

    with rig.ledger.read() as session:
        rows = session.exec(select(AuditEventRow).where(AuditEventRow.kind == kind)).all()
        return [json.loads(row.text) for row in rows]


def told(rig: Rig, words: str) -> int:
    return sum(words in comment["body"] for comment in issue_of(rig)["comments"])


def test_a_field_that_a_robot_changes_back_three_times_is_left(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    titles = ["Latency high", "Latency higher", "Latency highest", "No latency"]
    for title in titles:
        before = issue_of(house)["fields"]["summary"]
        house.world.pagerduty.set_title(made.id, title, "Amara Osei")
        house.settle(2)
        if issue_of(house)["fields"]["summary"] != before:
            house.world.jira.edit("OPS-1", ROBOT, summary=before)
            house.settle(2)
    assert issue_of(house)["fields"]["summary"] == "Latency"
    reason = "summary was changed back 3 times within 24 hours on this ticket"
    assert events(house) == [{"rule": "conflict", "reason": reason, "aspect": "summary"}]
    assert told(house, "Summary: a person or another tool changed back 3 times") == 1
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.settle(2)
    assert issue_of(house)["fields"]["priority"]["name"] == "Highest"
    nothing_more_is_written(house)


def test_a_status_that_a_robot_moves_back_three_times_is_left_for_good(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    house.settle(2)
    for number in range(3):
        house.world.pagerduty.resolve(made.id, "Amara Osei")
        house.settle(14)
        assert status(house) == "In Review", number
        house.world.jira.transition("OPS-1", "To Do", ROBOT)
        house.settle(1)
        house.world.pagerduty.reopen(made.id, "Amara Osei")
        house.settle(2)
    assert [event["aspect"] for event in events(house)] == ["status"]
    stands = status(house)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(20)
    assert status(house) == stands
    assert told(house, "Status: a person or another tool changed back") == 1
    nothing_more_is_written(house)


def test_changes_back_that_lie_days_apart_are_people_s_work(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    for number in range(4):
        house.world.pagerduty.set_title(made.id, f"Latency {number}", "Amara Osei")
        house.settle(2)
        house.world.jira.edit("OPS-1", ROBOT, summary="Latency")
        house.settle(2)
        house.world.advance(13 * 3600)
    assert events(house) == []


def test_a_field_of_nobody_s_that_both_sides_changed_is_a_conflict_and_stays_one(make_rig: Any) -> None:
    rules = mapping(jira={"project": "OPS", "owners": {"summary": "nobody"}})
    rig = make_rig(mappings=(rules,))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    rig.world.pagerduty.set_title(made.id, "Latency high", "Amara Osei")
    rig.world.jira.edit("OPS-1", ROBOT, summary="The bank is slow")
    rig.settle(2)
    rig.world.jira.edit("OPS-1", ROBOT, summary="Latency high")
    rig.settle(2)
    rig.world.pagerduty.set_title(made.id, "Something else", "Amara Osei")
    rig.settle(2)
    assert issue_of(rig)["fields"]["summary"] == "Latency high"
    assert [event["aspect"] for event in events(rig)] == ["summary"]
    assert told(rig, "both sides changed this field") == 1
    nothing_more_is_written(rig)


def test_a_conflict_is_shown_and_stands_in_the_audit_trail(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    for number in range(3):
        house.world.pagerduty.set_title(made.id, f"Latency {number}", "Amara Osei")
        house.settle(2)
        house.world.jira.edit("OPS-1", ROBOT, summary="Latency")
        house.settle(2)
    (conflict,) = status_data(house.ledger)["conflicts"]
    incident = incident_named(house.ledger, made.id)
    assert incident is not None
    shown = show_data(house.ledger, incident, house.clock.now())
    assert verify(house.ledger) is None
    number = incident_of(house, made)["incident_number"]
    assert (conflict["number"], conflict["ticket"], conflict["aspect"]) == (number, "OPS-1", "summary")
    assert shown["ticket"]["conflicts"] == ["summary"]
    assert [event["data"]["aspect"] for event in shown["events"] if event["kind"] == "conflict"] == [
        "summary"
    ]
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="Latency 2")
    house.settle(2)
    assert status_data(house.ledger)["conflicts"] == []
    house.world.pagerduty.set_title(made.id, "Latency 3", "Amara Osei")
    house.settle(2)
    assert len(status_data(house.ledger)["conflicts"]) == 1
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="The bank is slow")
    house.settle(2)
    assert status_data(house.ledger)["conflicts"] == []
    assert len(events(house)) == 1
    house.world.pagerduty.set_title(made.id, "Latency 4", "Amara Osei")
    house.settle(2)
    assert issue_of(house)["fields"]["summary"] == "Latency 4"
    nothing_more_is_written(house)
