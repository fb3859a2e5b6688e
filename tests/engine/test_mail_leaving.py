"""How a mail leaves: once or at least once, over refusals, lost answers, crashes, pauses and ceilings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from rig import Rig

from engine.cast import ask, kinds_of_events, pause, resume
from engine.mail_rig import (
    COMPLIANCE,
    CTO,
    ENFORCED,
    MakeRig,
    Owed,
    at,
    breaches,
    duties_stay_as_they_are,
    incident,
    letters,
    mailing,
    mails,
    recipients,
    sev0,
    subjects,
    until,
    whys,
)
from syncd.engine.act.mail_rate import AT_MOST
from syncd.ledger.views.status import outbox_data
from syncd.remote.mail import FolderMail


@pytest.fixture(autouse=True)
def _duties_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    duties_stay_as_they_are(monkeypatch)


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    made.cycle()
    return made


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """Hands a message over and dies before anybody hears of it."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        self.inner.send(sender, recipient, message)  # type: ignore[attr-defined]  # the client of before
        raise Killed


def die_after_sending(rig: Rig) -> None:
    assert rig.context.mailer is not None
    rig.restart(mailer=replace(rig.context.mailer, client=Dying(rig.context.mailer.client)))


def reminder(rig: Rig) -> None:
    Owed(rig, incident(rig)).set("pending", at(2, 16))
    rig.cycle((at(2, 11, 59) - rig.clock.now()).total_seconds())


# Once, and at least once


def test_a_notice_whose_answer_was_lost_leaves_once_more_as_the_very_same_message(post: Rig) -> None:
    assert post.mail is not None
    post.mail.lose_answers(1)
    sev0(post)
    post.settle(4)
    first, second = post.mail.to(CTO)
    assert first.content == second.content
    assert len(post.mail.to(COMPLIANCE)) == 1
    assert {mail.state for mail in mails(post)} == {"done"}


def test_never_a_third_time(post: Rig) -> None:
    assert post.mail is not None
    post.mail.lose_answers(100)
    sev0(post)
    post.settle(40)
    assert len(post.mail.to(CTO)) == 2
    post.mail.behave()
    post.settle(10)
    assert len(post.mail.to(CTO)) == 2
    assert {mail.state for mail in mails(post)} == {"dropped"}


def test_a_reminder_whose_answer_was_lost_never_leaves_again(post: Rig) -> None:
    assert post.mail is not None
    reminder(post)
    before = len(letters(post))
    post.mail.lose_answers(1)
    until(post, at(2, 12))
    post.settle(5)
    assert len(letters(post)) == before + 1
    (row,) = [mail for mail in mails(post) if mail.meaning["mail"] == "reminder"]
    assert row.state == "dropped"


@pytest.mark.parametrize(("play", "kind", "times"), [("notice", "notice", 2), ("reminder", "reminder", 1)])
def test_a_crash_between_sending_and_confirmation(post: Rig, play: str, kind: str, times: int) -> None:
    if play == "notice":
        sev0(post)
    else:
        reminder(post)
        until(post, at(2, 11, 59))
        post.world.advance(60)
    post.world.advance(30)
    before = len(letters(post))
    die_after_sending(post)
    with pytest.raises(Killed):
        post.cycle(0)
    assert len(letters(post)) == before + 1
    left = letters(post)[-1]
    post.restart()
    post.settle(4)
    again = [letter for letter in letters(post)[before:] if letter.recipients == left.recipients]
    assert [finding.message["Message-ID"] for finding in again] == [left.message["Message-ID"]] * times
    assert {notice.content for notice in again} == {left.content}


def test_what_a_mail_said_does_not_stay_in_the_ledger(post: Rig) -> None:
    sev0(post)
    post.cycle()
    kept = mails(post)[0].rendered or {}
    assert sorted(kept) == ["anchor", "date", "message_id", "to"]


# Refusals


def test_a_server_that_says_later_gets_the_same_message_later(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_temporarily(address=CTO, times=3)
    sev0(post)
    post.cycle()
    assert recipients(post) == [COMPLIANCE]
    post.settle(6)
    assert recipients(post) == [COMPLIANCE, CTO]


def test_a_mailbox_that_is_full_for_ever_holds_up_nobody_else(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_temporarily(address=CTO, times=None)
    for _ in range(3):
        sev0(post)
        post.cycle()
    post.settle(20, seconds=60)
    assert recipients(post) == [COMPLIANCE] * 3
    waiting = [mail for mail in mails(post, "pending") if mail.meaning["to"] == CTO]
    assert len(waiting) == 3
    assert max(notice.attempts for notice in waiting) < 12


def test_a_refusal_for_good_is_parked_in_the_server_s_words_and_goes_on_when_tried_again(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_permanently(address=CTO)
    sev0(post)
    post.cycle()
    assert recipients(post) == [COMPLIANCE]
    (parked,) = mails(post, "parked")
    assert "No such mailbox" in (parked.error or "")
    post.mail.behave()
    ask(post, "outbox.retry", operations=[parked.id])
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]


def test_a_server_that_is_away_is_waited_for(post: Rig) -> None:
    assert post.mail is not None
    post.mail.stop()
    sev0(post)
    post.settle(3)
    post.mail.start()
    post.settle(12)
    assert recipients(post) == [COMPLIANCE, CTO]


# Pause, dry run, ceiling, examples, no server


def test_nothing_leaves_in_a_pause_and_ticket_work_goes_on(post: Rig) -> None:
    pause(post, "mail")
    sev0(post)
    post.settle(2)
    assert letters(post) == []
    assert [operation.kind for operation in post.operations("done")] == ["create_ticket", "link_note"]
    resume(post, "mail")
    post.cycle()
    assert recipients(post) == [COMPLIANCE, CTO]


def test_a_dry_run_mails_nobody(post: Rig) -> None:
    post.restart(dry_run=True)
    sev0(post)
    Owed(post, incident_in_ledger(post)).set("breached", at(0, 6, 1))
    until(post, at(0, 9, 1))
    assert letters(post) == []


def incident_in_ledger(rig: Rig) -> str:
    from sqlmodel import select

    from syncd.ledger.store.tables import IncidentRow

    rig.cycle()
    with rig.ledger.read() as session:
        return session.exec(select(IncidentRow.id)).one()


def test_at_most_twenty_mails_an_hour_leave_beside_notices(post: Rig) -> None:
    owed = Owed(post, incident(post))
    for number in range(AT_MOST // 2 + 3):  # each is told to two contacts
        owed.set("breached", at(0, 6, 1), kind="done", subject=str(number))
    post.cycle()
    assert len(letters(post)) == AT_MOST
    sev0(post)
    post.cycle()
    assert len(letters(post)) == AT_MOST + 2
    post.settle(11, seconds=300)
    assert len(letters(post)) == AT_MOST + 2
    post.settle(2, seconds=300)
    assert len(letters(post)) == AT_MOST + 6 + 2


def test_what_exceeds_the_hour_s_mails_says_what_it_waits_for_and_since_when(post: Rig) -> None:
    breaches(post, AT_MOST // 2 + 1)
    post.cycle()
    since = f"{post.clock.now():%H:%M:%S}"
    post.settle(3)
    waiting = [
        operation for operation in outbox_data(post.ledger)["operations"] if operation["kind"] == "send_mail"
    ]
    assert [
        (notice["waits_for"], f"{datetime.fromisoformat(notice['waits_since']):%H:%M:%S}")
        for notice in waiting
    ] == [("its place: 20 e-mails left within an hour, which is the limit", since)] * 2
    assert kinds_of_events(post).count("operation.waits") == 2


def test_a_restart_does_not_begin_the_hour_anew(post: Rig) -> None:
    breaches(post, AT_MOST // 2 + 3)
    post.cycle()
    for _ in range(3):
        post.restart()
        post.settle(2, seconds=300)
    assert len(letters(post)) == AT_MOST
    post.settle(7, seconds=300)
    assert len(letters(post)) == AT_MOST + 6


def test_what_is_not_true_any_more_when_the_hour_is_over_is_dropped_with_the_reason(post: Rig) -> None:
    owed = breaches(post, AT_MOST // 2 + 1)
    post.cycle()
    owed.set("cancelled", at(0, 6, 1), kind="done", subject=str(AT_MOST // 2))
    post.settle(14, seconds=300)
    assert len(letters(post)) == AT_MOST
    breach_mails = [mail for mail in mails(post, "dropped") if mail.meaning["mail"] == "breach"]
    assert [whys(post, mail.id or 0)[-1] for mail in breach_mails] == ["not sent: it is no longer true"] * 2


def test_an_example_address_is_refused_where_the_services_are_real(post: Rig) -> None:
    assert post.context.mailer is not None
    post.restart(mailer=replace(post.context.mailer, loopback=False))
    sev0(post)
    post.cycle()
    assert letters(post) == []
    assert all("is an example address" in (mail.error or "") for mail in mails(post, "parked"))
    assert len(mails(post, "parked")) == 2


def test_without_a_server_mail_becomes_files_and_status_says_that_nobody_receives_it(
    post: Rig, tmp_path: Path
) -> None:
    from engine.cast import standing

    assert post.context.mailer is not None
    client = FolderMail(tmp_path / "mail", post.clock)
    post.restart(mailer=replace(post.context.mailer, client=client, nobody=True))
    sev0(post)
    post.cycle()
    files = [
        message_from_bytes(file.read_bytes(), policy=policy.default) for file in (tmp_path / "mail").iterdir()
    ]
    assert sorted(str(letter["To"]) for letter in files) == [COMPLIANCE, CTO]
    assert any("Nobody receives mail" in note for note in standing(post)["notes"])


HOSTILE = [
    "Down\r\nBcc: everybody@qrpay.example",
    "=?utf-8?q?Bcc?=: x@qrpay.example",
    "<script>alert(1)</script><img src=x>",
    "{{ 7 * 7 }}{% raw %}",
    "Ünïcödé 👩‍👩‍👧 " * 40,
    "x" * 3000,
]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_starts_no_header_and_no_markup(post: Rig, title: str) -> None:
    sev0(post, title)
    post.cycle()
    assert len(letters(post)) == 2
    message = letters(post)[0].message
    assert message.get_all("Bcc") is None
    assert message.get_all("To") == [CTO]
    assert len(str(message["Subject"])) <= 140
    assert max(len(line) for line in letters(post)[0].content.splitlines()) <= 998
    html = message.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "<img" not in html.get_content()
    if title.startswith("{{"):
        assert "{{ 7 * 7 }}" in html.get_content()


def test_a_mail_that_waits_when_its_incident_becomes_restricted_is_written_anew(post: Rig) -> None:
    assert post.mail is not None
    made = post.world.pagerduty.trigger("Alipay Integration", "KANARIENVOGEL sings", priority="P1")
    post.mail.refuse_temporarily(address=CTO, times=2)
    post.cycle(1)
    post.world.jira.add_label("OPS-1", "restricted", "Ines Carvalho")
    post.settle(6)
    assert subjects(post, CTO) == ["SEV0: Security incident #1"]
    assert b"KANARIENVOGEL" not in post.mail.to(CTO)[0].content
    assert all("KANARIENVOGEL" not in str(mail.rendered) for mail in mails(post))
    assert made.id in mails(post)[0].key


# The operator
