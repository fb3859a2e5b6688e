"""`syncd init`, and that what it writes is what the other commands take."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from commandline import House

from syncd.commands import init
from syncd.config.mapping.load import load_mappings
from syncd.config.templates.templates import Templates
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.sandbox import presets
from syncd.sandbox.cast import START
from syncd.sandbox.jira.model import FieldDef, Option, Priority
from syncd.sandbox.jira.workflow import Status, Workflow, any_to_any


@pytest.mark.parametrize("name", ["qrpay", "ramen"])
def test_a_shipped_example_is_copied_with_the_date_and_passes_the_check(bare: House, name: str) -> None:
    result = bare.syncd("init", "mappings", "--example", name, "--enforce-from", "2026-12-01")
    assert result.code == 0
    assert "enforce_from: 2026-12-01\n" in Path(f"mappings/{name}.yaml").read_text()
    bare.set("SYNCD_MAPPINGS_DIR", "mappings")
    assert bare.syncd("check", "--offline").code == 0


def test_it_names_the_next_commands(bare: House) -> None:
    out = bare.syncd("init", "mappings", "--example", "qrpay").out
    assert "export SYNCD_MAPPINGS_DIR=mappings" in out
    assert "syncd check" in out


def test_the_rules_of_a_first_mapping_hold_from_today(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web")
    text = Path("m/web.yaml").read_text()
    assert f"enforce_from: {START.date().isoformat()}" in text


def test_a_first_mapping_has_its_services_and_reports_before_it_enforces(bare: House) -> None:
    result = bare.syncd(
        "init",
        "m",
        "--team",
        "Pay & Go",
        "--service",
        "Alipay Integration",
        "--service",
        "yes",
        "--project",
        "ENG",
    )
    assert result.code == 0
    text = Path("m/pay-go.yaml").read_text()
    assert "mode: report" in text
    assert "project: ENG" in text
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    assert bare.syncd("check", "--offline").code == 0


@pytest.mark.parametrize("name", ["qrpay", "ramen"])
def test_an_example_in_mode_report_switches_nothing_on(bare: House, name: str) -> None:
    bare.syncd("init", "m", "--example", name, "--mode", "report")
    (made,) = load_mappings(Path("m"), Templates())
    assert {
        part.mode for part in (made.mails, made.closing, made.follow_ups, made.postmortem, made.report)
    } == {Mode.REPORT}
    assert made.close_gate.mode == "comment"
    bare.syncd("init", "m", "--example", name, "--mode", "enforce", "--force")
    (made,) = load_mappings(Path("m"), Templates())
    assert {part.mode for part in (made.mails, made.closing, made.follow_ups, made.postmortem)} == {
        Mode.ENFORCE
    }


def test_a_mapping_that_is_there_is_not_overwritten_unless_forced(bare: House) -> None:
    Path("m").mkdir()
    Path("m/qrpay.yaml").write_text("mine")
    result = bare.syncd("init", "m", "--example", "qrpay")
    assert result.code == 1
    assert "--force" in result.err
    assert Path("m/qrpay.yaml").read_text() == "mine"
    assert bare.syncd("init", "m", "--example", "qrpay", "--force").code == 0
    assert "team: QRPay" in Path("m/qrpay.yaml").read_text()


def test_what_root_writes_can_be_read_by_the_services_user_whatever_the_umask(
    bare: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    before = os.umask(0o077)
    try:
        bare.syncd("init", "etc/mappings", "--example", "qrpay")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (Path("etc"), Path("etc/mappings"))]
    assert modes == [0o755, 0o755]
    assert Path("etc/mappings/qrpay.yaml").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "--team NAME"),
        (("--team", "Web"), "--service NAME"),
        (("--team", "Web", "--service", "Web", "--project", "ops"), "is not the key of a Jira project"),
        (("--example", "qrpay", "--team", "Web"), "leave out --team and --service"),
        (("--example", "qrpay", "--enforce-from", "tomorrow"), "2026-12-01"),
    ],
)
def test_what_is_missing_or_wrong_is_a_usage_error_and_writes_nothing(
    bare: House, args: tuple[str, ...], words: str
) -> None:
    result = bare.syncd("init", "m", *args)
    assert result.code == 2
    assert words in result.err
    assert not Path("m").exists()


def loaded() -> Mapping:
    (mapping,) = load_mappings(Path("m"), Templates())
    return mapping


def written(house: House, *args: str, name: str = "qrpay") -> str:
    result = house.syncd("init", "m", *args)
    assert result.code == 0, result.err
    house.set("SYNCD_MAPPINGS_DIR", "m")
    return Path(f"m/{name}.yaml").read_text()


def checked(house: House) -> None:
    """What is there passes the check, and the daemon makes a ticket of an incident."""
    result = house.syncd("check")
    assert result.code == 0, result.out
    incident = house.trigger()
    assert house.syncd("run", "--once").code == 0
    assert len(house.tickets(incident)) == 1


def test_a_teams_services_and_their_components_are_read_and_pass_the_check(bare: House) -> None:
    text = written(bare, "--team", "qrpay")
    assert "  Alipay Integration:\n    component: Alipay Integration " in text
    # the first schedule and the first person of the escalation policy
    assert "  Yoomonea Service:\n    owner: " in text
    assert text.count("QRPay incident commanders") == 4
    assert text.count('owner: "priya.raman@qrpay.example"') == 4
    assert "Dispatch" not in text
    assert "\n  statuses" not in text
    checked(bare)


def test_a_disabled_service_is_left_out_and_said(bare: House) -> None:
    bare.world.pagerduty.account.services["PSVC003"].status = "disabled"
    result = bare.syncd("init", "m", "--team", "QRPay")
    assert "left out, because they are disabled: Yoomonea Service" in result.out
    assert "Yoomonea" not in Path("m/qrpay.yaml").read_text()


def test_a_project_in_another_language_needs_no_further_line(bare: House) -> None:
    presets.localise(bare.world.jira.site)
    assert "\n  statuses" not in written(bare, "--team", "QRPay")
    checked(bare)


def renamed() -> Workflow:
    names = (
        ("Neu", "new"),
        ("Wartet", "new"),
        ("In Bearbeitung", "indeterminate"),
        ("Zur Überprüfung", "indeterminate"),
        ("Abgelehnt: nein", "done"),
    )
    rows = [Status(str(100 + place), name, kind) for place, (name, kind) in enumerate(names)]  # type: ignore[arg-type] # categories
    return any_to_any("Eigen", rows)


def test_a_project_with_names_of_its_own_gets_its_statuses_and_type_and_says_what_was_assumed(
    bare: House,
) -> None:
    site = bare.world.jira.site
    presets.use_workflow(site, "OPS", renamed())
    presets.without_types(site, "OPS", "Incident", "Bug", "Task")
    for number, old in ((1, "Highest"), (2, "High"), (3, "Medium"), (4, "Low"), (5, "Lowest")):
        site.priorities[str(number)] = Priority(str(number), f"Stufe {old}")
    result = bare.syncd("init", "m", "--team", "QRPay")
    written(bare, "--team", "QRPay", "--force")
    made = loaded()
    assert made.jira.issue_types.incident == ("Postmortem",)
    assert made.jira.statuses.triggered == ("Neu",)
    assert made.jira.statuses.acknowledged == ("In Bearbeitung",)
    assert made.jira.statuses.resolved == ("Zur Überprüfung",)
    assert made.jira.statuses.closed == ("Abgelehnt: nein",)
    assert made.severities["P2"].priority == ("Stufe High",)
    for words in ("tickets are of type Postmortem", "closed is Abgelehnt: nein", "P4 is P4 in PagerDuty"):
        assert f"assumed: {words}" in result.out
    checked(bare)


def test_priorities_with_names_of_their_own_become_the_severities(bare: House) -> None:
    for number, row in enumerate(bare.world.pagerduty.account.priorities.values(), 1):
        row.name = f"Grade {number}"
    written(bare, "--team", "QRPay")
    severities = loaded().severities
    assert list(severities) == [f"Grade {number}" for number in range(1, 6)]
    assert [section.postmortem for section in severities.values()] == [True, True, False, False, False]
    assert severities["Grade 4"].pagerduty == ("Grade 4",)
    assert severities["Grade 4"].priority == ("Low",)
    checked(bare)


def test_an_account_without_priorities_gets_a_severity_for_each_urgency(bare: House) -> None:
    bare.world.pagerduty.account.priorities.clear()
    written(bare, "--team", "QRPay")
    severities = loaded().severities
    assert [(section.urgency, section.pagerduty) for section in severities.values()] == [
        ("high", ()),
        ("low", ()),
    ]
    assert [section.postmortem for section in severities.values()] == [True, False]
    checked(bare)


def test_the_operator_chooses_the_severities_that_owe_a_postmortem(bare: House) -> None:
    result = bare.syncd("init", "m", "--team", "QRPay", "--postmortem", "p1", "--postmortem", "P4")
    assert "postmortem: P1, P4 owe a postmortem" in result.out
    assert [name for name, section in loaded().severities.items() if section.postmortem] == ["P1", "P4"]
    result = bare.syncd("init", "n", "--team", "QRPay", "--postmortem", "P9")
    assert result.code == 2
    assert "there is no severity P9; there are P1, P2, P3, P4, P5" in result.err


@pytest.mark.parametrize(("answer", "owing"), [("", ["P1", "P2"]), ("p3, P1", ["P1", "P3"]), ("-", [])])
def test_on_a_terminal_syncd_asks_which_severities_owe_a_postmortem(
    bare: House, answer: str, owing: list[str]
) -> None:
    bare.monkeypatch.setattr(init, "_may_ask", lambda: True)
    bare.monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
    assert bare.syncd("init", "m", "--team", "QRPay").code == 0
    assert [name for name, section in loaded().severities.items() if section.postmortem] == owing
    # a script says that it answers nothing
    assert bare.syncd("init", "m", "--team", "QRPay", "--yes", "--force").code == 0


def test_a_mapping_in_which_nothing_owes_a_postmortem_is_said_by_check_and_status(bare: House) -> None:
    bare.syncd("init", "m", "--team", "QRPay")
    path = Path("m/qrpay.yaml")
    path.write_text(path.read_text().replace("postmortem: true", "postmortem: false"))
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    result = bare.syncd("check")
    assert result.code == 0
    assert "no severity owes a postmortem" in result.out
    bare.syncd("run", "--once")
    assert "QRPay: no severity owes a postmortem" in bare.syncd("status").out
    path.write_text(path.read_text().replace("mode: report", "mode: enforce"))
    assert "wrong    C12   QRPay, severities: no severity owes" in bare.syncd("check", "--offline").out


def test_a_team_managed_project_gets_no_components(bare: House) -> None:
    presets.team_managed(bare.world.jira.site)
    assert "component: " not in written(bare, "--team", "QRPay").replace("# component: ", "")
    checked(bare)


def test_what_a_create_screen_demands_is_filled_and_said(bare: House) -> None:
    site = bare.world.jira.site
    regions = FieldDef("customfield_10060", "Region", "option", (Option("1", "EU"), Option("2", "US")))
    site.fields[regions.id] = regions
    severity = site.fields["customfield_10050"]
    more = tuple(Option(f"1031{number}", f"P{number}") for number in range(1, 6))
    site.fields[severity.id] = replace(severity, options=more)
    demanded = ("customfield_10050", "customfield_10051", "customfield_10060", "components")
    presets.require(site, "OPS", *demanded)
    result = bare.syncd("init", "m", "--team", "QRPay")
    written(bare, "--team", "QRPay", "--force")
    fields = loaded().jira.fields
    assert fields["Severity"].severity
    assert fields["PagerDuty incident"].template == "{{ incident.title }}"
    assert fields["Region"].value == "EU"
    for words in (
        "Region, which the create screen requires, is always EU",
        "Severity, which the create screen requires, is the severity",
        "component of Yoomonea Service is Alipay Integration",
    ):
        assert f"assumed: {words}" in result.out
    checked(bare)


def test_what_nobody_can_guess_of_a_demanded_field_is_left_open_and_said(bare: House) -> None:
    presets.require(bare.world.jira.site, "OPS", "duedate", "assignee")
    result = bare.syncd("init", "m", "--team", "QRPay")
    assert (
        "requires Due date, and only you know its value: add jira.fields.Due date to the mapping"
        in result.out
    )
    assert (
        "the create screen requires Assignee, and only you know its value: set people.fallback" in result.out
    )
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    assert bare.syncd("check").code == 1


def test_services_that_are_given_are_spelled_as_pagerduty_does_and_strange_ones_are_said(bare: House) -> None:
    result = bare.syncd(
        "init", "m", "--team", "Pay", "--service", "alipay integration", "--service", "Dispach"
    )
    assert result.code == 0
    text = Path("m/pay.yaml").read_text()
    assert "  Alipay Integration:\n" in text
    assert "  Dispach: {}" in text
    assert "PagerDuty shows our token no service Dispach; did you mean `Dispatch`?" in result.out


def test_a_team_that_pagerduty_does_not_have_is_a_usage_error_that_names_those_it_has(bare: House) -> None:
    result = bare.syncd("init", "m", "--team", "Web")
    assert result.code == 2
    assert "it has QRPay, Ramen" in result.err
    assert not Path("m").exists()


def test_without_the_usual_project_the_only_one_is_taken_and_of_several_one_must_be_named(
    bare: House,
) -> None:
    site = bare.world.jira.site
    ops = next(project for project in site.projects.values() if project.key == "OPS")
    ops.key = "SUP"
    result = bare.syncd("init", "m", "--team", "QRPay")
    assert result.code == 2
    assert "it sees SUP, ENG" in result.err
    site.projects = {"10200": ops}
    result = bare.syncd("init", "m", "--team", "QRPay")
    assert "assumed: project SUP" in result.out
    assert "project: SUP" in Path("m/qrpay.yaml").read_text()


def test_without_credentials_or_offline_nobody_is_asked(bare: House) -> None:
    for name in ("SYNCD_PAGERDUTY_TOKEN", "SYNCD_JIRA_TOKEN"):
        bare.monkeypatch.delenv(name)
    assert bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web").code == 0
    bare.set("SYNCD_JIRA_TOKEN", "any")
    assert bare.syncd("init", "n", "--offline", "--team", "Web", "--service", "Web").code == 0
    assert bare.world.journal.total() == 0


@pytest.mark.parametrize(
    ("break_", "code"),
    [
        (lambda house: house.set("SYNCD_JIRA_TOKEN", "wrong"), 77),
        (lambda house: setattr(house.world.jira.site.options, "login", "expired"), 77),
        (lambda house: house.server.close_door("pagerduty"), 69),
    ],
)
def test_a_service_that_refuses_or_is_down_ends_it_and_nothing_is_written(
    bare: House, break_: Callable[[House], None], code: int
) -> None:
    break_(bare)
    assert bare.syncd("init", "m", "--team", "QRPay").code == code
    assert not Path("m").exists()
