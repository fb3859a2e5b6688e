"""Notices by severity: whom they reach, when, how often, and that nothing of Jira holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from rig import SERVICES, Rig

from engine.mail_rig import (
    COMPLIANCE,
    CTO,
    DIRECTOR,
    OWNER,
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
from engine.restricted_cast import RULES
from syncd.config.templates.templates import Templates
from syncd.domain.operation.mail import ImpactMail
from syncd.report.mail.letters import About, correction, impact, notice, rendered
from syncd.report.mail.message import Envelope, message

MINUTE, HOUR = 60.0, 3600.0
MOMENT = datetime(2026, 11, 24, 10, tzinfo=UTC)
ENVELOPE = Envelope(sender="s@x.example", recipient="r@x.example", message_id="<1@x.example>", date=MOMENT)


def test_a_severity_s_people_are_told_in_the_cycle_that_sees_it_each_in_a_mail_of_their_own(
    post: Rig,
) -> None:
    sev0(post)
    post.cycle()
    assert [letter.recipients for letter in letters(post)] == [(CTO,), (COMPLIANCE,)]
    assert subjects(post, CTO) == ["SEV0: Callbacks time out (#1)"]
    no_more_letters(post)
    assert len(letters(post)) == 2


def test_a_notice_says_what_it_is_and_answers_to_no_robot(post: Rig) -> None:
    sev0(post)
    post.cycle()
    letter = letters(post)[0].message
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    assert parsedate_to_datetime(letter["Date"]) == post.clock.now()
    assert letters(post)[0].content.isascii()


def test_a_notice_has_the_incident_s_link_and_the_ticket_s_where_there_is_one(post: Rig) -> None:
    made = post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    post.settle(2)
    post.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    post.cycle()
    text = text_of(letters(post)[0])
    assert "/browse/OPS-1" in text
    assert f"/incidents/{made.id}" in text


def test_answers_go_where_the_mapping_says(make_rig: MakeRig) -> None:
    rules = mailing(mails={"mode": "enforce", "reply_to": "incidents@qrpay.example"})
    rig = make_rig(mappings=(rules,), mail=True)
    sev0(rig)
    rig.cycle()
    assert {letter.message["Reply-To"] for letter in letters(rig)} == {"incidents@qrpay.example"}


def test_a_severity_without_people_tells_nobody(post: Rig) -> None:
    post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    post.settle(2)
    assert letters(post) == []


def test_a_raise_tells_those_of_the_new_severity_once(post: Rig) -> None:
    made = post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P2")
    post.cycle()
    assert recipients(post) == [DIRECTOR]
    people = post.world.pagerduty
    people.set_priority(made.id, "P1", "Amara Osei")
    post.cycle()
    assert sorted(recipients(post)) == [COMPLIANCE, DIRECTOR, CTO]
    people.set_priority(made.id, "P2", "Amara Osei")
    post.settle(3)
    people.set_priority(made.id, "P1", "Amara Osei")
    post.settle(3)
    assert [subject for subject in subjects(post, CTO) if subject.startswith("SEV0")] == ["SEV0: Slow (#1)"]
    assert [subject for subject in subjects(post, DIRECTOR) if subject.startswith("SEV1")] == [
        "SEV1: Slow (#1)"
    ]
    no_more_letters(post)


def test_a_lowering_within_the_hour_tells_the_same_people_in_one_line_of_the_same_thread(post: Rig) -> None:
    made = sev0(post)
    post.cycle()
    notice = letters(post)[0].message
    post.world.pagerduty.set_priority(made, "P2", "Amara Osei")
    post.cycle()
    (correction,) = [letter for letter in letters(post)[2:] if CTO in letter.recipients]
    assert correction.message["Subject"] == "Lowered to SEV1: Callbacks time out (#1)"
    assert correction.message["In-Reply-To"] == notice["Message-ID"]
    assert "was lowered from SEV0 to SEV1" in text_of(correction)
    # a lowering is no reaching: the people of SEV1 hear nothing
    assert recipients(post) == sorted([CTO, COMPLIANCE] * 2)
    no_more_letters(post)


def test_who_heard_of_two_severities_hears_of_the_lowering_once_by_the_gravest(make_rig: MakeRig) -> None:
    rules = mailing()
    severities = {name: rules.severities[name].model_dump() for name in rules.severities}
    post: Rig = make_rig(
        mappings=(mailing(severities={**severities, "SEV1": severities["SEV1"] | {"notify": [CTO]}}),),
        mail=True,
    )
    post.cycle()
    made = post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P2")
    post.cycle()
    for priority in ("P1", "P3"):
        post.world.pagerduty.set_priority(made.id, priority, "Amara Osei")
        post.cycle()
    told = [letter for letter in letters(post) if CTO in letter.recipients]
    assert [str(letter.message["Subject"]) for letter in told] == [
        "SEV1: Slow (#1)",
        "SEV0: Slow (#1)",
        "Lowered to SEV2: Slow (#1)",
    ]
    assert "was lowered from SEV0 to SEV2" in text_of(told[-1])


def test_a_lowering_after_an_hour_tells_nobody(post: Rig) -> None:
    made = sev0(post)
    post.cycle()
    post.world.pagerduty.acknowledge(made, "Amara Osei")
    post.settle(3, seconds=30 * MINUTE)
    post.world.pagerduty.set_priority(made, "P2", "Amara Osei")
    post.settle(2)
    assert len(letters(post)) == 2


def test_a_merge_tells_of_the_higher_severity_and_nobody_twice(post: Rig) -> None:
    people = post.world.pagerduty
    target = people.trigger("Alipay Integration", "Slow", priority="P3")
    source = people.trigger("Alipay Integration", "Down", priority="P2")
    people.merge(target.id, [source.id], "Amara Osei")
    post.settle(3)
    assert subjects(post, DIRECTOR) == ["SEV1: Slow (#1)"]
    other = people.trigger("Alipay Integration", "Down again", priority="P2")
    post.cycle()
    people.merge(target.id, [other.id], "Amara Osei")
    post.settle(3)
    assert subjects(post, DIRECTOR) == ["SEV1: Slow (#1)", "SEV1: Down again (#3)"]
    (dropped,) = mails(post, "dropped")
    assert whys(post, dropped.id or 0) == [
        "not sent: the incident was merged into another one, whose notice counts"
    ]


def test_within_a_merge_group_nobody_hears_twice_of_a_severity(post: Rig) -> None:
    people = post.world.pagerduty
    low, middle = (people.trigger("Alipay Integration", title, priority="P3") for title in ("Slow", "Slower"))
    source = people.trigger("Alipay Integration", "Down", priority="P2")
    post.cycle()
    assert subjects(post, DIRECTOR) == ["SEV1: Down (#3)"]
    # a chain of merges, whose last target is lower and rises only now
    people.merge(middle.id, [source.id], "Amara Osei")
    post.settle(2)
    people.merge(low.id, [middle.id], "Amara Osei")
    post.settle(2)
    people.set_priority(low.id, "P2", "Amara Osei")
    post.settle(3)
    assert len(subjects(post, DIRECTOR)) == 1
    # a graver severity is news to its people, once
    people.set_priority(low.id, "P1", "Amara Osei")
    post.settle(3)
    assert recipients(post) == sorted([DIRECTOR, COMPLIANCE, CTO])


def test_a_service_s_own_people_hear_beside_the_severity_s(make_rig: MakeRig) -> None:
    services = {**SERVICES, "BluBank Integration": {"notify": "jonas@qrpay.example"}}
    rig = make_rig(mappings=(mailing(services=services),), mail=True)
    rig.world.pagerduty.trigger("BluBank Integration", "Down", priority="P2")
    rig.world.pagerduty.trigger("BluBank Integration", "Slow", priority="P3")
    rig.settle(2)
    assert recipients(rig) == ["jonas@qrpay.example", DIRECTOR]


def test_owner_stands_for_the_owner_of_the_service(make_rig: MakeRig) -> None:
    severities = {"SEV2": {"pagerduty": "P3", "urgency": "high", "notify": "owner"}}
    rig = make_rig(mappings=(mailing(severities=severities),), mail=True)
    rig.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    rig.world.pagerduty.trigger("Yoomonea Service", "Slow", priority="P3")
    rig.settle(2)
    assert recipients(rig) == [OWNER]


@pytest.mark.parametrize("mode", ["report", "off"])
def test_mails_that_are_not_switched_on_are_not_sent(make_rig: MakeRig, mode: str) -> None:
    rig = make_rig(mappings=(mailing(mails={"mode": mode}),), mail=True)
    sev0(rig)
    rig.settle(2)
    assert letters(rig) == []
    dry_run_notes = [line for row in _dry_run_notes(rig) for line in row]
    expected = [f"mail {address}: the incident reached SEV0" for address in (CTO, COMPLIANCE)]
    assert [note for note in dry_run_notes if "mail" in note] == (expected if mode == "report" else [])


def _dry_run_notes(rig: Rig) -> list[list[str]]:
    from sqlmodel import select

    from syncd.ledger.store.tables import IncidentRow

    with rig.ledger.read() as session:
        return list(session.exec(select(IncidentRow.dry_run_notes)).all())


# Nothing of Jira holds a notice


def test_a_restricted_incident_s_notice_says_its_number_and_no_more(make_rig: MakeRig) -> None:
    rules = mailing(restricted={**RULES, "level": ["No such level"], "lead": "lead@qrpay.example"})
    rig = make_rig(mappings=(rules,), mail=True)
    rig.cycle()
    sev0(rig, "PII of KANARIENVOGEL in a log")
    rig.cycle()
    rig.settle(2)
    assert sorted({*recipients(rig)}) == [COMPLIANCE, "lead@qrpay.example", CTO]
    assert "SEV0: Security incident #1" in subjects(rig, "lead@qrpay.example")
    assert any("Restricted incident #1" in subject for subject in subjects(rig, "lead@qrpay.example"))
    assert all(b"KANARIENVOGEL" not in letter.content for letter in letters(rig))
    assert len(letters(rig)) == 4


# Late ones, and those that are not sent


def test_an_incident_that_is_over_within_one_cycle_is_told_all_the_same(post: Rig) -> None:
    made = sev0(post)
    post.world.advance(20)
    post.world.pagerduty.resolve(made, "Amara Osei")
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]
    assert "which is resolved by now" in text_of(letters(post)[0])


def test_what_was_over_before_the_rules_began_tells_nobody(make_rig: MakeRig) -> None:
    from datetime import date

    rig = make_rig(mappings=(mailing(enforce_from=date(2026, 12, 1)),), mail=True)
    made = sev0(rig)
    rig.world.pagerduty.resolve(made, "Amara Osei")
    rig.settle(2)
    assert mails(rig) == []


def test_an_exercise_tells_nobody_but_of_the_gravest_severity(post: Rig) -> None:
    made = post.world.pagerduty.trigger("Alipay Integration", "Game", priority="P3")
    post.settle(2)
    post.world.jira.add_label("OPS-1", "game-day", "Ines Carvalho")
    post.settle(2)
    post.world.pagerduty.set_priority(made.id, "P2", "Amara Osei")
    post.settle(2)
    assert mails(post) == []
    post.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    post.settle(2)
    assert subjects(post, CTO) == ["[EXERCISE] SEV0: Game (#1)"]


HOSTILE = {
    "a hundred thousand letters": "A" * 100_000,
    "a million combining marks": "A" + "\u0301" * 1_000_000,
    "line breaks": "a\r\nBcc: x@evil.example\u2028\n" * 20_000,
    "marks that turn the direction": "\u202etset\u2066" * 50_000,
    "markup": "&<>\"'" * 60_000,
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_no_text_of_an_incident_holds_its_notice_back(text: str) -> None:
    about = About(
        team="T",
        zone="UTC",
        number=12,
        title=text,
        service=text,
        severity="SEV0",
        status="triggered",
        created_at=MOMENT,
        responders=(text,),
    )
    for letter in (notice(about, MOMENT, True, "you"), correction(about, "SEV0", MOMENT, "you")):
        body = rendered(letter, Templates(), "1:abc")
        sent = message(ENVELOPE, body)
        assert len(sent) < 200_000
        assert "Bcc" not in message_from_bytes(sent)
        assert "#12" in body.text
        assert "#12" in body.subject


@pytest.mark.parametrize(
    ("stands", "makes_texts", "advice"),
    [
        (True, True, "Publish the text that stands on the ticket, or your own, on the page and then"),
        (False, True, "Write a line `update: …`; syncd then makes the text. Publish it on the page and"),
        (False, False, "Publish a text on the page and then write the line `status page: posted`"),
    ],
)
def test_the_mail_about_an_impact_names_a_text_only_where_one_stands(
    stands: bool, makes_texts: bool, advice: str
) -> None:
    about = About(
        team="T",
        zone="UTC",
        number=12,
        title="Title",
        service="Alipay",
        severity="SEV0",
        status="triggered",
        created_at=MOMENT,
        responders=(),
    )
    content = ImpactMail(since=MOMENT, page="the page", text_stands=stands)
    body = rendered(impact(about, content, "you lead", makes_texts=makes_texts), Templates(), "1:abc")
    words = " ".join(body.text.split())
    assert advice in words and "Nobody has written `status page: posted` yet." in words
    assert "Customers have been impacted since" in words


def test_a_title_beyond_every_limit_is_told_at_once_and_the_notice_leaves_once(post: Rig) -> None:
    sev0(post, "B" * 300_000 + "\n")
    post.cycle()
    assert [letter.recipients for letter in letters(post)] == [(CTO,), (COMPLIANCE,)]
    assert all(len(subject) <= 140 for subject in subjects(post))
    assert mails(post, "parked") == []
    no_more_letters(post)


def test_a_template_that_fails_holds_no_notice_back(post: Rig, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/notice.txt.j2").write_text("{{ no_such_name }}")
    assert post.context.mailer is not None
    object.__setattr__(post.context.mailer, "templates", Templates(tmp_path))
    incident = sev0(post)
    post.cycle()
    assert [letter.recipients for letter in letters(post)] == [(CTO,), (COMPLIANCE,)]
    text = text_of(letters(post)[0])
    assert "Callbacks time out" in text
    assert f"/incidents/{incident}" in text
    assert "could not use the mail's template" in text
    assert mails(post, "parked") == []
    no_more_letters(post)
