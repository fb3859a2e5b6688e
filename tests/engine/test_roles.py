"""The ticket names who has which role; a line, an acknowledge or a schedule decides."""

from __future__ import annotations

from typing import Any

from rig import Rig, mapping

from engine.test_lifecycle import issue_of, nothing_more_is_written
from syncd.config.templates.templates import Templates
from syncd.daemon import TicketRenderer
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
    said = (one["body"] for one in issue_of(rig)["comments"])
    return [text for text in said if text.startswith("Roles:")]


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
    (comment,) = comments(rig)
    assert "Incident commander: Jonas Lindqvist (acknowledged first)." in comment
    assert "Communications lead: Mei Tanaka (named by Jonas Lindqvist)." in comment
    people.note(made.id, "scribe: the new colleague", "Jonas Lindqvist")
    rig.settle(2)
    assert "the new colleague (named by Jonas Lindqvist; syncd knows nobody of this name)" in comments(rig)[1]
    nothing_more_is_written(rig)


def test_a_schedule_that_cannot_be_read_holds_up_no_ticket(make_rig: Any) -> None:
    rig = on(make_rig)
    rig.world.faults.add("http-403", times=None, service="pagerduty", path=r"/schedules")
    rig.world.pagerduty.trigger(ALIPAY, "Latency above 2 s", priority="P2")
    rig.cycle()
    assert "* Incident commander: nobody yet" in description(rig)
    rig.world.faults.clear()
    rig.cycle(3600.0)
    rig.settle(2)
    nothing_more_is_written(rig)
