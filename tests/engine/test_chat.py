"""Posts to a team's chat channel: one each, at most once, and a chat that is down holds up nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_reading import events
from rig import Rig, mapping

from engine.cast import ask, nothing_more_is_written, pause, resume, standing, status
from engine.mail_rig import MakeRig
from engine.restored_rig import back_up_rig, restore_rig
from syncd.domain.mapping.mapping import Mapping
from syncd.ledger.store.restored import WHY
from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_EMAIL, CHANNEL

MINUTE, HOUR = 60.0, 3600.0


def posting(**changes: Any) -> Mapping:
    sections = {"chat": {"mode": "enforce", "channel": CHANNEL}, "postmortem": {"mode": "enforce"}}
    return mapping(**{**sections, **changes})


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(posting(),), chat=True, sender=BOT_EMAIL)
    made.cycle()
    return made


def first_lines(rig: Rig) -> list[str]:
    return [post.text.split("\n")[0] for post in rig.world.chat.to(CHANNEL)]


def not_sent(rig: Rig) -> list[str]:
    dropped = events(rig.ledger, "operation.dropped")
    return [str(data["why"]) for _, data in dropped if data["kind"] == "post_chat"]


def test_the_channel_hears_of_the_ticket_a_new_severity_and_the_resolve_once_each(post: Rig) -> None:
    pagerduty = post.world.pagerduty
    made = pagerduty.trigger("Alipay Integration", "Callbacks <!channel> time out", priority="P3")
    post.settle(2)
    pagerduty.set_priority(made.id, "P1", "Amara Osei")
    post.settle(2)
    pagerduty.resolve(made.id)
    post.settle(3)
    assert first_lines(post) == [
        "*SEV2 #1* Callbacks &lt;!channel&gt; time out",
        "*#1 is now SEV0* (was SEV2): Callbacks &lt;!channel&gt; time out",
        "*#1 is resolved*: Callbacks &lt;!channel&gt; time out",
    ]
    texts = [posted.text for posted in post.world.chat.to(CHANNEL)]
    assert f"<{post.server.url('jira')}/browse/OPS-1|OPS-1>" in texts[0]
    assert "\nPostmortem: schedule it by " in texts[2]
    nothing_more_is_written(post)


def test_a_post_whose_answer_is_lost_is_perhaps_posted_and_never_leaves_again(post: Rig) -> None:
    post.world.faults.add(faults.lose_answer(), service="chat")
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(4)
    post.restart()
    post.settle(4)
    assert first_lines(post) == ["*SEV2 #1* Latency"]
    assert not_sent(post) == [
        "perhaps posted: nobody knows whether the message arrived, and it is not posted again"
    ]
    nothing_more_is_written(post)


@pytest.mark.parametrize("strike", [faults.error(500), faults.html(200), faults.html(502)])
def test_an_answer_that_is_not_the_chat_s_own_proves_nothing(post: Rig, strike: faults.Strike) -> None:
    post.world.faults.add(strike, service="chat")
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(4)
    assert first_lines(post) == []
    assert [why.partition(":")[0] for why in not_sent(post)] == ["perhaps posted"]


def test_a_chat_that_asks_to_wait_gets_the_post_once_when_the_time_is_over(post: Rig) -> None:
    post.world.faults.add(faults.error(429, {"Retry-After": "45"}), service="chat")
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.cycle()
    assert first_lines(post) == []
    post.settle(4)
    assert first_lines(post) == ["*SEV2 #1* Latency"]
    nothing_more_is_written(post)


def test_a_chat_that_is_down_holds_up_nothing_and_hears_only_the_latest(post: Rig) -> None:
    post.server.close_door("chat")
    made = post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(2)
    assert status(post) == "To Do"
    post.world.pagerduty.resolve(made.id)
    post.settle(4)
    assert status(post) == "In Review"
    post.server.open_door("chat")
    post.settle(12)
    assert first_lines(post) == ["*#1 is resolved*: Latency"]
    assert not_sent(post) == ["not sent: a later post says what is true now"]
    nothing_more_is_written(post)


def test_what_nobody_took_within_the_hour_is_recorded_as_not_sent(post: Rig) -> None:
    post.server.close_door("chat")
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(4)
    post.settle(10, 8 * MINUTE)
    assert not_sent(post) == ["not sent: it is too old to help anybody in the channel"]
    post.server.open_door("chat")
    post.settle(4)
    assert first_lines(post) == []
    nothing_more_is_written(post)


def test_a_refused_post_waits_for_a_person_and_shows_the_chat_s_word(post: Rig) -> None:
    post.world.chat.archive(CHANNEL)
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(2)
    (parked,) = post.operations("parked")
    assert (
        parked.error == f"chat:{CHANNEL}: POST the webhook of {CHANNEL}: missing (410): channel_is_archived"
    )


def test_a_pause_holds_posts_alone_and_afterwards_only_the_latest_leaves(post: Rig) -> None:
    pause(post, "chat")
    made = post.world.pagerduty.trigger("Alipay Integration", "Latency")
    post.settle(2)
    post.world.pagerduty.resolve(made.id)
    post.settle(2)
    assert (status(post), first_lines(post)) == ("In Review", [])
    resume(post)
    post.settle(2)
    assert first_lines(post) == ["*#1 is resolved*: Latency"]


def test_in_report_the_posts_are_notes_and_nothing_leaves(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(posting(chat={"channel": CHANNEL}),), chat=True)
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(3)
    assert rig.world.chat.posts == []
    (row,) = standing(rig)["dry_run_notes"]
    assert f"post to #{CHANNEL}: the ticket of a SEV2 incident is made" in row["dry_run_notes"]


def test_without_a_url_nothing_is_decided_and_status_says_so_once(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(posting(),))
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(3)
    assert [row.kind for row in rig.operations() if row.target == "chat"] == []
    note = "QRPay: SYNCD_CHAT_URLS has no URL for the channel status-qrpay, so nothing is posted"
    assert standing(rig)["notes"].count(note) == 1


def test_a_restricted_incident_is_never_posted(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(posting(restricted={"titles": ["breach"], "level": "Security"}),), chat=True)
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Data breach of card holders")
    rig.settle(4)
    assert rig.world.chat.posts == []
    assert [row.kind for row in rig.operations() if row.target == "chat"] == []


def test_what_waits_is_dropped_when_its_incident_becomes_restricted(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(posting(restricted={"titles": ["breach"], "level": "Security"}),), chat=True)
    rig.cycle()
    pause(rig, "chat")
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(2)
    rig.world.pagerduty.set_title(made.id, "Data breach", "Amara Osei")
    rig.settle(2)
    resume(rig)
    rig.settle(3)
    assert rig.world.chat.posts == []
    assert not_sent(rig) == ["the incident is restricted"]


def test_after_a_restore_nothing_from_before_it_is_posted_again(post: Rig) -> None:
    post.world.pagerduty.trigger("Alipay Integration", "Latency")
    copy = back_up_rig(post)
    post.settle(2)
    assert len(post.world.chat.posts) == 1
    restore_rig(post, copy)
    post.settle(14, 60.0)
    assert len(post.world.chat.posts) == 1
    assert not_sent(post) == [WHY]


def test_forgetting_a_person_empties_the_posts_that_name_them(post: Rig) -> None:
    made = post.world.pagerduty.trigger("Core QRPay Web", "Latency", priority="P4")
    post.world.pagerduty.acknowledge(made.id, "Amara Osei")
    post.settle(2)
    assert any("Amara Osei" in posted.text for posted in post.world.chat.posts)
    post.world.pagerduty.resolve(made.id)
    post.settle(6)
    assert "Amara Osei" in str([row.meaning for row in post.operations()])
    ask(post, "forget", address="amara.osei@qrpay.example", names=[])
    left = [row.meaning for row in post.operations() if row.kind == "post_chat"]
    assert "somebody" in str(left)
    assert "Amara" not in str(left)
