"""`syncd check`: what it finds, what it exits with, and that it writes nothing unless it is told to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from check_cast import codes, found, of, remap
from commandline import House

from syncd.preflight.checks import configured
from syncd.preflight.checks.configured import HOSTILE
from syncd.sandbox import faults

TOP = Path(__file__).parents[2]


def codes_in_the_readme() -> set[str]:
    readme = (TOP / "mappings" / "README.md").read_text()
    return set(re.findall(r"^\| `([A-Z]+\d{2})` \|", readme, re.MULTILINE))


def test_every_finding_has_its_parts_and_a_code_that_is_known(house: House) -> None:
    said = house.syncd("check", "--json")
    assert said.code == 1
    findings = said.json["findings"]
    parts = frozenset({"code", "level", "where", "message", "hint", "who"})
    assert {frozenset(one) for one in findings} == {parts}
    assert {one["level"] for one in findings} <= {"ok", "wrong", "unknown"}
    assert {one["code"] for one in findings} <= codes_in_the_readme()
    assert {one["who"] for one in findings} <= {"you", "PagerDuty admin", "Jira admin"}
    assert house.writes() == 0


def test_the_readme_of_the_mappings_describes_every_code_and_no_other() -> None:
    sources = [
        TOP / "syncd" / "commands" / "check.py",
        *(TOP / "syncd" / "preflight" / "checks").glob("*.py"),
    ]
    code = re.compile(r'"((?:C|PD|J|T)\d{2})"')
    assert {one for path in sources for one in code.findall(path.read_text())} == codes_in_the_readme()


def test_offline_no_request_leaves(house: House) -> None:
    said = house.syncd("check", "--offline", "--json")
    assert said.code == 0
    assert house.world.journal.total() == 0
    assert "C07" in codes(said.json["findings"], "ok")


def test_offline_a_first_mapping_is_judged_without_any_account(bare: House) -> None:
    for name in ("PAGERDUTY_TOKEN", "PAGERDUTY_FROM", "JIRA_URL", "JIRA_EMAIL", "JIRA_TOKEN"):
        bare.unset(f"SYNCD_{name}")
    assert bare.syncd("init", "mine", "--team", "Payments", "--service", "Checkout API").code == 0
    bare.set("SYNCD_MAPPINGS_DIR", "mine")
    said = bare.syncd("check", "--offline", "--json")
    assert said.code == 0
    missing = [one["where"] for one in said.json["findings"] if one["code"] == "C09"]
    assert missing == [
        "SYNCD_PAGERDUTY_TOKEN",
        "SYNCD_PAGERDUTY_FROM",
        "SYNCD_JIRA_URL",
        "SYNCD_JIRA_TOKEN",
    ]
    bare.set("SYNCD_MAPPINGS_DIR", "nowhere")
    wrong = bare.syncd("check", "--offline")
    assert wrong.code == 78
    assert "no folder" in wrong.err
    assert "JIRA_TOKEN" not in wrong.err


@pytest.mark.parametrize(("service", "name"), [("PAGERDUTY", "PagerDuty"), ("JIRA", "Jira")])
def test_a_refused_token_is_77_with_the_name_of_the_service(house: House, service: str, name: str) -> None:
    house.set(f"SYNCD_{service}_TOKEN", "not-the-right-one")
    said = house.syncd("check")
    assert said.code == 77
    assert f"{name} refuses our credentials" in said.err
    assert "not-the-right-one" not in said.out + said.err


@pytest.mark.parametrize("headers", [True, False], ids=["said", "silent"])
def test_a_token_that_jira_takes_for_nobody_is_77_and_nothing_is_called_missing(
    house: House, headers: bool
) -> None:
    options = house.world.jira.site.options
    options.login, options.login_headers = "expired", headers
    said = house.syncd("check", "--json")
    assert said.code == 77
    assert "Jira refuses our credentials" in said.err
    findings = [one for one in said.json["findings"] if one["code"].startswith("J")]
    assert {one["level"] for one in findings} <= {"wrong", "unknown"}
    # each says that the login is refused, and none that something is not there
    assert {one["message"].rpartition(": ")[2] for one in findings} == {
        "Client must be authenticated to access this resource."
    }
    assert house.world.journal.counts()["jira", "GET", "/rest/api/2/myself"] <= 2


@pytest.mark.parametrize(
    ("service", "code", "name"), [("jira", "J01", "Jira"), ("pagerduty", "PD01", "PagerDuty")]
)
def test_a_service_that_is_down_is_unknown_and_69_and_the_other_is_asked(
    house: House, service: str, code: str, name: str
) -> None:
    house.server.close_door(service)
    said = house.syncd("check", "--json")
    assert said.code == 69
    findings = said.json["findings"]
    assert of(findings, code, "unknown")
    assert of(findings, {"J01": "PD02", "PD01": "J02"}[code], "ok")
    assert f"{name} cannot be reached" in said.err


def test_what_fails_once_is_unknown_and_never_read_as_no(first: House) -> None:
    first.world.faults.add(faults.error(500), service="jira", path="/mypermissions$", times=None)
    findings = found(first)
    assert of(findings, "J03", "unknown")
    assert not of(findings, "J03", "wrong")


def test_a_variable_that_is_nearly_a_setting_is_found(house: House) -> None:
    house.set("SYNCD_POL_SECONDS", "5")
    hints = [one["hint"] for one in found(house, "--offline") if one["where"] == "SYNCD_POL_SECONDS"]
    assert hints == ["did you mean `SYNCD_POLL_SECONDS`?"]


def test_a_template_that_breaks_on_a_hostile_title_is_wrong(first: House) -> None:
    first.monkeypatch.setattr(configured, "HOSTILE", HOSTILE)
    Path("t").mkdir()
    Path("t/own.j2").write_text(
        "{{ 1 / (incident.title.find('raw') + 2 if 'raw' in incident.title else 1) }}"
    )
    Path("t/bad.j2").write_text("{% if 'HYPERLINK' in incident.title %}{{ nothing.there }}{% endif %}")
    first.set("SYNCD_TEMPLATES_DIR", "t")
    remap(first, "closing:\n", "template: bad.j2\nclosing:\n")
    (template,) = of(found(first, "--offline"), "C07", "wrong")
    assert "bad.j2" in template["message"]
    remap(first, "bad.j2", "ticket.j2")
    assert of(found(first, "--offline"), "C07", "ok")
