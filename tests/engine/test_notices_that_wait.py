"""Notices that wait: what holds none, and which leave late or not at all."""

from __future__ import annotations

from rig import Rig

from engine.cast import incident_of, pause, resume
from engine.mail_rig import (
    COMPLIANCE,
    CTO,
    MakeRig,
    letters,
    mailing,
    mails,
    no_more_letters,
    recipients,
    sev0,
    subjects,
    text_of,
    whys,
)
from engine.test_notices import HOUR, MINUTE
from syncd.sandbox import faults


def test_a_jira_outage_holds_no_notice(post: Rig) -> None:
    post.world.faults.add(faults.error(503), service="jira", times=None)
    made = post.world.pagerduty.trigger("Alipay Integration", "Down", priority="P1")
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]
    post.settle(3)
    assert len(letters(post)) == 2
    post.world.faults.clear()
    post.settle(30)
    assert "OPS-1" in str(incident_of(post, made)["notes"])
    assert len(letters(post)) == 2


def test_a_jira_that_was_never_reached_holds_no_notice(make_rig: MakeRig) -> None:
    def down(world: object) -> None:
        world.faults.add(faults.error(503), service="jira", times=None)  # type: ignore[attr-defined]  # a World

    rig = make_rig(mappings=(mailing(),), mail=True, preset=down)
    sev0(rig)
    rig.cycle()
    assert recipients(rig) == [COMPLIANCE, CTO]


def test_a_parked_ticket_operation_holds_no_notice(post: Rig) -> None:
    post.world.faults.add(faults.error(400), service="jira", method="POST", path=r"/issue$", times=None)
    made = post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    post.settle(3)
    assert [row.kind for row in post.operations("parked")] == ["create_ticket"]
    post.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]


def test_a_notice_of_an_open_incident_that_waited_goes_out_marked_late(post: Rig) -> None:
    pause(post, "mail")
    sev0(post)
    post.settle(3, seconds=10 * MINUTE)
    assert letters(post) == []
    resume(post, "mail")
    post.cycle()
    assert subjects(post, CTO) == ["LATE: SEV0: Callbacks time out (#1)"]
    assert "This notice is late" in text_of(letters(post)[0])
    no_more_letters(post)


def test_a_notice_that_waited_longer_than_its_incident_is_on_record_as_not_sent(post: Rig) -> None:
    pause(post, "mail")
    made = sev0(post)
    post.cycle()
    post.world.pagerduty.resolve(made, "Amara Osei")
    post.settle(3, seconds=10 * MINUTE)
    resume(post, "mail")
    post.settle(2)
    assert letters(post) == []
    assert [whys(post, mail.id or 0) for mail in mails(post)] == [
        ["not sent: the incident was over before syncd could tell anybody"]
    ] * 2


def test_a_notice_of_a_severity_that_was_lowered_meanwhile_is_not_sent(post: Rig) -> None:
    pause(post, "mail")
    made = sev0(post)
    post.cycle()
    post.world.pagerduty.set_priority(made, "P3", "Amara Osei")
    post.cycle()
    resume(post, "mail")
    post.settle(2)
    assert letters(post) == []
    assert {mail.state for mail in mails(post)} == {"dropped"}
    post.world.pagerduty.set_priority(made, "P1", "Amara Osei")
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]


def test_an_incident_that_came_and_went_while_the_daemon_was_down_is_on_record_as_not_told(post: Rig) -> None:
    post.stop()
    made = sev0(post)
    post.world.advance(2 * MINUTE)
    post.world.pagerduty.resolve(made, "Amara Osei")
    post.world.advance(HOUR)
    post.start()
    post.settle(3)
    assert letters(post) == []
    assert {mail.state for mail in mails(post)} == {"dropped"}
    assert len(mails(post)) == 2
