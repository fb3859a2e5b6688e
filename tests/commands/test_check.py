"""`syncd check`: what it finds, what it exits with, and that it writes nothing unless it is told to."""

from __future__ import annotations

import io
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commandline import House
from engine.test_without_labels import change_account

from syncd.preflight.checks import configured
from syncd.preflight.checks.configured import HOSTILE
from syncd.sandbox import dump, faults, presets
from syncd.sandbox.cast import BOT_ACCOUNT
from syncd.sandbox.jira.model import FieldDef

TOP = Path(__file__).parents[2]

Findings = list[dict[str, str]]


def codes(findings: Findings, level: str) -> list[str]:
    return [one["code"] for one in findings if one["level"] == level]


def found(house: House, *args: str) -> Findings:
    findings: Findings = house.syncd("check", "--json", *args).json["findings"]
    return findings


def of(findings: Findings, code: str, level: str) -> Findings:
    return [one for one in findings if (one["code"], one["level"]) == (code, level)]


FIRST = """\
syncd: 1
team: QRPay
enforce_from: 2026-11-20
jira:
  project: OPS
services:
  Alipay Integration: {component: "Alipay Integration"}
  BluBank Integration: {component: "BluBank Integration"}
  Yoomonea Service: {}
  Core QRPay Web: {component: "Core QRPay Web"}
closing:
  mode: report
"""


@pytest.fixture
def first(bare: House) -> House:
    """A sandbox, and a short mapping that fits it."""
    Path("m").mkdir()
    Path("m/qrpay.yaml").write_text(FIRST)
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    return bare


def codes_in_the_readme() -> set[str]:
    readme = (TOP / "mappings" / "README.md").read_text()
    return set(re.findall(r"^\| `([A-Z]+\d{2})` \|", readme, re.MULTILINE))


def remap(house: House, old: str, new: str) -> None:
    path = Path("m/qrpay.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def probes(house: House) -> list[dict[str, Any]]:
    issues = dump.whole(house.world)["jira"]["issues"]
    return [one for one in issues if "syncd-probe" in one["fields"]["labels"]]


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


def test_a_forgotten_service_of_the_team_is_wrong_and_one_of_another_team_is_for_a_person_to_tell(
    first: House,
) -> None:
    remap(first, '  Core QRPay Web: {component: "Core QRPay Web"}\n', "")
    findings = found(first)
    assert [one["where"] for one in of(findings, "PD05", "wrong")] == ["service Core QRPay Web (PSVC004)"]
    (others,) = of(findings, "PD05", "unknown")
    assert "Dispatch" in others["message"]
    assert "add it to the `services` of a mapping" in others["hint"]


def test_with_both_teams_mapped_every_service_is_claimed(house: House) -> None:
    house.syncd("init", "mappings", "--example", "ramen")
    findings = found(house)
    assert "PD05" not in codes(findings, "wrong") + codes(findings, "unknown")


def test_a_service_that_is_missing_is_wrong_and_a_disabled_one_is_told(first: House) -> None:
    remap(first, "Yoomonea Service:", "Yoomona Service:")
    first.world.pagerduty.account.services["PSVC001"].status = "disabled"
    findings = found(first)
    (missing,) = of(findings, "PD02", "wrong")
    assert missing["hint"] == "did you mean `Yoomonea Service`?"
    assert any("disabled" in one["message"] for one in of(findings, "PD02", "ok"))


def test_a_renamed_service_is_wrong_with_its_present_name_and_one_that_is_gone_is_told_by_its_id(
    house: House,
) -> None:
    house.syncd("run", "--once")
    pagerduty = house.world.pagerduty
    pagerduty.rename_service("Alipay Integration", "Alipay v2")
    gone = pagerduty.hide_service("BluBank Integration")
    renamed, missing = of(found(house), "PD02", "wrong")
    assert "is now called Alipay v2" in renamed["message"]
    assert f"no longer shows the service BluBank Integration ({gone.id})" in missing["message"]
    assert not of(found(house), "PD05", "wrong")


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


def test_a_missing_project_is_found_by_name(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web", "--project", "NOPE")
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    said = bare.syncd("check")
    assert said.code == 1
    assert "NOPE" in said.out


def test_a_missing_permission_is_wrong_with_what_is_done_without_it(first: House) -> None:
    project = next(one for one in first.world.jira.site.projects.values() if one.key == "OPS")
    project.denied |= {"LINK_ISSUES", "TRANSITION_ISSUES"}
    findings = found(first)
    (links, moves) = sorted(of(findings, "J03", "wrong"), key=lambda one: one["message"])
    assert "LINK_ISSUES" in links["message"]
    assert "not linked" in links["hint"]
    assert "TRANSITION_ISSUES" in moves["message"]
    assert moves["who"] == "Jira admin"
    (workflow,) = of(findings, "J08", "unknown")
    assert "our account may not move issues" in workflow["message"]


def test_a_field_that_the_create_screen_demands_is_wrong_until_the_mapping_fills_it(first: House) -> None:
    presets.require(first.world.jira.site, "OPS", "customfield_10052")
    (field,) = of(found(first), "J07", "wrong")
    assert "Root cause" in field["message"]
    assert field["hint"] == "add jira.fields.Root cause to the mapping"
    remap(first, "  project: OPS\n", "  project: OPS\n  fields: {Root cause: {value: not known yet}}\n")
    assert not of(found(first), "J07", "wrong")


@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])
def test_a_priority_that_the_project_does_not_offer_is_told_with_what_it_offers(
    first: House, data_center: bool
) -> None:
    site = first.world.jira.site
    presets.priority_scheme(site, "OPS", "Low", "Medium")
    if data_center:
        presets.data_center(first.world)
        first.set("SYNCD_JIRA_EMAIL", "")
    severities = "{Sev-1: {urgency: high, priority: Highest}, Sev-2: {urgency: low, priority: Low}}"
    remap(first, "services:\n", f"severities: {severities}\nservices:\n")

    (lacking,) = [one for one in of(found(first), "J06", "ok") if "priority" in one["message"]]
    assert lacking["message"] == ("the project lacks: priority of Sev-1: Highest (it offers Medium, Low)")
    assert "under severities.Sev-1.priority" in lacking["hint"]
    remap(first, "priority: Highest", "priority: [Highest, Medium]")
    assert not [one for one in of(found(first), "J06", "ok") if "priority" in one["message"]]


def test_a_value_that_a_field_does_not_offer_and_two_keys_for_one_field_are_wrong(first: House) -> None:
    fields = "{Severity: {value: SEV9}, customfield_10050: {value: SEV0}}"
    remap(first, "  project: OPS\n", f"  project: OPS\n  fields: {fields}\n")
    wrong = {one["message"] for one in of(found(first), "J13", "wrong")}
    assert any("does not take SEV9" in one for one in wrong)
    assert any("are the same field (customfield_10050)" in one for one in wrong)


def test_values_as_people_write_them_fit_and_others_are_wrong_with_what_the_field_takes(first: House) -> None:
    presets.add_field(first.world.jira.site, "OPS", FieldDef("customfield_10063", "Count", "number"))
    presets.require(first.world.jira.site, "OPS", "reporter")
    assert "add jira.fields.Reporter" in of(found(first), "J07", "ok")[0]["hint"]
    fine = "{Severity: {value: sev2}, Count: {value: '3'}, Reporter: {value: mei.tanaka@qrpay.example}}"
    remap(first, "  project: OPS\n", f"  project: OPS\n  fields: {fine}\n")
    assert len(of(found(first), "J13", "ok")) == 3
    remap(first, fine, "{Count: {value: many}, Reporter: {value: nobody@qrpay.example}}")
    findings = found(first)
    assert {one["message"] for one in of(findings, "J13", "wrong")} == {
        "Count does not take many (it takes a number such as 1.5)",
        "Reporter does not take nobody@qrpay.example (it takes the address of one active person whom our"
        " account sees in Jira)",
    }
    # the screens of postmortems and sub-tasks demand the reporter, too
    assert any("Postmortem: Reporter does not take" in one["message"] for one in of(findings, "J15", "wrong"))


def test_one_status_for_two_words_is_fine_and_told(first: House) -> None:
    remap(first, "  project: OPS\n", "  project: OPS\n  statuses: {resolved: In Progress}\n")
    (shared,) = [one for one in of(found(first), "J05", "ok") if one["hint"]]
    assert shared["message"] == "In Progress stands for acknowledged and resolved"


def test_one_status_for_two_states_is_wrong_where_moves_are_to_travel_to_pagerduty(first: House) -> None:
    both = "  project: OPS\n  statuses: {resolved: In Progress}\ntwo_way: {acknowledge: true, title: true}\n"
    remap(first, "  project: OPS\n", both)
    (shared,) = of(found(first), "J05", "wrong")
    assert shared["message"].startswith("In Progress stands for acknowledged and resolved, so no move")
    assert "two_way.acknowledge" in shared["hint"] and "two_way.title" not in shared["hint"]


def test_one_status_for_what_is_over_stands_in_no_moves_way(first: House) -> None:
    over = "  project: OPS\n  statuses: {resolved: Done}\ntwo_way: {resolve: true}\n"
    remap(first, "  project: OPS\n", over)
    findings = found(first)
    assert of(findings, "J05", "wrong") == []
    assert "Done stands for resolved and closed" in {one["message"] for one in of(findings, "J05", "ok")}


def test_transitions_are_judged_by_the_issues_that_are_there(first: House) -> None:
    presets.use_workflow(first.world.jira.site, "OPS", presets.closing_screen("customfield_10052"))
    first.world.jira.create("Priya Raman", "Something", type="Incident")
    findings = found(first)
    assert len(of(findings, "J08", "ok")) == 4
    (screen,) = of(findings, "J09", "wrong")
    assert "Root cause" in screen["message"]
    assert of(findings, "J10", "unknown")
    assert first.writes() == 0


def test_a_status_to_which_nothing_leads_is_wrong_once_every_status_was_seen(first: House) -> None:
    plain = presets.simple()
    ways = tuple(one for one in plain.transitions if one.to != presets.IN_REVIEW.id)
    workflow = presets.Workflow("Blind", plain.statuses, ways)
    site = first.world.jira.site
    presets.use_workflow(site, "OPS", workflow)
    for name in ("To Do", "In Progress", "Done"):
        issue = first.world.jira.create("Priya Raman", "Something", type="Incident")
        if name != "To Do":
            first.world.jira.transition(issue.key, name, "Priya Raman")
        if name == "In Progress":
            (unreached,) = of(found(first), "J08", "unknown")
            assert "In Review (resolved)" in unreached["message"]
    (unreached,) = of(found(first), "J08", "wrong")
    assert unreached["message"] == "no transition leads to In Review (resolved)"


def test_a_way_back_that_the_mapping_does_not_name_is_told_with_the_key(first: House) -> None:
    presets.use_workflow(first.world.jira.site, "OPS", presets.classic())
    said = {one["message"]: one["hint"] for one in found(first, "--probe", "--yes") if one["code"] == "J10"}
    hint = said["no transition leads from Closed back to a mapped status; Jira offers Reopened"]
    assert hint.startswith("name it, for example as jira.statuses.triggered: [Open, Reopened]; without it")
    remap(first, "  project: OPS\n", "  project: OPS\n  statuses: {triggered: [Open, Reopened]}\n")
    findings = found(first, "--probe", "--yes")
    assert "there is a way back from Closed" in {one["message"] for one in of(findings, "J10", "ok")}


def test_a_schedule_on_which_nobody_is_and_a_policy_that_calls_nobody_are_wrong(first: House) -> None:
    account = first.world.pagerduty.account
    account.schedules["PSCHED1"].user_ids = ()
    (empty,) = of(found(first), "PD06", "wrong")
    assert empty["where"] == "schedule QRPay incident commanders"
    account.policies["PEPOL01"].rules = ()
    (silent,) = of(found(first), "PD06", "wrong")
    assert silent["message"] == "calls nobody"


def test_whoever_is_on_call_without_an_account_in_jira_is_named(first: House) -> None:
    (person,) = of(found(first), "J14", "unknown")
    assert "Jonas Lindqvist" in person["where"]
    remap(
        first,
        "closing:\n",
        "people:\n  aliases: {jonas.lindqvist@qrpay.example: ines.carvalho@qrpay.example}\nclosing:\n",
    )
    assert not of(found(first), "J14", "unknown")


def test_an_owner_who_cannot_be_assigned_is_wrong_only_if_we_may_browse_people(house: House) -> None:
    (owner,) = of(found(house), "J04", "wrong")
    assert "jonas.lindqvist@qrpay.example" in owner["where"]
    house.world.jira.site.denied.add("USER_PICKER")
    findings = found(house)
    assert not of(findings, "J04", "wrong")
    assert of(findings, "J04", "unknown")


def test_an_alias_of_nobody_is_wrong(first: House) -> None:
    remap(first, "closing:\n", "people:\n  aliases: {x@qrpay.example: y@qrpay.example}\nclosing:\n")
    assert [one["where"] for one in of(found(first), "PD07", "wrong")] == [
        "QRPay, people.aliases.x@qrpay.example"
    ]


def test_a_level_in_which_our_account_is_not_is_wrong(first: House) -> None:
    remap(first, "closing:\n", "restricted: {level: Security incident}\nclosing:\n")
    assert of(found(first), "J11", "ok")
    remap(first, "Security incident", "Board only")
    (level,) = of(found(first), "J11", "wrong")
    assert "may not set the security level Board only" in level["message"]


def test_pagerdutys_own_jira_app_is_red_until_it_is_off(first: House) -> None:
    account = first.world.pagerduty.account
    schema = {"id": "PSCHEMA", "type": "extension_schema", "key": "jira-cloud", "label": "Jira Cloud"}
    on = [{"id": "PSVC001", "type": "service_reference"}]
    row = {"id": "PEXT001", "name": "To Jira", "extension_schema": schema, "extension_objects": on}
    account.extensions.append(row)
    (extension,) = of(found(first), "PD08", "wrong")
    assert extension["message"] == "serves Alipay Integration"
    row["extension_objects"] = [{"id": "PSVC006", "type": "service_reference"}]
    assert of(found(first), "PD08", "ok")


def test_extensions_that_we_may_not_see_are_unknown(first: House) -> None:
    words = {"error": {"message": "Access Denied", "code": 2010}}
    first.world.faults.add(faults.error(403, body=words), service="pagerduty", path="/extensions$")
    (app,) = of(found(first), "PD08", "unknown")
    assert app["who"] == "PagerDuty admin"


def test_a_note_that_names_a_ticket_that_is_not_ours_is_a_robots_if_it_came_at_once(first: House) -> None:
    incident = first.trigger()
    first.world.jira.create("Priya Raman", "Made by another tool", type="Incident")
    first.world.pagerduty.note(incident, "Jira issue OPS-1 was made", "Amara Osei")
    (note,) = of(found(first), "PD08", "wrong")
    assert "OPS-1" in note["message"]
    rows = first.world.pagerduty.account.incidents[incident].notes
    rows[0].created_at += timedelta(minutes=5)
    assert of(found(first), "PD08", "unknown")


def test_notes_that_name_our_own_tickets_say_nothing(first: House) -> None:
    incident = first.trigger()
    assert first.syncd("run", "--once").code == 0
    (ticket,) = first.tickets(incident)
    first.world.pagerduty.note(incident, f"see {ticket['key']}", "Amara Osei")
    assert of(found(first), "PD08", "ok")


def test_a_list_of_the_site_that_is_refused_is_named_by_its_endpoint_and_the_project_is_fine(
    first: House,
) -> None:
    gone = faults.error(404, body={"errorMessages": ["No such resource."], "errors": {}})
    first.world.faults.add(gone, service="jira", path=r"/resolution/search$", times=None)
    findings = found(first)
    (told,) = [one for one in of(findings, "J06", "unknown") if "resolution/search" in one["message"]]
    assert "goes on without" in told["hint"]
    assert of(findings, "J02", "wrong") == []


def test_notes_of_one_incident_that_cannot_be_read_leave_the_rest_of_the_check(first: House) -> None:
    made = first.world.pagerduty.trigger("Alipay Integration", "Latency")
    no = faults.error(403, body={"error": {"message": "Access Denied", "code": 2010}})
    first.world.faults.add(no, service="pagerduty", path=rf"/{made.id}/notes$", times=None)
    (told,) = of(found(first), "PD08", "unknown")
    assert f"the notes of #{made.number} cannot be read" in told["message"]


def test_clocks_that_are_apart_are_wrong(first: House) -> None:
    clock = first.world.clock
    first.world.clock = lambda: first.clock.now() - timedelta(minutes=5)  # type: ignore[assignment] # a clock is called
    assert {one["where"] for one in of(found(first), "C06", "wrong")} == {"PagerDuty", "Jira"}
    first.world.clock = clock
    assert len(of(found(first), "C06", "ok")) == 2


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


def test_the_probe_walks_a_ticket_through_every_status_and_leaves_it_closed(first: House) -> None:
    said = first.syncd("check", "--probe", "--yes")
    assert said.code == 0
    (ticket,) = probes(first)
    assert ticket["fields"]["status"]["name"] == "Done"
    for name in ("To Do", "In Progress", "In Review", "Done"):
        assert f"reached {name}" in said.out
    assert "there is no issue of type" not in said.out


def test_the_probe_says_what_a_screen_demands_and_where_the_ticket_is_left(first: House) -> None:
    presets.use_workflow(first.world.jira.site, "OPS", presets.closing_screen("customfield_10052"))
    said = first.syncd("check", "--probe", "--yes")
    assert said.code == 1
    assert "requires Root cause (customfield_10052), and nothing fills it" in said.out
    assert "OPS-1 stays in In Review" in said.out


def test_a_probe_that_ended_early_is_not_advised_again(first: House) -> None:
    site = first.world.jira.site
    presets.use_workflow(site, "OPS", presets.closing_screen("customfield_10052"))
    findings = found(first, "--probe", "--yes")
    assert of(findings, "T01", "wrong")
    (unseen,) = of(findings, "J08", "unknown")
    assert unseen["hint"] == "see the trial ticket's findings (T01)"


def test_a_probe_whose_answer_is_lost_is_not_sent_again(first: House) -> None:
    first.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/issue$")
    findings = found(first, "--probe", "--yes")
    (lost,) = of(findings, "T01", "unknown")
    assert "syncd did not try again" in lost["hint"]
    assert len(probes(first)) == 1


@pytest.mark.parametrize(("method", "strike"), [("POST", faults.lose_answer()), ("GET", faults.error(400))])
def test_a_trial_that_ends_early_closes_its_ticket(first: House, method: str, strike: faults.Strike) -> None:
    first.world.faults.add(strike, service="jira", method=method, path="/transitions$")
    findings = found(first, "--probe", "--yes")
    assert of(findings, "T01", "unknown")
    assert of(findings, "T01", "ok")[-1]["message"] == "OPS-1 is closed; you may delete it"
    (ticket,) = probes(first)
    assert ticket["fields"]["status"]["name"] == "Done"


def test_the_trial_tickets_of_two_teams_do_not_look_like_duplicates(first: House) -> None:
    other = "syncd: 1\nteam: Web\nenforce_from: 2026-11-20\nservices: {Ordering API: {}}\n"
    Path("m/web.yaml").write_text(f"{other}jira: {{project: OPS, resolution: [Done]}}\n")
    first.syncd("check", "--probe", "--yes")
    marks = [one.now.properties["syncd"] for one in first.world.jira.site.issues.values()]
    assert [mark["kind"] for mark in marks] == ["probe", "probe"]
    assert marks[0]["op"] != marks[1]["op"]


def test_the_probe_asks_before(first: House) -> None:
    for answer in ("n\n", ""):
        first.monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        said = first.syncd("check", "--probe")
        assert said.code == 130
        assert "This creates a ticket labelled syncd-probe in OPS (QRPay)" in said.err
    assert first.writes() == 0
    first.set("SYNCD_DRY_RUN", "true")
    assert first.syncd("check", "--probe", "--yes").code == 2
    assert first.writes() == 0


def test_our_daemon_takes_no_notice_of_the_probes_ticket(first: House) -> None:
    first.syncd("check", "--probe", "--yes")
    before = first.writes()
    assert first.syncd("run", "--once").code == 0
    assert first.writes() == before


@pytest.mark.parametrize("args", [("--offline", "--probe"), ("--for-admin", "--json")])
def test_options_that_exclude_each_other_are_a_usage_error(first: House, args: tuple[str, str]) -> None:
    assert first.syncd("check", *args).code == 2


def test_the_page_for_the_admin_names_rights_fields_transitions_and_what_is_done_without(
    first: House,
) -> None:
    project = next(one for one in first.world.jira.site.projects.values() if one.key == "OPS")
    project.denied.add("LINK_ISSUES")
    said = first.syncd("check", "--for-admin")
    assert said.code == 0
    for words in ("## Project OPS", "Link Issues", "are not linked", "create screen", "### Open points"):
        assert words in said.out
    for words in (
        "| postmortems and action items | Create Issues, Link Issues | syncd creates no postmortem",
        "- Issue type: Postmortem or Task; without it, syncd creates no postmortem.",
        "- The due date on its edit screen",
        "- Sub-tasks (Sub-task or Subtask) for action items; without them",
        "- Link type to its ticket: Post-Incident Reviews or Relates; without it",
    ):
        assert words in said.out
    assert first.syncd("check", "--for-admin", "--offline").code == 0
    assert first.world.journal.writes() == []


def test_the_page_for_the_admin_names_people_and_what_is_done_without(house: House) -> None:
    said = house.syncd("check", "--for-admin").out
    assert "- owner of BluBank Integration: jonas.lindqvist@qrpay.example: Jira has no assignable" in said
    assert "### Done without" in said
    assert "- the project lacks: component Yoomonea Service (syncd creates tickets without it" in said


def test_data_center_is_checked_with_its_own_ways_of_asking(bare: House) -> None:
    presets.data_center(bare.world)
    bare.monkeypatch.delenv("SYNCD_JIRA_EMAIL")
    assert bare.syncd("init", "m", "--team", "QRPay").code == 0
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    said = bare.syncd("check", "--probe", "--yes")
    assert said.code == 0
    assert "reached Done" in said.out


def test_what_postmortems_need_is_named_with_what_stands_in_for_it(first: House) -> None:
    remap(
        first,
        "services:",
        "postmortem:\n  date_field: Review date\n  link_types: [Problem/Incident]\nservices:",
    )
    presets.without_types(first.world.jira.site, "OPS", "Postmortem")
    said = {one["message"] for one in of(found(first), "J15", "ok")}
    assert "have the type Task; their review date is duedate" in said
    assert "the project lacks: field Review date: syncd reads the review date from the due date" in said
    assert any(one.startswith("the project lacks: link type Problem/Incident") for one in said)


def test_a_project_without_a_type_for_postmortems_and_a_demanded_field_are_wrong(first: House) -> None:
    presets.require(first.world.jira.site, "OPS", "customfield_10052")
    said = [one["message"] for one in of(found(first), "J15", "wrong")]
    assert said == [
        f"the create screen of {kind} requires Root cause (customfield_10052), and nothing fills it"
        for kind in ("Sub-task", "Postmortem")
    ]
    presets.without_types(first.world.jira.site, "OPS", "Postmortem", "Task")
    (missing,) = of(found(first), "J15", "wrong")
    assert "syncd creates no postmortem" in missing["message"]


def test_the_commanders_schedule_is_looked_for(first: House) -> None:
    for name, schedule in (("Alipay", "QRPay incident commanders"), ("BluBank", "Nobody's")):
        component = f'component: "{name} Integration"'
        remap(first, component, f'{component}, roles: {{commander: {{schedule: "{schedule}"}}}}')
    said = found(first)
    (ahead,) = of(said, "PD09", "ok")
    assert ahead["where"] == "QRPay, schedule QRPay incident commanders"
    assert all(name in ahead["message"] for name in ("Amara Osei", "Jonas Lindqvist", "Mei Tanaka"))
    assert [one["where"] for one in of(said, "PD09", "wrong")] == ["QRPay, schedule Nobody's"]


def test_a_gap_in_a_roles_schedule_is_shown(first: House) -> None:
    component = 'component: "Alipay Integration"'
    schedule = "{commander: {schedule: QRPay incident commanders}}"
    remap(first, component, f"{component}, roles: {schedule}")
    account, now = first.world.pagerduty.account, first.world.clock.now()
    account.schedules["PSCHED1"].free = ((now + timedelta(days=2), now + timedelta(days=3)),)
    _, gap = of(found(first), "PD09", "ok")
    assert gap["message"].startswith("nobody is on it from ")


def test_the_routing_key_of_a_mapped_service_is_wrong_because_alarms_would_become_tickets(
    first: House,
) -> None:
    account = first.world.pagerduty.account
    services = {service.name: service.id for service in account.services.values()}
    account.routing_keys = {"R0MAPPED": services["Alipay Integration"], "R0APART": services["Dispatch"]}
    first.set("SYNCD_ALARM_URL", first.server.url("pagerduty"))
    levels = {}
    for key in ("R0MAPPED", "R0APART", "R0ELSEWHERE"):
        first.set("SYNCD_ALARM_ROUTING_KEY", key)
        result = first.syncd("check", "--json")
        assert key not in result.out
        levels[key] = [one["level"] for one in result.json["findings"] if one["code"] == "PD10"]
    assert levels == {"R0MAPPED": ["wrong"], "R0APART": ["ok"], "R0ELSEWHERE": ["unknown"]}


def test_a_changed_account_is_told_from_what_the_ledger_saw(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    change_account(house.world)
    (changed,) = of(found(house), "J18", "ok")
    assert changed["message"] == "the account has changed to syncd 2; former: syncd"
    assert BOT_ACCOUNT in changed["hint"]
    house.set("SYNCD_FORMER_ACCOUNTS", f"{BOT_ACCOUNT}, nobody@qrpay.example")
    findings = found(house)
    assert [one["hint"] for one in of(findings, "J18", "ok")] == [""]
    assert ["nobody@qrpay.example" in one["message"] for one in of(findings, "J18", "unknown")] == [True]


@pytest.mark.parametrize("role", ["read_only_user", "observer"])
def test_an_author_who_may_only_read_is_wrong_before_anything_is_written(first: House, role: str) -> None:
    users = first.world.pagerduty.account.users.values()
    author = next(user for user in users if user.email == "amara.osei@qrpay.example")
    first.set("SYNCD_PAGERDUTY_FROM", author.email)
    (fine,) = of(found(first), "PD04", "ok")
    assert "syncd writes notes as Amara Osei" in fine["message"]
    author.role = role
    (finding,) = of(found(first), "PD04", "wrong")
    assert finding["message"] == f"Amara Osei has the role {role}, which may not write notes"
    assert first.writes() == 0


def test_the_trial_ticket_goes_to_the_fallback_where_jira_demands_an_assignee(first: House) -> None:
    presets.require(first.world.jira.site, "OPS", "assignee")
    remap(first, "services:\n", "people: {fallback: priya.raman@qrpay.example}\nservices:\n")
    assert of(found(first, "--probe", "--yes"), "T01", "wrong") == []
    (probe,) = probes(first)
    assert probe["fields"]["assignee"]["displayName"] == "Priya Raman"


def test_a_probe_shows_a_key_that_may_only_read(first: House) -> None:
    account = first.world.pagerduty.account
    assert of(found(first, "--probe", "--yes"), "PD04", "wrong") == []
    account.read_only_tokens.update(account.tokens)
    (finding,) = of(found(first, "--probe", "--yes"), "PD04", "wrong")
    assert "the key may only read, so syncd writes no notes" in finding["message"]
    account.read_only_tokens.clear()
    first.set("SYNCD_PAGERDUTY_FROM", "nobody@qrpay.example")
    wrong = {one["message"] for one in of(found(first, "--probe", "--yes"), "PD04", "wrong")}
    assert any("PagerDuty shows our token no user with the address" in one for one in wrong)
    # no incident got a note
    incidents = dump.whole(first.world)["pagerduty"]["incidents"]
    assert all(one["notes"] == [] for one in incidents)


def with_chat(house: House, **more: str) -> None:
    chat = {"mode": "enforce", "channel": "status-qrpay", **more}
    Path("m/qrpay.yaml").write_text(f"{FIRST}chat: {chat}\n".replace("'", '"'))


def test_a_channel_without_a_url_is_named_and_on_a_real_site_it_is_wrong(first: House) -> None:
    with_chat(first)
    (finding,) = of(found(first, "--offline"), "C13", "ok")
    assert finding["message"].startswith("SYNCD_CHAT_URLS has no URL for the channel status-qrpay")
    first.set("SYNCD_JIRA_URL", "https://qrpay.atlassian.net")
    (finding,) = of(found(first, "--offline"), "C13", "wrong")
    assert "SYNCD_CHAT_URLS" in finding["hint"]


def test_a_webhook_of_another_chat_is_wrong_and_no_finding_shows_it(first: House) -> None:
    with_chat(first, format="mattermost")
    first.set(
        "SYNCD_CHAT_URLS",
        "status-qrpay=https://hooks.slack.com/services/T1/B1/s3cret #ops=https://x.example/y",
    )
    said = first.syncd("check", "--offline", "--json")
    messages = [one["message"] for one in said.json["findings"] if one["code"] == "C13"]
    assert messages == [
        "the URL of status-qrpay is one of slack, but `chat.format` is mattermost",
        "no mapping names the channel ops",
    ]
    assert "s3cret" not in said.out + said.err


def test_only_a_probe_posts_and_it_says_so_before(first: House) -> None:
    with_chat(first)
    first.set("SYNCD_CHAT_URLS", first.world.chat.urls())
    assert of(found(first), "T02", "ok") == []
    assert first.world.chat.posts == []
    assert [one["message"] for one in of(found(first, "--probe", "--yes"), "T02", "ok")] == [
        "the trial post is in the channel status-qrpay"
    ]
    assert [one.text for one in first.world.chat.posts] == [
        "syncd check: a trial post. No incident is behind it."
    ]
