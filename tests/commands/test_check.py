"""`syncd check`: what it finds, what it exits with, and that it writes nothing."""

from __future__ import annotations

import pytest
from commandline import House


def codes(findings: list[dict[str, str]], level: str) -> list[str]:
    return [one["code"] for one in findings if one["level"] == level]


def test_every_finding_has_the_five_parts(house: House) -> None:
    said = house.syncd("check", "--json")
    assert said.code == 1
    findings = said.json["findings"]
    assert {frozenset(one) for one in findings} == {frozenset({"code", "level", "where", "message", "hint"})}
    assert {one["level"] for one in findings} <= {"ok", "wrong", "unknown"}
    assert "J01" in codes(findings, "ok")
    assert house.writes() == 0


def test_a_service_that_no_mapping_claims_is_named_with_what_to_do(house: House) -> None:
    said = house.syncd("check")
    assert "Dispatch" in said.out
    assert "its incidents get no ticket" in said.out
    assert "add it to a team's services" in said.out


def test_with_both_teams_mapped_every_service_is_claimed(house: House) -> None:
    house.syncd("init", "mappings", "--example", "ramen")
    findings = house.syncd("check", "--json").json["findings"]
    assert "PD05" not in codes(findings, "wrong")


def test_offline_no_request_leaves(house: House) -> None:
    said = house.syncd("check", "--offline", "--json")
    assert said.code == 0
    assert house.world.journal.total() == 0


@pytest.mark.parametrize(("service", "name"), [("PAGERDUTY", "PagerDuty"), ("JIRA", "Jira")])
def test_a_refused_token_is_77_with_the_name_of_the_service(house: House, service: str, name: str) -> None:
    house.set(f"SYNCD_{service}_TOKEN", "not-the-right-one")
    said = house.syncd("check")
    assert said.code == 77
    assert f"{name} refuses our credentials" in said.err
    assert "not-the-right-one" not in said.out + said.err


def test_a_service_that_is_down_is_unknown_and_69(house: House) -> None:
    house.server.close_door("jira")
    said = house.syncd("check", "--json")
    assert said.code == 69
    assert "J01" in codes(said.json["findings"], "unknown")
    assert "Jira cannot be reached" in said.err


def test_a_variable_that_is_nearly_a_setting_is_found(house: House) -> None:
    house.set("SYNCD_POL_SECONDS", "5")
    findings = house.syncd("check", "--offline", "--json").json["findings"]
    assert [one["hint"] for one in findings if one["where"] == "SYNCD_POL_SECONDS"] == [
        "did you mean `SYNCD_POLL_SECONDS`?"
    ]


def test_a_missing_project_is_found_by_name(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web", "--project", "NOPE")
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    said = bare.syncd("check")
    assert said.code == 1
    assert "NOPE" in said.out
