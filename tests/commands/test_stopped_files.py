"""A mapping file with problems stops its team alone, and what happened meanwhile is caught up afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commandline import House

RAMEN = Path("mappings/ramen.yaml")
BROKEN = {
    "an unknown key": lambda text: text.replace("enforce_from:", "enforce_form:"),
    "no YAML": lambda text: "syncd: 1\nteam: [Ramen\n" + text,
}
ANY_TROUBLE = pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())


@pytest.fixture
def two(house: House) -> House:
    """QRPay and Ramen, each with its shipped mapping."""
    assert house.syncd("init", "more", "--example", "ramen").code == 0
    RAMEN.write_text(Path("more/ramen.yaml").read_text())
    return house


def stopped(house: House) -> list[dict[str, Any]]:
    result = house.syncd("status", "--json")
    refused: list[dict[str, Any]] = result.json["refused"]
    return refused


@ANY_TROUBLE
def test_a_malformed_file_stops_its_team_alone_and_all_is_caught_up_when_it_is_mended(
    two: House, broken: Any
) -> None:
    known = two.trigger(service="Dispatch", title="Couriers are late")
    assert two.syncd("run", "--once").code == 0
    good = RAMEN.read_text()
    RAMEN.write_text(broken(good))
    two.world.pagerduty.acknowledge(known, "Samuel Adeyemi")
    alipay, dispatch = two.trigger(), two.trigger(service="Dispatch", title="Couriers are lost")
    short = two.trigger(service="Dispatch", title="Short")
    for number in range(2):
        result = two.syncd("run", "--once")
        assert result.code == 1
        assert "Ramen stopped: the mapping ramen.yaml cannot be used" in result.err
        assert "mappings/ramen.yaml:" in result.err
        if number == 0:
            two.world.pagerduty.resolve(short, "Samuel Adeyemi")
    assert len(two.tickets(alipay)) == 1
    assert two.tickets(dispatch) == two.tickets(short) == []
    (ticket,) = two.tickets(known)
    assert ticket["fields"]["status"]["name"] == "To Do"
    (refusal,) = stopped(two)
    assert refusal["teams"] == ["Ramen"] and "ramen.yaml" in refusal["why"] and "Dispatch" in refusal["what"]
    assert two.syncd("status", "--json").json["unmapped_services"] == {}
    assert "Stopped since" in two.syncd("status").out
    assert two.syncd("check", "--offline").code == 78
    assert two.syncd("plan").code == 1
    RAMEN.write_text(good)
    # PagerDuty's times are whole seconds, and a window ends before its last one
    two.clock.pass_time(60)
    for _ in range(2):
        assert two.syncd("run", "--once").code in (0, 75)
    assert stopped(two) == []
    assert [len(two.tickets(incident)) for incident in (known, alipay, dispatch, short)] == [1, 1, 1, 1]
    (ticket,) = two.tickets(known)
    assert ticket["fields"]["status"]["name"] == "In Progress"


def test_a_first_start_with_a_malformed_file_loses_nothing_of_its_team(two: House) -> None:
    good = RAMEN.read_text()
    RAMEN.write_text(BROKEN["no YAML"](good))
    early = two.trigger(service="Dispatch", title="Couriers are late")
    # PagerDuty's times are whole seconds, and a window ends before its last one
    two.clock.pass_time(60)
    result = two.syncd("run", "--once")
    assert result.code == 1
    assert "perhaps ramen.yaml, which cannot be read" in result.err
    two.world.pagerduty.resolve(early, "Samuel Adeyemi")
    two.syncd("run", "--once")
    two.clock.pass_time(60)
    RAMEN.write_text(good)
    two.syncd("run", "--once")
    assert len(two.tickets(early)) == 1


def test_two_files_that_claim_one_service_stop_both_teams_and_no_other(two: House) -> None:
    twice = RAMEN.read_text().replace("Dispatch", "Alipay Integration")
    RAMEN.write_text(twice)
    result = two.syncd("run", "--once")
    assert result.code == 78
    assert "already claims" in result.err
    third = Path("mappings/third.yaml")
    third.write_text(
        "syncd: 1\nteam: Third\nenforce_from: 2026-01-01\njira: {project: OPS}\nservices: {Dispatch: {}}\n"
    )
    incident, contested = two.trigger(service="Dispatch"), two.trigger()
    result = two.syncd("run", "--once")
    assert result.code == 1
    assert "already claims" in result.err and "claims, too" in result.err
    assert (len(two.tickets(incident)), two.tickets(contested)) == (1, [])


def test_without_any_usable_mapping_the_start_is_78_with_every_problem(house: House) -> None:
    only = Path("mappings/qrpay.yaml")
    only.write_text(only.read_text().replace("enforce_from:", "enforce_form:"))
    for command in (("run", "--once"), ("plan",), ("check",)):
        result = house.syncd(*command)
        assert result.code == 78
        assert "enforce_form: unknown key" in result.err


def test_a_file_that_ends_in_yml_stops_its_team_alone(two: House) -> None:
    RAMEN.rename("mappings/ramen.yml")
    alipay, dispatch = two.trigger(), two.trigger(service="Dispatch")
    result = two.syncd("run", "--once")
    assert result.code == 1
    assert "its name ends in .yml; name it ramen.yaml" in result.err
    assert (len(two.tickets(alipay)), two.tickets(dispatch)) == (1, [])
