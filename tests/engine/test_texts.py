"""Texts for customers, end to end: one comment that syncd edits, drafts of restricted incidents."""

from __future__ import annotations

import json
from typing import Any

from rig import SERVICES, Rig, mapping

from engine.cast import issue_of, nothing_more_is_written
from engine.restricted_cast import CANARY, RULES, SEVERITIES, hidden
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.sandbox.cast import CHANNEL
from syncd.web.receive import Receiver

TEXTS: dict[str, Any] = {
    "status page": {"on": "update", "to": "status_page", "template": "ramen/status_page.txt.j2"},
    "mail": {
        "on": ["update", "mitigation"],
        "to": "partner_mail",
        "template": "ramen/partner_mail.txt.j2",
    },
}
PRIYA = "priya.raman@qrpay.example"


def house(make_rig: Any, **more: Any) -> Rig:
    """A rig whose mapping makes texts, after a first quiet cycle."""
    rig: Rig = make_rig(mappings=(mapping(texts=TEXTS, **more),), renderer=TicketRenderer(Templates()))
    rig.cycle()
    return rig


def texts_of(rig: Rig) -> list[str]:
    """The comments from which people copy."""
    bodies = [comment["body"] for comment in issue_of(rig)["comments"] if not comment.get("deleted")]
    return [body for body in bodies if body.startswith("Texts for people to copy")]


def shown(rig: Rig) -> list[tuple[str, int, str]]:
    """What `syncd show` says of the texts."""
    record = incident_named(rig.ledger, "OPS-1")
    assert record is not None
    data = show_data(rig.ledger, record, rig.clock.now())
    return [(text["name"], text["number"], text["state"]) for text in data["texts"]]


def published(rig: Rig, incident: str, agent: str) -> None:
    """Deliver PagerDuty's webhook about a status update by a user or a bot."""
    event = {
        "id": agent.replace("_", ""),
        "event_type": "incident.status_update_published",
        "occurred_at": rig.clock.now().isoformat(),
        "agent": {"id": "PUSER", "type": agent},
        "data": {"type": "incident_status_update", "incident": {"id": incident}, "message": CANARY},
    }
    receiver = Receiver(rig.context, lambda _ids: None)
    assert receiver.pagerduty([json.dumps({"event": event}).encode()]) == ["used"]


def test_lines_make_one_comment_that_is_edited_and_no_line_makes_a_text_twice(make_rig: Any) -> None:
    rig = house(make_rig)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Payments fail")
    rig.settle(2)
    note = rig.world.pagerduty.note(made.id, "Update: half of the {html} payments fail", "Jonas Lindqvist")
    rig.settle(3)
    (text,) = texts_of(rig)
    assert "Alipay Integration: half of the \\{html\\} payments fail" in text
    rig.world.jira.comment("OPS-1", "mitigation: traffic is rerouted", by="Ines Carvalho")
    rig.settle(3)
    (text,) = texts_of(rig)
    assert "What we do about it: traffic is rerouted" in text and "half of the" in text
    rig.world.pagerduty.edit_note(made.id, note.id, "update: nothing is wrong")
    rig.loop.slow()
    rig.settle(3)
    assert texts_of(rig) == [text]
    told = [
        comment["body"] for comment in issue_of(rig)["comments"] if "after syncd used it" in comment["body"]
    ]
    assert len(told) == 1 and shown(rig) == [
        ("status page", 1, "ready to use"),
        ("mail", 2, "ready to use"),
    ]
    nothing_more_is_written(rig)


def test_a_comment_that_a_person_changed_is_theirs_and_the_next_text_gets_a_new_one(make_rig: Any) -> None:
    rig = house(make_rig)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Payments fail")
    rig.settle(2)
    rig.world.pagerduty.note(made.id, "update: a", "Jonas Lindqvist")
    rig.settle(3)
    ours = next(comment for comment in issue_of(rig)["comments"] if comment["body"].startswith("Texts for"))
    rig.world.jira.edit_comment("OPS-1", ours["id"], "Texts for people to copy: mine", by="Ines Carvalho")
    rig.world.pagerduty.note(made.id, "update: b", "Jonas Lindqvist")
    rig.settle(4)
    first, second = texts_of(rig)
    assert first == "Texts for people to copy: mine" and "Alipay Integration: b" in second
    nothing_more_is_written(rig)


def test_a_restricted_incidents_draft_stands_on_the_ticket_alone_until_it_is_approved(make_rig: Any) -> None:
    rules = {**RULES, "approve": PRIYA}
    rig = house(make_rig, restricted=rules, severities=SEVERITIES, services=SERVICES)
    rig.world.pagerduty.trigger("Alipay Integration", "PII in a log")
    rig.settle(3)
    comment = rig.world.jira.comment("OPS-1", f"update: {CANARY} is out", by="Ines Carvalho")
    rig.settle(3)
    (text,) = texts_of(rig)
    assert f"{CANARY} is out" in text and 'waits for the comment "approved 1"' in text.replace("\\", "")
    hidden(rig)
    rig.world.jira.comment("OPS-1", "approved", by="Ines Carvalho")
    rig.settle(2)
    assert texts_of(rig) == [text]
    rig.world.jira.comment("OPS-1", "approved 1", by="Priya Raman")
    rig.settle(3)
    (text,) = texts_of(rig)
    assert "draft 1, approved by Priya Raman" in text and f"{CANARY} is out" in text
    # what was approved never changes under its number
    rig.world.jira.edit_comment("OPS-1", comment.id, f"update: {CANARY} changed", by="Ines Carvalho")
    rig.world.jira.comment("OPS-1", f"mitigation: {CANARY} two", by="Ines Carvalho")
    rig.settle(3)
    (text,) = texts_of(rig)
    approved, _, second = text.partition("h4. mail")
    assert "changed" not in approved and "withheld" in approved and "draft 2, do not use it" in second
    hidden(rig)
    nothing_more_is_written(rig)


def test_the_channel_gets_the_runbooks_update_once_and_a_reminder_when_the_next_is_late(
    make_rig: Any,
) -> None:
    slack = {"on": ["update", "mitigation"], "to": "chat", "template": "qrpay/update.txt.j2"}
    owed = {"first_minutes": 15, "every_minutes": 15}
    sev2 = {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "communications": owed}
    team = mapping(
        texts={"slack": slack}, severities={"SEV2": sev2}, chat={"mode": "enforce", "channel": CHANNEL}
    )
    rig: Rig = make_rig(mappings=(team,), chat=True, renderer=TicketRenderer(Templates()))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Payments fail")
    rig.settle(2)
    published(rig, made.id, "user_reference")
    rig.world.pagerduty.note(made.id, "update: half of <!channel> fails\nfor *all*", "Jonas Lindqvist")
    rig.settle(3)
    posts = [post.text for post in rig.world.chat.to(CHANNEL)]
    assert posts[1].startswith(
        ":rotating_light: *Incident 1*, Alipay Integration (SEV2)\nImpact: half of &lt;"
    )
    assert "<!channel>" not in posts[1] and "Mitigation: being worked out\nNext update: 2026-" in posts[1]
    for _ in range(5):
        rig.cycle(15 * 60.0)
    late = [post.text for post in rig.world.chat.to(CHANNEL)][2:]
    assert [text.partition(":")[0] for text in late] == ["*#1 needs an update*"] * 2
    assert all(": no update since " in text for text in late)
    nothing_more_is_written(rig)


def test_a_status_update_counts_as_an_update_and_shows_that_the_webhook_comes(make_rig: Any) -> None:
    owed = {"first_minutes": 15, "every_minutes": 60}
    sev2 = {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "communications": owed}
    rig = house(make_rig, severities={"SEV2": sev2})
    made = rig.world.pagerduty.trigger("Alipay Integration", "Payments fail")
    rig.settle(2)
    for agent in ("user_reference", "bot_user_reference"):
        published(rig, made.id, agent)
    rig.settle(2)
    record = incident_named(rig.ledger, "OPS-1")
    assert record is not None and record.cadence is not None
    assert (len(record.status_updates), record.cadence["on_time"], record.cadence["of"]) == (1, 1, 1)
    hidden(rig)
