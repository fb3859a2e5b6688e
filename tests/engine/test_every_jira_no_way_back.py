"""Tickets in workflows without a way back: they stay, and syncd says so once."""

from __future__ import annotations

from typing import Any

from engine.cast import comments, issue_of, jira, nothing_more_is_written
from engine.test_every_jira_workflow import ME, PROGRESS, TO_DO, moves, on, resolve, trigger, way
from syncd.sandbox import faults, presets
from syncd.sandbox.jira.workflow import Workflow


def test_without_a_way_back_the_ticket_stays_and_says_so_once(make_rig: Any) -> None:
    rig = on(make_rig, presets.no_way_back())
    people, made = rig.world.pagerduty, trigger(rig)
    for _ in range(2):
        resolve(rig, made)
        people.reopen(made.id, ME)
        rig.settle(2)
        people.acknowledge(made.id, ME)
        rig.settle(2)
    assert moves(rig) == ["Done"]
    told = [body for body in comments(rig) if "no way back" in body]
    assert len(told) == 1 and "stays at: Done" in told[0]
    assert not rig.operations("parked", "pending")
    nothing_more_is_written(rig)


def test_what_stays_does_not_hold_up_the_fields(make_rig: Any) -> None:
    rig = on(make_rig, presets.no_way_back())
    people, made = rig.world.pagerduty, trigger(rig)
    resolve(rig, made)
    people.reopen(made.id, ME)
    people.set_title(made.id, "Latency everywhere", ME)
    rig.settle(2)
    assert issue_of(rig)["fields"]["summary"] == "Latency everywhere"
    assert sum("no way back" in body for body in comments(rig)) == 1
    nothing_more_is_written(rig)


def test_what_waits_for_a_person_still_waits_when_the_ticket_stays(make_rig: Any) -> None:
    rig = on(make_rig, presets.no_way_back())
    people, made = rig.world.pagerduty, trigger(rig)
    resolve(rig, made)
    body = {"errorMessages": ["This issue is not editable."], "errors": {}}
    edits = r"/issue/\d+$"
    rig.world.faults.add(faults.error(400, body=body), service="jira", method="PUT", path=edits, times=None)
    people.set_title(made.id, "Latency everywhere", ME)
    rig.settle(2)
    (parked,) = rig.operations("parked")
    people.reopen(made.id, ME)
    rig.settle(2)
    assert [row.id for row in rig.operations("parked")] == [parked.id]
    assert sum("no way back" in body for body in comments(rig)) == 1
    nothing_more_is_written(rig)


CLASSIC = {
    "triggered": ["Open", "Reopened"],
    "acknowledged": "In Progress",
    "resolved": "Resolved",
    "closed": "Closed",
}


def test_jiras_oldest_workflow_is_reopened_to_its_own_status(make_rig: Any) -> None:
    rig = on(make_rig, presets.classic(), mappings=jira(statuses=CLASSIC))
    people, made = rig.world.pagerduty, trigger(rig, "P1")
    people.acknowledge(made.id, ME)
    rig.settle(2)
    resolve(rig, made)
    people.reopen(made.id, ME)
    rig.settle(2)
    assert issue_of(rig)["fields"]["resolution"] is None
    people.acknowledge(made.id, ME)
    rig.settle(2)
    resolve(rig, made)
    assert moves(rig) == ["In Progress", "Resolved", "Reopened", "In Progress", "Resolved"]
    assert issue_of(rig)["fields"]["resolution"]["name"] == "Done"
    assert not rig.operations("parked")
    nothing_more_is_written(rig)


def test_a_status_that_stands_for_the_word_too_is_left_where_no_way_leads_on(make_rig: Any) -> None:
    rig = on(
        make_rig, Workflow("Short", presets.PLAIN, (way("1", TO_DO, PROGRESS), way("2", PROGRESS, TO_DO)))
    )
    made = trigger(rig, "P1")
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(2)
    resolve(rig, made)
    assert moves(rig) == ["In Progress"]
    assert not rig.operations("parked")
    nothing_more_is_written(rig)
