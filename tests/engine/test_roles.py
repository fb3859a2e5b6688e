"""The ticket names who has which role; a line, an acknowledge or a schedule decides."""

from __future__ import annotations

import re
from typing import Any

from rig import Rig, mapping

from engine.cast import issue_of, nothing_more_is_written
from engine.mail_rig import DIRECTOR, letters, mailing, subjects, text_of
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_EMAIL

ALIPAY = "Alipay Integration"
ROTA = "QRPay incident commanders"
ROLES = {"commander": {"schedule": ROTA}, "communications_lead": {}, "scribe": {}}


def on(make_rig: Any, **changes: Any) -> Rig:
    team = mapping(**{"services": {ALIPAY: {}}, "roles": ROLES, "template": "qrpay/ticket.j2", **changes})
    rig: Rig = make_rig(mappings=(team,), renderer=TicketRenderer(Templates()), sender=BOT_EMAIL)
    rig.cycle()
    return rig


def description(rig: Rig) -> str:
    return str(issue_of(rig)["fields"]["description"])


def comments(rig: Rig) -> list[str]:
    bodies = (comment["body"] for comment in issue_of(rig)["comments"])
    return [text for text in bodies if text.startswith("Roles changed. ")]


def test_the_ticket_names_who_was_on_the_schedule_and_a_comment_each_change(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    made = people.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.cycle()
    assert f"* Incident commander: Amara Osei (on {ROTA} at the trigger)" in description(rig)
    assert "* Communications lead: nobody yet" in description(rig)
    people.acknowledge(made.id, "Jonas Lindqvist")
    people.note(made.id, "communications lead: @mei", "Jonas Lindqvist")
    rig.settle(2)
    assert comments(rig) == []
    rig.cycle(120.0)
    (comment,) = comments(rig)
    assert "Incident commander: Jonas Lindqvist (acknowledged first)." in comment
    assert "Communications lead: Mei Tanaka (named by Jonas Lindqvist)." in comment
    people.note(made.id, "scribe: the new colleague", "Jonas Lindqvist")
    rig.settle(2)
    rig.cycle(120.0)
    assert "the new colleague (named by Jonas Lindqvist; syncd knows nobody of this name)" in comments(rig)[1]
    nothing_more_is_written(rig)


def test_the_first_person_who_acknowledges_is_the_commander_also_after_syncds_own_user(make_rig: Any) -> None:
    rig = on(make_rig, roles={"commander": {}})
    people = rig.world.pagerduty
    made = people.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.cycle()
    for user in ("syncd", "Jonas Lindqvist", "Mei Tanaka"):
        people.acknowledge(made.id, user)
        rig.cycle(10.0)
    rig.cycle(120.0)
    (comment,) = comments(rig)
    assert "Incident commander: Jonas Lindqvist (acknowledged first)." in comment
    nothing_more_is_written(rig)


def test_a_schedule_that_cannot_be_read_holds_up_no_ticket(make_rig: Any) -> None:
    rig = on(make_rig)
    rig.world.faults.add(faults.error(403), times=None, service="pagerduty", path=r"/schedules")
    rig.world.pagerduty.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.cycle()
    assert "* Incident commander: nobody yet" in description(rig)
    rig.world.faults.clear()
    rig.cycle(3600.0)
    rig.settle(2)
    nothing_more_is_written(rig)


def alarming() -> Any:
    sev1 = {"pagerduty": "P2", "urgency": "high", "priority": "High", "notify": [DIRECTOR]}
    asked = {"alarm": True, "acknowledge_minutes": 5, "roles_required": ["communications_lead"]}
    severities = {"SEV1": {**sev1, **asked}, "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"}}
    return mailing(severities=severities, roles=ROLES)


def test_the_contacts_hear_once_that_nobody_acknowledged(make_rig: Any) -> None:
    rig: Rig = make_rig(mappings=(alarming(),), mail=True)
    rig.cycle()
    rig.world.pagerduty.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.settle(2)
    assert subjects(rig) == ["SEV1: Latency above 2 s (#1)"]
    rig.cycle(310.0)
    assert subjects(rig, DIRECTOR)[1:] == ["Nobody acknowledged SEV1: Latency above 2 s (#1)"]
    letter = text_of(letters(rig)[-1])
    assert f"Nobody has acknowledged #1 of {ALIPAY}. PagerDuty still pages for #1." in letter
    assert re.search(r"Severity: SEV1\r?\nTriggered: ", letter)
    rig.cycle(3600.0)
    nothing_more_is_written(rig)
    assert len(letters(rig)) == 2


def test_an_alarm_is_read_again_before_it_leaves(make_rig: Any) -> None:
    # what the user acknowledges in whose name syncd acts is no person's word
    rig: Rig = make_rig(mappings=(alarming(),), mail=True, sender=BOT_EMAIL)
    rig.cycle()
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.settle(2)
    # the poll does not see the acknowledge
    for path in (r"/log_entries$", r"/incidents$"):
        rig.world.faults.add(faults.error(500), times=1, service="pagerduty", method="GET", path=path)
    rig.world.advance(310.0)
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.cycle()
    rig.settle(3)
    assert subjects(rig) == ["SEV1: Latency above 2 s (#1)"]
    # the commander hears that nobody leads the communications
    rig.cycle(310.0)
    assert subjects(rig, "amara.osei@qrpay.example") == ["No communications lead: Latency above 2 s (#1)"]
    assert "`communications lead: NAME`" in text_of(letters(rig)[-1])
    nothing_more_is_written(rig)
