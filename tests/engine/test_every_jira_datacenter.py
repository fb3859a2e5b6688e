"""Data Center: another search, people by name, a bearer token, no bulk reads; and the same life."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine import test_lifecycle
from engine.cast import incident_of, issue_of, nothing_more_is_written, ours, status
from syncd.sandbox import faults, presets

globals().update({name: test for name, test in vars(test_lifecycle).items() if name.startswith("test_")})
# Every test of a ticket's life runs here again; `make_rig` and with it `house` are another edition's.

CREATE = r"/issue$"


@pytest.fixture
def make_rig(make_rig: Any) -> Any:
    """Rigs whose Jira is Data Center."""
    return lambda **options: make_rig(**{"data_center_edition": True, **options})


def others(rig: Rig, count: int) -> None:
    for number in range(count):
        rig.world.jira.create("Ines Carvalho", f"Somebody else's work {number}")


def asked(rig: Rig) -> set[str]:
    return {line.pattern for line in rig.world.journal.lines(service="jira")}


def test_no_request_leaves_that_only_cloud_knows(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12)
    assert status(house) == "Done"
    answers = {(line.method, line.status) for line in house.world.journal.lines(service="jira")}
    # a start reads the key after the highest that the ledger knows, and no issue has it
    assert {status for method, status in answers if (method, status) != ("GET", 404)} <= {200, 201, 204}
    assert "/rest/api/2/search" in asked(house)
    assert not any(word in pattern for pattern in asked(house) for word in ("bulk", "jql", "api/3"))


def test_people_are_known_by_name(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    assert issue_of(house)["fields"]["assignee"]["name"] == "amara.osei"
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], "Amara Osei")
    house.settle(2)
    assert issue_of(house)["fields"]["assignee"]["name"] == "mei.tanaka"
    nothing_more_is_written(house)


@pytest.mark.parametrize("between", [0, 9, 30])
def test_a_lost_answer_to_a_create_is_found_key_by_key(house: Rig, between: int) -> None:
    house.world.jira.site.options.search_lag = 7200
    others(house, between)
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=CREATE, times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    assert len(ours(house)) == 1
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_beyond_fifty_keys_the_search_finds_it(house: Rig) -> None:
    rule = house.world.faults.add(faults.error(503), service="jira", path="/search", times=None)
    others(house, 70)
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=CREATE, times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.faults.remove(rule.id)
    house.settle(12)
    assert len(ours(house)) == 1
    assert ours(house)[0]["key"] == "OPS-71"
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_keys_that_are_gone_do_not_hide_it(house: Rig) -> None:
    others(house, 20)
    for number in range(1, 21):
        house.world.jira.delete(f"OPS-{number}")
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=CREATE, times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    assert [issue["key"] for issue in ours(house)] == ["OPS-21"]
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_a_create_that_never_arrived_is_sent_again_only_after_the_settle_time(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=CREATE, times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    for _ in range(20):
        house.cycle()
    assert ours(house) == []
    house.settle(4)
    assert len(ours(house)) == 1
    nothing_more_is_written(house)


def test_a_look_whose_keys_cannot_be_read_is_no_look(house: Rig) -> None:
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=CREATE, times=1)
    rule = house.world.faults.add(faults.error(503), service="jira", path=r"/issue/OPS-\d+$", times=None)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(30)
    house.world.faults.remove(rule.id)
    house.settle(16)
    assert len(ours(house)) == 1
    nothing_more_is_written(house)


def test_a_strict_workflow_is_walked_here_too(make_rig: Any) -> None:
    rig = make_rig(workflow=presets.strict())
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(12)
    assert status(rig) == "Done"
    nothing_more_is_written(rig)


def test_customers_of_a_service_project_read_nothing_of_ours_here_either(make_rig: Any) -> None:
    rig = make_rig(preset=lambda world: presets.service_desk(world.jira.site))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(2)
    rig.world.pagerduty.note(made.id, "on it", "Amara Osei")
    rig.settle(2)
    ticket = rig.world.jira.site.find("OPS-1")
    assert [comment.public for comment in ticket.comments] == [False]
    assert not rig.operations("parked")
    assert len(incident_of(rig, made)["notes"]) == 2
    nothing_more_is_written(rig)
