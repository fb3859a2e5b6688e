"""Creates in batches: as fast as the service allows, and each exactly once."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.test_lifecycle import nothing_more_is_written
from syncd.sandbox import dump, faults


def ours(rig: Rig) -> list[dict[str, Any]]:
    issues = dump.whole(rig.world)["jira"]["issues"]
    return [one for one in issues if one.get("properties", {}).get("syncd")]


def asked(rig: Rig, pattern: str) -> int:
    return len(rig.world.journal.lines(service="jira", method="POST", pattern=pattern))


def storm(rig: Rig, count: int, **more: Any) -> list[str]:
    return [
        rig.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", **more).id
        for number in range(count)
    ]


def each_has_one_ticket(rig: Rig, incidents: list[str]) -> None:
    marked = [one["properties"]["syncd"]["incident"] for one in ours(rig)]
    assert sorted(marked) == sorted(incidents)


def test_a_storm_is_ticketed_in_batches_that_double(house: Rig) -> None:
    incidents = storm(house, 80, priority="P3")
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue/bulk") == 4
    assert asked(house, "/rest/api/2/issue") == 0
    nothing_more_is_written(house)


def test_the_two_highest_severities_never_ride_in_a_batch(house: Rig) -> None:
    incidents = (
        storm(house, 15, priority="P3") + storm(house, 3, priority="P1") + storm(house, 2, priority="P2")
    )
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue") == 5


def test_a_lost_answer_to_a_batch_is_bound_by_what_is_found(house: Rig) -> None:
    house.world.jira.site.options.search_lag = 600
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue/bulk$", times=1)
    incidents = storm(house, 30, priority="P3")
    house.settle(3)
    each_has_one_ticket(house, incidents)
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_a_batch_that_never_arrived_settles_and_then_goes_alone(house: Rig) -> None:
    house.world.faults.add(
        faults.reset_before(), service="jira", method="POST", path=r"/issue/bulk$", times=1
    )
    incidents = storm(house, 12, priority="P3")
    house.cycle()
    assert len(ours(house)) < 12
    house.settle(24)
    each_has_one_ticket(house, incidents)
    nothing_more_is_written(house)


@pytest.mark.parametrize("lag", [0.0, 300.0])
def test_what_is_not_read_back_at_once_is_found_later(house: Rig, lag: float) -> None:
    house.world.jira.site.options.fetch_lag = lag
    incidents = storm(house, 25, priority="P3")
    house.settle(24)
    each_has_one_ticket(house, incidents)
    nothing_more_is_written(house)


def test_a_refused_element_goes_on_alone_and_the_others_are_made(house: Rig) -> None:
    incidents = storm(house, 14, priority="P3")
    poisoned = house.world.pagerduty.trigger("Alipay Integration", "poison", priority="P3").id
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "No poison here."}})
    house.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue(/bulk)?$", body="poison", times=None
    )
    house.settle(4)
    each_has_one_ticket(house, incidents)
    parked = house.operations("parked")
    assert [row.incident_id for row in parked] == [poisoned]
    assert "No poison here." in (parked[0].error or "")


def test_resolved_incidents_are_born_in_their_status(house: Rig) -> None:
    incidents = storm(house, 40, priority="P4")
    for incident in incidents:
        house.world.pagerduty.resolve(incident, "Amara Osei")
    house.world.advance(900)
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert {one["fields"]["status"]["name"] for one in ours(house)} == {"Done"}
    moves = asked(house, "/rest/api/2/issue/{issue}/transitions")
    assert moves <= 2
    nothing_more_is_written(house)


def test_what_batches_made_is_read_back_a_hundred_at_a_time(house: Rig) -> None:
    incidents, before = storm(house, 80, priority="P3"), asked(house, "/rest/api/2/issue/bulkfetch")
    house.cycle()
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue/bulkfetch") - before == 2


def test_acknowledged_incidents_are_born_in_progress(house: Rig) -> None:
    incidents = storm(house, 30, priority="P3")
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert {one["fields"]["status"]["name"] for one in ours(house)} == {"In Progress"}
    assert asked(house, "/rest/api/2/issue/{issue}/transitions") <= 1
    nothing_more_is_written(house)


def test_all_creates_leave_before_the_first_note_or_edit(house: Rig) -> None:
    storm(house, 60, priority="P3")
    house.settle(2)
    writes = [line.pattern for line in house.world.journal.writes()]
    last_create = max(place for place, one in enumerate(writes) if one.endswith("/issue/bulk"))
    first_note = min(place for place, one in enumerate(writes) if one.endswith("/notes"))
    assert last_create < first_note


def test_a_transition_that_jira_refuses_in_a_create_is_left_out_of_the_next_try(house: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": ["It is not valid."], "errors": {}})
    house.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue(/bulk)?$", body='"transition"', times=None
    )
    incidents = storm(house, 20, priority="P3")
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(4)
    each_has_one_ticket(house, incidents)
    assert not house.operations("parked")
    assert {one["fields"]["status"]["name"] for one in ours(house)} == {"In Progress"}


def test_a_single_create_that_batches_left_does_not_wait_for_the_next_storm(house: Rig) -> None:
    incidents = storm(house, 11, priority="P3")
    house.cycle()
    each_has_one_ticket(house, incidents)
