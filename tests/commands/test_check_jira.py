"""What `syncd check` finds about Jira: projects, rights, fields, values, statuses and people."""

from __future__ import annotations

import pytest
from check_cast import found, of, remap
from commandline import House

from syncd.sandbox import faults, presets
from syncd.sandbox.jira.model import FieldDef


def test_a_missing_project_is_found_by_name(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web", "--project", "NOPE")
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    result = bare.syncd("check")
    assert result.code == 1
    assert "NOPE" in result.out


def test_a_missing_permission_is_wrong_with_what_is_done_without_it(first: House) -> None:
    project = next(
        each_project for each_project in first.world.jira.site.projects.values() if each_project.key == "OPS"
    )
    project.denied |= {"LINK_ISSUES", "TRANSITION_ISSUES"}
    findings = found(first)
    (links, moves) = sorted(of(findings, "J03", "wrong"), key=lambda finding: finding["message"])
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

    (lacking,) = [finding for finding in of(found(first), "J06", "ok") if "priority" in finding["message"]]
    assert lacking["message"] == ("the project lacks: priority of Sev-1: Highest (it offers Medium, Low)")
    assert "under severities.Sev-1.priority" in lacking["hint"]
    remap(first, "priority: Highest", "priority: [Highest, Medium]")
    assert not [finding for finding in of(found(first), "J06", "ok") if "priority" in finding["message"]]


def test_a_value_that_a_field_does_not_offer_and_two_keys_for_one_field_are_wrong(first: House) -> None:
    fields = "{Severity: {value: SEV9}, customfield_10050: {value: SEV0}}"
    remap(first, "  project: OPS\n", f"  project: OPS\n  fields: {fields}\n")
    wrong = {finding["message"] for finding in of(found(first), "J13", "wrong")}
    assert any("does not take SEV9" in message for message in wrong)
    assert any("are the same field (customfield_10050)" in message for message in wrong)


def test_values_as_people_write_them_fit_and_others_are_wrong_with_what_the_field_takes(first: House) -> None:
    presets.add_field(first.world.jira.site, "OPS", FieldDef("customfield_10063", "Count", "number"))
    presets.require(first.world.jira.site, "OPS", "reporter")
    assert "add jira.fields.Reporter" in of(found(first), "J07", "ok")[0]["hint"]
    fine = "{Severity: {value: sev2}, Count: {value: '3'}, Reporter: {value: mei.tanaka@qrpay.example}}"
    remap(first, "  project: OPS\n", f"  project: OPS\n  fields: {fine}\n")
    assert len(of(found(first), "J13", "ok")) == 3
    remap(first, fine, "{Count: {value: many}, Reporter: {value: nobody@qrpay.example}}")
    findings = found(first)
    assert {finding["message"] for finding in of(findings, "J13", "wrong")} == {
        "Count does not take many (it takes a number such as 1.5)",
        "Reporter does not take nobody@qrpay.example (it takes the address of one active person whom our"
        " account sees in Jira)",
    }
    # the screens of postmortems and sub-tasks demand the reporter, too
    assert any(
        "Postmortem: Reporter does not take" in finding["message"] for finding in of(findings, "J15", "wrong")
    )


def test_one_status_for_two_words_is_fine_and_told(first: House) -> None:
    remap(first, "  project: OPS\n", "  project: OPS\n  statuses: {resolved: In Progress}\n")
    (shared,) = [finding for finding in of(found(first), "J05", "ok") if finding["hint"]]
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
    assert "Done stands for resolved and closed" in {
        finding["message"] for finding in of(findings, "J05", "ok")
    }


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
    ways = tuple(transition for transition in plain.transitions if transition.to != presets.IN_REVIEW.id)
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
    hints = {
        finding["message"]: finding["hint"]
        for finding in found(first, "--probe", "--yes")
        if finding["code"] == "J10"
    }
    hint = hints["no transition leads from Closed back to a mapped status; Jira offers Reopened"]
    assert hint.startswith("name it, for example as jira.statuses.triggered: [Open, Reopened]; without it")
    remap(first, "  project: OPS\n", "  project: OPS\n  statuses: {triggered: [Open, Reopened]}\n")
    findings = found(first, "--probe", "--yes")
    assert "there is a way back from Closed" in {finding["message"] for finding in of(findings, "J10", "ok")}


def test_an_owner_who_cannot_be_assigned_is_wrong_only_if_we_may_browse_people(house: House) -> None:
    (owner,) = of(found(house), "J04", "wrong")
    assert "jonas.lindqvist@qrpay.example" in owner["where"]
    house.world.jira.site.denied.add("USER_PICKER")
    findings = found(house)
    assert not of(findings, "J04", "wrong")
    assert of(findings, "J04", "unknown")


def test_a_level_in_which_our_account_is_not_is_wrong(first: House) -> None:
    remap(first, "closing:\n", "restricted: {level: Security incident}\nclosing:\n")
    assert of(found(first), "J11", "ok")
    remap(first, "Security incident", "Board only")
    (level,) = of(found(first), "J11", "wrong")
    assert "may not set the security level Board only" in level["message"]


def test_a_list_of_the_site_that_is_refused_is_named_by_its_endpoint_and_the_project_is_fine(
    first: House,
) -> None:
    gone = faults.error(404, body={"errorMessages": ["No such resource."], "errors": {}})
    first.world.faults.add(gone, service="jira", path=r"/resolution/search$", times=None)
    findings = found(first)
    (told,) = [
        finding for finding in of(findings, "J06", "unknown") if "resolution/search" in finding["message"]
    ]
    assert "goes on without" in told["hint"]
    assert of(findings, "J02", "wrong") == []


def test_data_center_is_checked_with_its_own_ways_of_asking(bare: House) -> None:
    presets.data_center(bare.world)
    bare.monkeypatch.delenv("SYNCD_JIRA_EMAIL")
    assert bare.syncd("init", "m", "--team", "QRPay").code == 0
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    result = bare.syncd("check", "--probe", "--yes")
    assert result.code == 0
    assert "reached Done" in result.out


def test_what_postmortems_need_is_named_with_what_stands_in_for_it(first: House) -> None:
    remap(
        first,
        "services:",
        "postmortem:\n  date_field: Review date\n  link_types: [Problem/Incident]\nservices:",
    )
    presets.without_types(first.world.jira.site, "OPS", "Postmortem")
    messages = {finding["message"] for finding in of(found(first), "J15", "ok")}
    assert "have the type Task; their review date is duedate" in messages
    assert "the project lacks: field Review date: syncd reads the review date from the due date" in messages
    assert any(message.startswith("the project lacks: link type Problem/Incident") for message in messages)


def test_a_project_without_a_type_for_postmortems_and_a_demanded_field_are_wrong(first: House) -> None:
    presets.require(first.world.jira.site, "OPS", "customfield_10052")
    messages = [finding["message"] for finding in of(found(first), "J15", "wrong")]
    assert messages == [
        f"the create screen of {kind} requires Root cause (customfield_10052), and nothing fills it"
        for kind in ("Sub-task", "Postmortem")
    ]
    presets.without_types(first.world.jira.site, "OPS", "Postmortem", "Task")
    (missing,) = of(found(first), "J15", "wrong")
    assert "syncd creates no postmortem" in missing["message"]
