"""The checks beneath `syncd check`: what is judged without a command line, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.mail_rig import MakeRig
from engine.test_without_labels import change_account
from syncd.config.mapping.starter import Choice
from syncd.domain.base import Reference
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import IssueTypeFacts, ProjectFacts
from syncd.domain.ticket import Account, Status, StatusCategory
from syncd.engine.observe.accounts import pick
from syncd.preflight.checks.finding import Finding, Level
from syncd.preflight.checks.run import check_all
from syncd.preflight.checks.sight import Sight
from syncd.preflight.draft_mapping import choose
from syncd.sandbox import faults, presets
from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL
from syncd.sandbox.jira.model import Person

MAPPINGS = "integration-jira-cloud/accounts_mappings"


def findings(rig: Rig, *mappings: Mapping, **accounts: Any) -> list[Finding]:
    sight = Sight(
        rig.context.services,
        mappings or rig.mappings,
        sender="amara.osei@qrpay.example",
        now=rig.clock.now(),
        skew=rig.transport.skew,
        **accounts,
    )
    return list(check_all(sight))


def of(all_findings: list[Finding], code: str, level: Level) -> list[Finding]:
    return [finding for finding in all_findings if (finding.code, finding.level) == (code, level)]


def requests(rig: Rig) -> int:
    return rig.world.journal.total()


def answers(rig: Rig, path: str, body: dict[str, Any], service: str = "pagerduty") -> None:
    rig.world.faults.add(faults.error(200, body=body), service=service, path=path, times=None)


def test_nothing_is_asked_twice_and_nothing_is_written(house: Rig) -> None:
    before, writes = requests(house), house.writes()
    findings(house)
    last = [line.path.rsplit("/", 1)[-1] for line in house.world.journal.lines()[before:]]
    once = ("services", "schedules", "escalation_policies", "priorities", "extensions", "OPS")
    assert {name: last.count(name) for name in once} == dict.fromkeys(once, 1)
    assert house.writes() == writes


def test_a_right_that_the_answer_does_not_name_is_unknown(house: Rig) -> None:
    answers(house, "/mypermissions$", {"permissions": {"CREATE_ISSUES": {"havePermission": True}}}, "jira")
    all_findings = findings(house)
    assert of(all_findings, "J03", Level.OK)
    assert of(all_findings, "J03", Level.UNKNOWN)
    assert not of(all_findings, "J03", Level.WRONG)


def test_a_rule_of_pagerdutys_app_on_a_mapped_service_is_wrong(house: Rig) -> None:
    rule = {"id": "PR1", "name": "Tickets", "config": {"service": {"id": "PSVC001"}}}
    answers(house, f"{MAPPINGS}$", {"accounts_mappings": [{"id": "PAM1"}], "more": False})
    answers(house, f"{MAPPINGS}/PAM1/rules$", {"rules": [rule], "more": False})
    (wrong,) = of(findings(house), "PD08", Level.WRONG)
    assert wrong.where.endswith("rule Tickets")
    assert "Alipay Integration" in wrong.message


def test_severities_whose_priorities_pagerduty_lacks_are_wrong_and_those_it_has_beside_are_told(
    house: Rig,
) -> None:
    severities = {
        "SEV1": {"pagerduty": ["P1", "Grave"], "urgency": "high"},
        "SEV2": {"pagerduty": "P2", "urgency": "low"},
    }
    all_findings = findings(house, mapping(severities=severities))
    (wrong,) = of(all_findings, "PD03", Level.WRONG)
    assert "Grave" in wrong.message
    assert any("P3, P4, P5" in finding.message for finding in of(all_findings, "PD03", Level.OK))


def test_an_account_without_priorities_is_fine_and_told(house: Rig) -> None:
    house.world.pagerduty.account.priorities.clear()
    all_findings = findings(house)
    assert not of(all_findings, "PD03", Level.WRONG)
    assert any(
        "syncd assumes the severity from the urgency" in finding.message
        for finding in of(all_findings, "PD03", Level.OK)
    )


def test_a_service_under_two_names_needs_its_id(house: Rig) -> None:
    services = house.world.pagerduty.account.services
    services["PSVC009"].name = "Alipay Integration"
    (wrong,) = of(findings(house), "PD02", Level.WRONG)
    assert "give the id" in wrong.hint


@pytest.mark.parametrize("data_center", [False, True])
def test_issues_that_can_carry_no_labels_are_named_with_what_follows(
    make_rig: MakeRig, data_center: bool
) -> None:
    rules = mapping(postmortem={"mode": "enforce"}, follow_ups={"mode": "enforce"})
    rig = make_rig(data_center_edition=data_center)
    (fine,) = of(findings(rig, rules), "J17", Level.OK)
    assert not fine.hint
    presets.without_fields(rig.world.jira.site, "OPS", "labels")
    (bare,) = of(findings(rig, rules), "J17", Level.OK)
    assert "Incident, Postmortem, Sub-task" in bare.message
    assert "filters by label" in bare.hint
    assert bare.who == "Jira admin"


def test_a_former_account_is_named_and_one_that_jira_does_not_know_is_asked_for(house: Rig) -> None:
    known = {BOT_ACCOUNT: "syncd", "712020:old": "Old robot"}
    (changed,) = of(findings(house, on_record=known), "J18", Level.OK)
    assert changed.message == "the account has changed to syncd; former: Old robot"
    assert "712020:old" in changed.hint
    all_findings = findings(house, on_record=known, former=("712020:old",))
    assert [finding.hint for finding in of(all_findings, "J18", Level.OK)] == [""]
    (doubtful,) = of(all_findings, "J18", Level.UNKNOWN)
    assert "712020:old" in doubtful.message


@pytest.mark.parametrize("data_center", [False, True])
def test_marked_tickets_of_an_account_that_nobody_named_are_told(
    make_rig: MakeRig, data_center: bool
) -> None:
    rig = make_rig(data_center_edition=data_center)
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(2)
    assert not of(findings(rig), "J18", Level.UNKNOWN)
    change_account(rig.world)
    (told,) = of(findings(rig), "J18", Level.UNKNOWN)
    assert told.message.startswith("OPS-1 bears syncd's mark")
    assert "SYNCD_FORMER_ACCOUNTS" in told.hint
    assert not of(findings(rig, former=(BOT_EMAIL,)), "J18", Level.UNKNOWN)


@pytest.mark.parametrize(("key", "level"), [("ENG", Level.OK), ("GONE", Level.WRONG)])
def test_the_project_for_restricted_tickets_must_be_there_for_us(house: Rig, key: str, level: Level) -> None:
    all_findings = findings(house, mapping(restricted={"level": "Board only", "project": key}))
    messages = [finding.message for finding in of(all_findings, "J11", level)]
    assert [key in message for message in messages if "tickets in" in message] == [True]


@pytest.mark.parametrize(
    ("people", "name"),
    [
        ([Account(id="1", name="Ada", email="ada@x.example"), Account(id="2", email="ada@y.example")], "Ada"),
        ([Account(id="1", name="Ada")], "Ada"),
        ([Account(id="1", name="Ada"), Account(id="2", name="Bo")], None),
        ([Account(id="1", name="Ada", email="other@x.example")], None),
        ([Account(id="1", name="Ada", email="ada@x.example", active=False)], None),
        ([], None),
    ],
)
def test_only_one_person_beyond_doubt_is_taken(people: list[Account], name: str | None) -> None:
    account, _why = pick("ada@x.example", people)
    assert (account.name if account else None) == name


@pytest.mark.parametrize("data_center", [False, True])
@pytest.mark.parametrize("epoch", [False, True])
def test_an_account_that_wrote_to_more_than_twenty_issues_in_an_hour_is_named(
    make_rig: Any, data_center: bool, epoch: bool
) -> None:
    house: Rig = make_rig(data_center_edition=data_center)
    house.world.jira.site.options.bulk_changelog_epoch = epoch
    issues = [house.world.jira.create("Amara Osei", f"Task {number}") for number in range(130)]
    for issue in issues[:21]:
        house.world.jira.edit(issue.key, "Ines Carvalho", priority={"name": "High"})
        house.world.jira.edit(issue.key, "Ines Carvalho", priority={"name": "Low"})
        house.world.advance(170)
    for issue in issues[100:120]:
        house.world.jira.edit(issue.key, "Mei Tanaka", priority={"name": "High"})
    for issue in issues[50:71]:
        house.world.jira.edit(issue.key, "Elif Kaya", priority={"name": "High"})
        house.world.advance(190)
    before, writes = requests(house), house.writes()
    (candidate,) = of(findings(house), "J16", Level.UNKNOWN)
    assert candidate.message.startswith("Ines Carvalho (")
    assert "21 issues within one hour" in candidate.message
    assert house.writes() == writes
    paths = [line.path for line in house.world.journal.lines()[before:]]
    assert sum(path.endswith("/changelog/bulkfetch") for path in paths) == (0 if data_center else 1)
    account_id = candidate.message.partition("(")[2].partition(")")[0]
    for robots in ([account_id], ["ines.carvalho@qrpay.example"]):
        all_findings = findings(house, mapping(people={"robots": robots}))
        assert not of(all_findings, "J16", Level.UNKNOWN)
        assert of(all_findings, "J16", Level.OK)


def test_a_robot_whose_address_jira_hides_is_named_with_what_to_write(house: Rig) -> None:
    listed = mapping(people={"robots": ["robot@qrpay.example", "7000:robot"]})
    (hidden,) = of(findings(house, listed), "J16", Level.UNKNOWN)
    assert "no account for robot@qrpay.example" in hidden.message
    assert "write the robot's account id in place of robot@qrpay.example" in str(hidden.hint)


def test_apps_and_our_own_account_are_no_candidates(house: Rig) -> None:
    house.world.jira.site.people["app"] = Person("app", "Builds", "builds@qrpay.example", account_type="app")
    for number in range(25):
        issue = house.world.jira.create("Amara Osei", f"Task {number}")
        for account in ("app", BOT_ACCOUNT):
            house.world.jira.edit(issue.key, account, duedate=f"2026-12-{number + 1:02d}")
    assert not of(findings(house), "J16", Level.UNKNOWN)


def test_where_a_person_and_a_robot_match_the_person_is_meant() -> None:
    ada, robot = Account(id="1", name="Ada"), Account(id="2", name="Ada's robot")
    account, _why = pick("ada@x.example", [robot, ada], frozenset({robot.id}))
    assert account == ada


def project(*statuses: tuple[str, StatusCategory], types: tuple[str, ...] = ("Task",)) -> ProjectFacts:
    rows = tuple(Status(id=str(n), name=name, category=kind) for n, (name, kind) in enumerate(statuses))
    kinds = tuple(IssueTypeFacts(id=name, name=name, statuses=rows) for name in types)
    return ProjectFacts(id="1", key="OPS", types=kinds, priorities=(Reference(id="1", name="Alto"),))


def test_where_the_defaults_fit_nothing_has_to_be_said() -> None:
    facts = project(("To Do", "new"), ("In Progress", "indeterminate"), ("Done", "done"))
    choice = choose(["Web"], facts, (), ["P1", "P2"])
    assert choice.model_copy(update={"severities": (), "assumed": ()}) == Choice()
    assert [severity.name for severity in choice.severities] == ["P1", "P2"]


def test_what_is_assumed_of_statuses_goes_by_category_and_an_epic_is_no_ticket() -> None:
    facts = project(
        ("Listo", "done"), ("Nuevo", "new"), ("En curso", "indeterminate"), types=("Epic", "Historia")
    )
    choice = choose(["Web"], facts, (), [])
    assert choice.issue_type == "Historia"
    assert choice.statuses == {
        "triggered": "Nuevo",
        "acknowledged": "En curso",
        "resolved": "En curso",
        "closed": "Listo",
    }
    assert len(choice.assumed) == 5 + len(choice.severities)


def test_a_workflow_with_one_status_still_gives_a_mapping() -> None:
    choice = choose(["Web"], project(("Abierto", "undefined")), (), [])
    assert set(choice.statuses.values()) == {"Abierto"}
