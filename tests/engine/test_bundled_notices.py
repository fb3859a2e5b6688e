"""Notices to one person beyond five in ten minutes: one mail lists them all, none is lost or twice there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import Rig

from engine.cast import issues, nothing_more_is_written, pause, resume
from engine.mail_rig import CTO, DIRECTOR, MakeRig, letters, mailing, mails, subjects, text_of
from engine.restricted_cast import RULES
from engine.test_mail_leaving import HOSTILE, Killed, die_after_sending
from syncd.ledger.views.status import operation_data, outbox_data
from syncd.sandbox.mail import Letter

ONE: dict[str, Any] = {
    "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True, "notify": [DIRECTOR]},
    "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True, "notify": [DIRECTOR]},
    "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
    "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
}
"""The director is told of the two gravest severities."""


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(severities=ONE),), mail=True)
    made.cycle()
    return made


def trigger(rig: Rig, title: str, priority: str = "P2") -> str:
    return rig.world.pagerduty.trigger("Alipay Integration", title, priority=priority).id


def storm(rig: Rig, count: int, seconds: float = 25.0) -> list[str]:
    """So many incidents, one in each cycle."""
    made = []
    for number in range(1, count + 1):
        made.append(trigger(rig, f"Trouble {number}"))
        rig.cycle(seconds)
    return made


def bundles(rig: Rig) -> list[Letter]:
    return [letter for letter in letters(rig) if " notices: " in str(letter.message["Subject"])]


def listed(letter: Letter) -> list[str]:
    """The titles that a bundle lists, in its order."""
    lines = [line.removeprefix("LATE: ").partition(": ") for line in text_of(letter).splitlines()]
    return [rest.partition(" (#")[0] for mark, _, rest in lines if mark.endswith(("SEV0", "SEV1"))]


def troubles(first: int, last: int) -> list[str]:
    return [f"Trouble {number}" for number in range(first, last + 1)]


class DyingBefore:
    """Dies before a bundle is handed over."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        if b" notices: " in message:
            raise Killed
        self.inner.send(sender, recipient, message)


def test_twelve_incidents_in_five_minutes_are_five_mails_and_one_of_seven(post: Rig) -> None:
    storm(post, 5)
    sixth = post.clock.now()
    for number in range(6, 13):
        trigger(post, f"Trouble {number}")
        post.cycle(25)
    assert subjects(post) == [f"SEV1: Trouble {number} (#{number})" for number in range(1, 6)]
    while not bundles(post):
        post.cycle(15)
        assert (post.clock.now() - sixth).total_seconds() < 700
    assert 600 <= (post.clock.now() - sixth).total_seconds() <= 650
    (bundle,) = bundles(post)
    assert bundle.message["Subject"] == "7 notices: 7 of SEV1"
    assert bundle.recipients == (DIRECTOR,)
    assert sorted(listed(bundle)) == sorted(troubles(6, 12))
    post.settle(30)
    assert len(letters(post)) == 6
    assert {mail.state for mail in mails(post)} == {"done"}
    nothing_more_is_written(post)
    assert len(letters(post)) == 6


def test_many_at_once_are_bundled_as_well(post: Rig) -> None:
    for number in range(12):
        trigger(post, f"Trouble {number}")
    post.cycle()
    assert len(letters(post)) == 5
    post.settle(25)
    assert [len(listed(bundle)) for bundle in bundles(post)] == [7]
    assert len(letters(post)) == 6


def test_five_are_no_reason_to_wait_and_others_are_not_counted(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(),), mail=True)
    rig.cycle()
    storm(rig, 4)
    trigger(rig, "Everything", "P1")
    rig.cycle(25)
    trigger(rig, "Trouble 5")
    rig.cycle(25)
    assert len(subjects(rig, DIRECTOR)) == 5
    assert len(subjects(rig, CTO)) == 1


def test_a_graver_notice_leaves_by_itself_at_once_and_the_next_of_its_kind_does_not(post: Rig) -> None:
    storm(post, 7)
    trigger(post, "Everything", "P1")
    post.cycle(25)
    assert subjects(post)[-1] == "SEV0: Everything (#8)"
    trigger(post, "Everything again", "P1")
    post.cycle(25)
    assert len(letters(post)) == 6
    post.settle(25)
    (bundle,) = bundles(post)
    assert sorted(listed(bundle)) == ["Everything again", "Trouble 6", "Trouble 7"]


def test_what_is_bundled_says_so_while_it_waits_and_afterwards(post: Rig) -> None:
    storm(post, 7)
    waiting = [
        operation for operation in outbox_data(post.ledger)["operations"] if operation["kind"] == "send_mail"
    ]
    assert len(waiting) == 2
    for notice in waiting:
        assert notice["waits_for"].startswith("others: more than 5 notices to this person in 10 minutes")
        assert notice["waits_since"].startswith("2026-")
    post.settle(25)
    told = [operation_data(mail)["bundle"] for mail in mails(post)]
    assert told[:5] == [None] * 5
    assert sorted(told[5:]) == [
        "told in one mail with 1 other notices",
        "told in one mail with other notices to the same person",
    ]


def test_a_restart_forgets_nothing_of_a_bundle(post: Rig) -> None:
    storm(post, 8)
    post.restart()
    post.settle(4)
    assert len(letters(post)) == 5
    post.restart()
    post.settle(20)
    assert [sorted(listed(bundle)) for bundle in bundles(post)] == [troubles(6, 8)]


def test_a_bundle_that_waits_for_one_leaves_as_the_notice_itself(post: Rig) -> None:
    storm(post, 6)
    post.settle(25)
    assert bundles(post) == []
    assert subjects(post)[-1] == "SEV1: Trouble 6 (#6)"


def test_what_is_over_long_before_or_lowered_is_not_in_it(post: Rig) -> None:
    made = storm(post, 8)
    post.world.pagerduty.set_priority(made[6], "P4", "Amara Osei")
    post.settle(25)
    assert [sorted(listed(bundle)) for bundle in bundles(post)] == [["Trouble 6", "Trouble 8"]]
    assert [mail.state for mail in mails(post) if made[6] in mail.key] == ["dropped"]


def test_a_kill_after_the_bundle_was_handed_over_sends_the_very_same_once_more(post: Rig) -> None:
    storm(post, 9)
    die_after_sending(post)
    with pytest.raises(Killed):
        post.settle(40)
    (bundle,) = bundles(post)
    post.restart()
    post.settle(6)
    first, second = bundles(post)
    assert first.content == second.content == bundle.content
    assert len(letters(post)) == 7
    assert {mail.state for mail in mails(post)} == {"done"}
    assert {mail.remote_id for mail in mails(post)[5:]} == {bundle.message["Message-ID"]}
    nothing_more_is_written(post)
    assert len(letters(post)) == 7


def test_a_kill_between_bundling_and_sending_leaves_none_unsent_and_none_sent_twice(post: Rig) -> None:
    storm(post, 9)
    assert post.context.mailer is not None
    post.restart(mailer=replace(post.context.mailer, client=DyingBefore(post.context.mailer.client)))
    with pytest.raises(Killed):
        post.settle(40)
    assert {mail.state for mail in mails(post)[5:]} == {"in_flight"}
    post.restart()
    post.settle(6)
    assert [sorted(listed(bundle)) for bundle in bundles(post)] == [troubles(6, 9)]
    assert len(letters(post)) == 6
    assert {mail.state for mail in mails(post)} == {"done"}


def test_a_bundle_whose_answers_are_lost_leaves_twice_and_never_a_third_time(post: Rig) -> None:
    assert post.mail is not None
    storm(post, 8)
    post.mail.lose_answers(100)
    post.settle(15, 120)
    first, second = bundles(post)
    assert first.content == second.content
    assert {mail.state for mail in mails(post)[5:]} == {"dropped"}
    assert len(letters(post)) == 7


def test_a_bundle_that_is_put_off_leaves_once_with_all_of_them(post: Rig) -> None:
    assert post.mail is not None
    storm(post, 8)
    post.mail.refuse_temporarily(address=DIRECTOR, times=3)
    post.settle(15, 120)
    assert sorted(title for letter in letters(post)[5:] for title in listed(letter)) == troubles(6, 8)
    assert {mail.state for mail in mails(post)} == {"done"}
    nothing_more_is_written(post)


def test_a_bundle_that_is_refused_for_good_is_parked_notice_by_notice(post: Rig) -> None:
    assert post.mail is not None
    storm(post, 8)
    post.mail.refuse_permanently(address=DIRECTOR)
    post.settle(40)
    assert [mail.state for mail in mails(post)[5:]] == ["parked"] * 3
    assert all("No such mailbox" in (mail.error or "") for mail in mails(post, "parked"))


def test_after_a_pause_the_notices_are_five_and_a_bundle(post: Rig) -> None:
    pause(post, "mail")
    storm(post, 12, 300)
    resume(post, "mail")
    post.settle(3)
    assert len(letters(post)) == 6
    assert [len(listed(bundle)) for bundle in bundles(post)] == [7]
    assert "LATE: SEV1: Trouble " in text_of(bundles(post)[0])


def test_a_restricted_incident_shows_nothing_of_its_text_in_a_bundle(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(severities=ONE, restricted=RULES),), mail=True)
    rig.cycle()
    storm(rig, 6)
    trigger(rig, "KANARIENVOGEL sings")
    rig.cycle(25)
    trigger(rig, "PII KANARIENVOGEL left")
    rig.cycle(25)
    key = next(issue["key"] for issue in issues(rig) if "sings" in issue["fields"]["summary"])
    rig.world.jira.add_label(key, "restricted", "Ines Carvalho")
    rig.settle(25)
    (bundle,) = bundles(rig)
    assert b"KANARIENVOGEL" not in bundle.content
    assert sorted(listed(bundle)) == ["Security incident #7", "Security incident #8", "Trouble 6"]
    assert all("KANARIENVOGEL" not in str(mail.rendered) for mail in mails(rig))


def test_what_becomes_restricted_while_its_bundle_is_put_off_is_written_anew(post: Rig) -> None:
    assert post.mail is not None
    storm(post, 6)
    trigger(post, "KANARIENVOGEL sings")
    post.cycle(25)
    key = next(issue["key"] for issue in issues(post) if "sings" in issue["fields"]["summary"])
    while mails(post)[5].attempts == 0:
        post.mail.refuse_temporarily(address=DIRECTOR, times=1)
        post.cycle(15)
    post.world.jira.add_label(key, "restricted", "Ines Carvalho")
    post.mail.behave()
    post.settle(10)
    assert b"KANARIENVOGEL" not in b"".join(letter.content for letter in letters(post))
    assert all("KANARIENVOGEL" not in str(mail.rendered) for mail in mails(post))
    assert {mail.state for mail in mails(post)} == {"done"}


def test_hostile_titles_start_no_header_and_no_markup_in_a_bundle(post: Rig) -> None:
    storm(post, 5)
    for title in HOSTILE:
        trigger(post, title)
    post.settle(25)
    (bundle,) = bundles(post)
    assert bundle.message.get_all("Bcc") is None
    assert max(len(line) for line in bundle.content.splitlines()) <= 998
    html = bundle.message.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "<img" not in html.get_content()
    assert "{{ 7 * 7 }}" in html.get_content()
