"""The plan of the next cycle, as `syncd plan` prints it."""

from __future__ import annotations

from commandline import House
from test_reading import LEDGER


def test_plan_says_what_the_next_cycle_would_do_and_writes_nothing(house: House) -> None:
    incident = house.trigger(priority="P4")
    result = house.syncd("plan", "--json")
    assert result.code == 0
    assert result.json["operations"] == [
        {
            "incident": incident,
            "number": 1,
            "ticket": None,
            "name": "#1",
            "kind": "create_ticket",
            "to": None,
            "target": "jira",
            "state": "pending",
            "reason": "incident of Alipay Integration had no ticket",
        },
        {
            "incident": incident,
            "number": 1,
            "ticket": None,
            "name": "#1",
            "kind": "link_note",
            "to": None,
            "target": "pagerduty",
            "state": "pending",
            "reason": "so that responders find the ticket from the incident",
        },
    ]
    assert result.json["first_load"]["state"] == "passed"
    assert house.writes() == 0
    assert not LEDGER.exists()
    shown = house.syncd("plan").out
    assert "create ticket" in shown
    assert "1 ticket to create" in shown


def test_plan_beside_a_ledger_leaves_it_as_it_is(house: House) -> None:
    incident = house.trigger()
    house.syncd("run", "--once")
    house.world.pagerduty.acknowledge(incident, "Amara Osei")
    head, writes = house.syncd("audit", "verify").out, house.writes()
    (operation,) = house.syncd("plan", "--json").json["operations"]
    assert (operation["kind"], operation["reason"]) == ("move_ticket", "the incident is acknowledged")
    assert house.syncd("audit", "verify").out == head
    assert house.writes() == writes


def test_plan_has_nothing_to_say_when_all_is_done(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    assert house.syncd("plan", "--json").json["operations"] == []
    assert "Nothing" in house.syncd("plan").out


def test_plan_of_a_service_that_is_down_is_69(house: House) -> None:
    house.server.close_door("pagerduty")
    result = house.syncd("plan")
    assert result.code == 69
    assert "PagerDuty cannot be reached" in result.err
