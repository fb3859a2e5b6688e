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
    result = house.syncd("check", "--json")
    assert result.code == 1
    findings = result.json["findings"]
    parts = frozenset({"code", "level", "where", "message", "hint", "who"})
    assert {frozenset(finding) for finding in findings} == {parts}
    assert {finding["level"] for finding in findings} <= {"ok", "wrong", "unknown"}
    assert {finding["code"] for finding in findings} <= codes_in_the_readme()
    assert {finding["who"] for finding in findings} <= {"you", "PagerDuty admin", "Jira admin"}
    assert house.writes() == 0


def test_the_readme_of_the_mappings_describes_every_code_and_no_other() -> None:
    sources = [
        TOP / "syncd" / "commands" / "check.py",
        *(TOP / "syncd" / "preflight" / "checks").glob("*.py"),
    ]
    code = re.compile(r'"((?:C|PD|J|T)\d{2})"')
    assert {
        found_code for path in sources for found_code in code.findall(path.read_text())
    } == codes_in_the_readme()


def test_offline_no_request_leaves(house: House) -> None:
    result = house.syncd("check", "--offline", "--json")
    assert result.code == 0
    assert house.world.journal.total() == 0
    assert "C07" in codes(result.json["findings"], "ok")


def test_offline_a_first_mapping_is_judged_without_any_account(bare: House) -> None:
    for name in ("PAGERDUTY_TOKEN", "PAGERDUTY_FROM", "JIRA_URL", "JIRA_EMAIL", "JIRA_TOKEN"):
        bare.unset(f"SYNCD_{name}")
    assert bare.syncd("init", "mine", "--team", "Payments", "--service", "Checkout API").code == 0
    bare.set("SYNCD_MAPPINGS_DIR", "mine")
    result = bare.syncd("check", "--offline", "--json")
    assert result.code == 0
    missing = [finding["where"] for finding in result.json["findings"] if finding["code"] == "C09"]
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
    result = house.syncd("check")
    assert result.code == 77
    assert f"{name} refuses our credentials" in result.err
    assert "not-the-right-one" not in result.out + result.err


@pytest.mark.parametrize("headers", [True, False], ids=["said", "silent"])
def test_a_token_that_jira_takes_for_nobody_is_77_and_nothing_is_called_missing(
    house: House, headers: bool
) -> None:
    options = house.world.jira.site.options
    options.login, options.login_headers = "expired", headers
    result = house.syncd("check", "--json")
    assert result.code == 77
    assert "Jira refuses our credentials" in result.err
    findings = [finding for finding in result.json["findings"] if finding["code"].startswith("J")]
    assert {finding["level"] for finding in findings} <= {"wrong", "unknown"}
    # each says that the login is refused, and none that something is not there
    assert {finding["message"].rpartition(": ")[2] for finding in findings} == {
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
    result = house.syncd("check", "--json")
    assert result.code == 69
    findings = result.json["findings"]
    assert of(findings, code, "unknown")
    assert of(findings, {"J01": "PD02", "PD01": "J02"}[code], "ok")
    assert f"{name} cannot be reached" in result.err


def test_what_fails_once_is_unknown_and_never_read_as_no(first: House) -> None:
    first.world.faults.add(faults.error(500), service="jira", path="/mypermissions$", times=None)
    findings = found(first)
    assert of(findings, "J03", "unknown")
    assert not of(findings, "J03", "wrong")


def test_a_variable_that_is_nearly_a_setting_is_found(house: House) -> None:
    house.set("SYNCD_POL_SECONDS", "5")
    hints = [
        finding["hint"] for finding in found(house, "--offline") if finding["where"] == "SYNCD_POL_SECONDS"
    ]
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
