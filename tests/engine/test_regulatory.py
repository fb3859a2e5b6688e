"""Regulatory filings from trigger to filing, and exercises from label to report, against the sandbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from rig import SERVICES, Rig

from engine.cast import issue_of, nothing_more_is_written
from engine.mail_rig import COMPLIANCE, CTO, DIRECTOR, MakeRig, letters, mailing, recipients, subjects
from engine.restricted_cast import CANARY, hidden, project, without_level
from syncd.commands.shared.status_lines import next_act
from syncd.config.templates.templates import Templates
from syncd.domain.duty import DutyState
from syncd.engine.rules import TicketRenderer
from syncd.ledger.requests.answers import ask
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data
from syncd.report.weekly import formats
from syncd.report.weekly.report import make
from syncd.report.weekly.week import Week

HOUR = 3600.0
LEAD, DEPUTY = COMPLIANCE, DIRECTOR
RULES: dict[str, Any] = {
    "level": "Security incident",
    "titles": [r"\bPII\b"],
    "lead": LEAD,
    "deputy": DEPUTY,
    "clocks": {"gdpr": {"hours": 72, "label": "filed-gdpr"}},
    "playbook": ["Security"],
}
PLAYBOOK = [{"name": "Security", "title": "PII", "actions": ["Rotate keys (all)"]}]


@pytest.fixture
def careful(make_rig: MakeRig) -> Any:
    def begin(preset: Any = without_level) -> Rig:
        # naming a clock switches its mails on, also where all other mails are off
        team = mailing(restricted=RULES, playbook=PLAYBOOK, services=SERVICES, mails={"mode": "off"})
        rig = make_rig(mappings=(team,), mail=True, preset=preset, renderer=TicketRenderer(Templates()))
        rig.cycle()
        return rig

    return begin


def filing(rig: Rig) -> dict[str, Any]:
    record = incident_named(rig.ledger, "1")
    assert record is not None
    (shown,) = show_data(rig.ledger, record, rig.clock.now())["filings"]
    return dict(shown)


def pass_hours(rig: Rig, hours: float) -> None:
    rig.cycle(hours * HOUR)
    rig.settle(3)


def test_a_missed_filing_is_told_to_lead_and_deputy_without_a_word_of_the_incident(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P3")
    rig.settle(3)
    about_the_level = len(letters(rig))
    pass_hours(rig, 36.5)
    assert recipients(rig)[about_the_level:] == [LEAD]
    pass_hours(rig, 33)
    assert [recipients(rig).count(each) for each in (LEAD, DEPUTY)] == [3, 1]
    assert subjects(rig, DEPUTY) == ["syncd: Regulatory filing gdpr of restricted incident #1 is due"]
    rig.restart()
    rig.settle(2)
    pass_hours(rig, 3)
    assert subjects(rig, DEPUTY)[1:] == ["syncd: Regulatory filing gdpr of restricted incident #1 is overdue"]
    assert filing(rig)["state"] is DutyState.BREACHED
    (shown,) = (each for each in status_data(rig.ledger)["incidents"] if each["id"] == made.id)
    assert next_act(shown, rig.clock.now()).startswith("file with the regulator for OPS-1, ")
    week, now = Week.of(datetime.fromisoformat(filing(rig)["due_at"]), "UTC"), rig.clock.now()
    report = make(rig.ledger, week, "QRPay", rig.context.mappings, now)
    assert report.figures["apart"]["regulatory"] == {"met": 0, "of": 1, "running": 0}
    assert report.figures["apart"]["restricted"]["of"] == 0
    assert report.figures["of"] == 0
    assert not any(CANARY.encode() in letter.content for letter in letters(rig))
    assert CANARY not in formats.as_csv(report)
    hidden(rig)
    nothing_more_is_written(rig)


@pytest.mark.parametrize("act", ["label", "line"])
def test_a_person_files_it_on_the_ticket_and_the_reminders_end(careful: Any, act: str) -> None:
    rig = careful()
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P3")
    pass_hours(rig, 1)
    if act == "label":
        rig.world.jira.add_label("OPS-1", "filed-gdpr", "Ines Carvalho")
    else:
        rig.world.jira.comment("OPS-1", "filed-gdpr: IC-2026-118", "Ines Carvalho")
    rig.settle(3)
    assert filing(rig)["state"] is DutyState.MET
    before = len(letters(rig))
    pass_hours(rig, 80)
    assert len(letters(rig)) == before
    assert (filing(rig)["name"], filing(rig)["words"]) == ("gdpr", "done in time")
    nothing_more_is_written(rig)


@pytest.mark.parametrize("act", ["label", "line"])
def test_a_filing_that_jiras_search_does_not_show_yet_meets_its_deadline(careful: Any, act: str) -> None:
    rig = careful()
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P3")
    rig.settle(3)
    rig.cycle(72 * HOUR - 300.0)
    rig.world.jira.site.options.search_lag = 600.0
    if act == "label":
        rig.world.jira.add_label("OPS-1", "filed-gdpr", "Ines Carvalho")
    else:
        rig.world.jira.comment("OPS-1", "filed-gdpr: IC-2026-118", "Ines Carvalho")
    rig.cycle(400.0)
    assert filing(rig)["state"] is DutyState.MET
    rig.settle(30)
    assert filing(rig)["state"] is DutyState.MET
    assert not any("overdue" in subject for subject in subjects(rig, LEAD))


def test_a_filing_is_waived_by_its_name_and_by_an_approver_alone(careful: Any) -> None:
    rig = careful()
    rig.world.pagerduty.trigger("Alipay Integration", "PII", priority="P3")
    pass_hours(rig, 1)
    until = (rig.clock.now() + timedelta(days=5)).isoformat()
    asked = {"of": "1", "until": until, "reason": "no data of customers", "and_by": None}
    for by, duty in ((CTO, "filed:gdpr"), ("priya.raman@qrpay.example", "filed:other")):
        ask(rig.ledger, "waive", {**asked, "by": by, "duty": duty}, "operator")
        rig.settle(2)
        assert filing(rig)["state"] is DutyState.PENDING
    given = {**asked, "by": "priya.raman@qrpay.example", "duty": "filed:gdpr"}
    ask(rig.ledger, "waive", given, "operator")
    rig.settle(2)
    assert filing(rig)["state"] is DutyState.WAIVED


def test_a_stub_has_the_security_playbook_and_gets_its_texts_once_it_has_a_level(careful: Any) -> None:
    rig = careful()
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P3")
    rig.settle(3)
    text = issue_of(rig)["fields"]["description"]
    assert "h2. Playbook: Security\n# ☐ Rotate keys (all)" in text.replace("\\", "")
    assert CANARY not in str(issue_of(rig))
    project(rig).denied.discard("SET_ISSUE_SECURITY")
    rig.settle(2)
    rig.world.advance(3700)
    rig.loop.slow()
    rig.settle(6)
    assert CANARY in issue_of(rig)["fields"]["description"]
    hidden(rig)


def test_an_exercise_counts_nowhere_until_the_label_is_removed(make_rig: MakeRig) -> None:
    team = mailing(postmortem={"mode": "enforce"}, services=SERVICES)
    rig = make_rig(mappings=(team,), mail=True)
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Storm", priority="P2")
    rig.settle(2)
    rig.world.jira.add_label("OPS-1", "game-day", "Ines Carvalho")
    rig.settle(2)
    first = next(iter(status_data(rig.ledger)["incidents"]))
    rig.world.pagerduty.resolve(first["id"], "Amara Osei")
    pass_hours(rig, 1)
    assert [row.kind for row in rig.operations() if row.kind == "create_postmortem"] == []

    def report() -> dict[str, Any]:
        week = Week.of(rig.began, "UTC")
        made = make(rig.ledger, week, "QRPay", rig.context.mappings, rig.clock.now())
        assert formats.as_csv(made)
        return made.figures

    figures = report()
    assert (figures["incidents"]["count"], figures["resolve"]) == (0, [])
    assert [row["by"] for row in figures["exercises"]] == ["Ines Carvalho"]
    rig.world.jira.edit("OPS-1", "Ines Carvalho", update={"labels": [{"remove": "game-day"}]})
    pass_hours(rig, 1)
    figures = report()
    assert (figures["incidents"]["count"], figures["exercises"]) == (1, [])
    assert [row.kind for row in rig.operations("done") if row.kind == "create_postmortem"]
