"""Reminders, breaches and digests: who hears of late paperwork when, and what is passed over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written, pause, resume
from engine.mail_rig import (
    ENFORCED,
    OWNER,
    PROCESS,
    MakeRig,
    Owed,
    at,
    duties_stay_as_they_are,
    incident,
    letters,
    mailing,
    mails,
    recipients,
    subjects,
    text_of,
    until,
    whys,
)
from syncd.policy import decide as rules
from syncd.policy.notify.duty_comments import comment_on_duties

HOUR = 3600.0


def midnight_of_a_wednesday(rig: Rig) -> datetime:
    """The midnight before the first Wednesday that comes after the rig's first Monday."""
    midnight = datetime.combine(rig.began, time(), UTC)
    return midnight + timedelta(days=-midnight.weekday() % 7 + 2)


@pytest.fixture(autouse=True)
def _duties_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    duties_stay_as_they_are(monkeypatch)


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    made.cycle()
    return made


@pytest.mark.any_day
def test_the_owner_hears_four_hours_before_the_deadline_and_not_before(post: Rig) -> None:
    owed = Owed(post, incident(post))
    wednesday = midnight_of_a_wednesday(post)
    owed.set("pending", wednesday + timedelta(hours=16))
    until(post, wednesday + timedelta(hours=11, minutes=59))
    assert subjects(post) == ["QRPay: 1 due soon"]
    until(post, wednesday + timedelta(hours=12))
    assert subjects(post, OWNER)[1:] == ["Due soon: Schedule the postmortem of #1"]
    until(post, wednesday + timedelta(hours=15))
    nothing_more_is_written(post)
    assert len(letters(post)) == 2


def test_a_line_says_what_since_when_why_what_ends_it_and_who_hears_next(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", at(2, 16), remedy="enter the day of its review in its due date")
    until(post, at(2, 12))
    text = text_of(letters(post)[-1])
    for sentence in (
        "DUE SOON: Schedule the postmortem of #1",
        "#1 Callbacks time out (SEV2, Alipay Integration)",
        "Due: Wed 18 Nov 2026, 16:00 UTC",
        "Owed since: Mon 16 Nov 2026, 16:00 UTC",
        "Why you: It is assigned to you",
        f"To do: On {owed.issue.key}, enter the day of its review in its due date",
        f"/browse/{owed.issue.key}",
        "Or: get a waiver: syncd waive 1 --duty scheduled --until DATE",
        f"Who is told next: {OWNER}, {PROCESS} (once, at the deadline);"
        " after that the weekly report lists it",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("due", "leaves"),
    [
        (at(2, 9), at(1, 19, 59)),  # 05:00 is quiet: the evening before
        (at(7, 9), at(4, 19, 59)),  # Monday 05:00: the last open moment is on Friday
        (at(6, 18), at(4, 19, 59)),  # Sunday 14:00
        (at(3, 12), at(3, 8)),  # 08:00 is open
    ],
)
def test_a_reminder_in_quiet_hours_or_on_a_weekend_goes_out_at_the_last_open_moment_before(
    post: Rig, due: datetime, leaves: datetime
) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", due, started_at=at(0, 6, 5))
    until(post, leaves - timedelta(minutes=1))
    assert [subject for subject in subjects(post) if subject.startswith("Due soon")] == []
    until(post, leaves)
    assert [subject for subject in subjects(post) if subject.startswith("Due soon")] == [
        "Due soon: Schedule the postmortem of #1"
    ]


def test_quiet_hours_are_those_of_the_team_s_zone(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(**ENFORCED, zone="America/Los_Angeles"),), mail=True)
    rig.cycle()
    owed = Owed(rig, incident(rig))
    owed.set("pending", at(2, 16))  # four hours before: 04:00 in Los Angeles
    until(rig, at(2, 3, 58))
    assert [subject for subject in subjects(rig) if "Due soon" in subject] == []
    until(rig, at(2, 3, 59))
    assert [subject for subject in subjects(rig) if "Due soon" in subject] == [
        "Due soon: Schedule the postmortem of #1"
    ]
    assert "Due: Wed 18 Nov 2026, 08:00 PST" in text_of(letters(rig)[-1])


def test_a_duty_that_is_met_before_its_reminder_could_leave_reminds_nobody(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", at(2, 16))
    pause(post, "mail")
    until(post, at(2, 12))
    (waiting,) = [mail for mail in mails(post) if mail.meaning["mail"] == "reminder"]
    assert waiting.state == "pending"
    owed.set("met", at(2, 16), met_at=at(2, 13))
    post.cycle()
    resume(post, "mail")
    post.settle(2)
    assert letters(post) == []
    assert whys(post, waiting.id or 0) == ["not sent: it is no longer true"]


def test_before_a_reminder_leaves_the_postmortem_is_read_again(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", at(2, 16))
    until(post, at(2, 11))
    post.world.jira.assign(owed.issue.key, "Tomasz Wójcik", "Ines Carvalho")
    post.world.advance(HOUR)
    post.loop.tick()
    post.loop.work_queue.drain()
    assert [
        letter.recipients[0] for letter in letters(post) if "Due soon" in str(letter.message["Subject"])
    ] == ["tomasz.wojcik@qrpay.example"]


def test_contacts_hear_of_a_breach_once_and_the_owner_in_the_digest(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("breached", at(2, 3))
    until(post, at(2, 3, 1))
    assert recipients(post) == [OWNER, PROCESS]
    assert subjects(post, PROCESS) == ["Overdue: Schedule the postmortem of #1"]
    assert "Why you: You own the incident process" in text_of(letters(post)[-1])
    until(post, at(2, 9))
    assert subjects(post, OWNER)[1:] == ["QRPay: 1 overdue"]
    until(post, at(2, 18))
    assert len(letters(post)) == 3


def test_the_severity_names_who_hears_of_late_paperwork(make_rig: MakeRig) -> None:
    severities = {
        "SEV2": {"pagerduty": "P3", "urgency": "high", "postmortem": True, "overdue": "boss@qrpay.example"}
    }
    rig = make_rig(mappings=(mailing(**ENFORCED, severities=severities),), mail=True)
    rig.cycle()
    Owed(rig, incident(rig)).set("breached", at(0, 6, 2))
    rig.cycle()
    assert recipients(rig) == ["boss@qrpay.example"]


def test_the_digest_comes_each_working_day_for_five_days_then_weekly(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("breached", at(1, 3))
    days = []
    for day in range(1, 24):
        until(post, at(day, 8, 59))
        before = len(subjects(post, OWNER))
        until(post, at(day, 9, 1))
        if len(subjects(post, OWNER)) > before:
            days.append(day)
    # Tuesday to Monday, then each Monday: days 5, 6, 12 and 13 are weekends
    assert days == [1, 2, 3, 4, 7, 14, 21]


def test_one_digest_names_everything_that_somebody_owes(post: Rig) -> None:
    first, second = Owed(post, incident(post)), Owed(post, incident(post))
    first.set("breached", at(0, 6, 2))
    second.set("pending", at(1, 10))
    until(post, at(0, 9))
    (digest,) = [letter for letter in letters(post) if "QRPay:" in str(letter.message["Subject"])]
    assert digest.message["Subject"] == "QRPay: 1 overdue and 1 due soon"
    text = text_of(digest)
    assert text.index("OVERDUE: Schedule the postmortem of #1") < text.index(
        "DUE SOON: Schedule the postmortem of #2"
    )


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/Berlin", 8, 8),
        ("America/New_York", 13, 14),  # clocks went back on 1 November
        ("Asia/Tehran", 5, 5),
    ],
)
def test_the_digest_leaves_at_nine_in_the_team_s_zone(
    make_rig: MakeRig, zone: str, before: int, after: int
) -> None:
    from syncd.policy.notify.digests import digest_moment

    there = mailing(**ENFORCED, zone=zone)
    friday, monday = date(2026, 10, 30), date(2026, 11, 2)
    moments = [digest_moment(there, moment) for moment in (friday, monday)]
    assert [moment.hour for moment in moments if moment] == [before, after]
    assert digest_moment(there, date(2026, 10, 31)) is None


def test_missed_digests_are_on_record_and_only_the_latest_goes_out(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("breached", at(0, 6, 2))
    until(post, at(0, 9))
    post.stop()
    post.world.advance((at(3, 15) - post.clock.now()).total_seconds())
    post.start()
    post.cycle()
    digests = [letter for letter in letters(post) if "QRPay:" in str(letter.message["Subject"])]
    assert [digest.at for digest in digests] == [at(0, 9), at(3, 15, 0) + timedelta(seconds=30)]
    from engine.restricted_cast import events

    assert len(events(post, "digest.not_sent")) == 1
    assert "2026-11-17" in events(post, "digest.not_sent")[0]
    assert "2026-11-18" in events(post, "digest.not_sent")[0]


def test_a_digest_that_waited_into_the_next_day_is_not_sent(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("breached", at(0, 6, 2))
    post.cycle()
    pause(post, "mail")
    until(post, at(0, 9))
    until(post, at(1, 9))
    resume(post, "mail")
    post.cycle()
    digests = [mail for mail in mails(post) if mail.meaning["mail"] == "digest"]
    assert [digest.state for digest in digests] == ["dropped", "done"]
    assert whys(post, digests[0].id or 0) == [
        "not sent: its day is over, and a later digest tells the present state"
    ]


def test_after_downtime_over_reminder_and_deadline_only_the_breach_goes_out(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", at(1, 16))
    post.stop()
    post.world.advance((at(1, 18) - post.clock.now()).total_seconds())
    post.start()
    owed.set("breached", at(1, 16), started_at=at(-1, 16))
    post.cycle()
    assert [subject for subject in subjects(post) if "Due soon" in subject] == []
    assert sorted(
        letter.recipients[0] for letter in letters(post) if "Overdue" in str(letter.message["Subject"])
    ) == [
        OWNER,
        PROCESS,
    ]
    (passed,) = [mail for mail in mails(post) if mail.meaning["mail"] == "reminder"]
    assert passed.state == "dropped"
    assert whys(post, passed.id or 0) == [
        "not sent: the deadline has passed meanwhile, so syncd sends only the latest step"
    ]


def test_a_breach_of_long_ago_is_left_to_the_weekly_report(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("breached", at(-10, 3))
    post.cycle()
    assert letters(post) == []
    assert {mail.state for mail in mails(post)} == {"dropped"}


def test_what_nobody_owns_is_for_the_owner_of_the_service(post: Rig) -> None:
    owed = Owed(post, incident(post), assignee=None)
    owed.set("pending", at(2, 16))
    until(post, at(2, 12))
    assert "Why you: Nobody owns it yet, and you own the service" in text_of(letters(post)[-1])
    assert {*recipients(post)} == {OWNER}


def test_an_owner_without_a_known_address_is_mentioned_on_the_issue_once(
    post: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ACTING", (comment_on_duties, *rules.ACTING))
    owed = Owed(post, incident(post), assignee="Mei Tanaka")
    owed.set("due_soon", at(2, 16))
    until(post, at(2, 12))
    until(post, at(2, 15))
    assert letters(post) == []
    (mention,) = [operation for operation in post.operations() if operation.kind == "comment_on_postmortem"]
    assert mention.object == f"postmortem:{owed.incident}"
    account = post.world.jira.account_id("Mei Tanaka")
    assert mention.meaning["text"].startswith(f"[~accountid:{account}] ")
    nothing_more_is_written(post)


def test_an_address_that_a_look_up_has_found_is_known(post: Rig) -> None:
    from syncd.ledger.store.tables import PersonRow

    owed = Owed(post, incident(post), assignee="Mei Tanaka")
    account = {"id": post.world.jira.account_id("Mei Tanaka"), "name": "Mei Tanaka"}
    with post.ledger.write() as session:
        session.add(
            PersonRow(
                email="mei.tanaka@qrpay.example", project="OPS", account=account, checked_at=post.clock.now()
            )
        )
    owed.set("pending", at(2, 16))
    until(post, at(2, 12))
    assert {*recipients(post)} == {"mei.tanaka@qrpay.example"}


@pytest.mark.parametrize("section", ["postmortem", "mails"])
def test_what_is_only_reported_mails_nobody(make_rig: MakeRig, section: str) -> None:
    rig = make_rig(mappings=(mailing(**{**ENFORCED, section: {"mode": "report"}}),), mail=True)
    rig.cycle()
    Owed(rig, incident(rig)).set("breached", at(0, 6, 2))
    until(rig, at(0, 9, 1))
    assert letters(rig) == []
    assert mails(rig) == []
