"""The chat receiver answers as Slack, Mattermost and Teams do, and keeps what arrived."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.sandbox.cast import CHANNEL
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.wire import Call, Reply
from syncd.sandbox.world import World


def post(world: World, body: Any, channel: str = CHANNEL) -> Reply:
    return world.chat.handle(Call.to("POST", world.chat.url(channel), body=body))


def test_slack_takes_a_text_and_says_in_one_word_what_is_wrong(world: World) -> None:
    assert (post(world, {"text": "hello"}).status, post(world, {"text": "hello"}).body) == (200, b"ok")
    assert post(world, {}).body == b"no_text"
    assert post(world, b"{").body == b"invalid_payload"
    assert world.chat.handle(Call.to("POST", "/services/T/B/wrong", body={"text": "x"})).body == b"no_service"
    world.chat.archive(CHANNEL)
    assert post(world, {"text": "late"}).body == b"channel_is_archived"
    assert [post.text for post in world.chat.to(CHANNEL)] == ["hello", "hello"]


def test_teams_takes_a_card_and_answers_without_a_text(world: World) -> None:
    world.chat.add_webhook("ops", "teams")
    assert post(world, {"text": "hello"}, "ops").status == 400
    inlines = [{"type": "TextRun", "text": "hello"}]
    content = {"type": "AdaptiveCard", "body": [{"type": "RichTextBlock", "inlines": inlines}]}
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    reply = post(world, {"type": "message", "attachments": [card]}, "ops")
    assert (reply.status, reply.body) == (202, b"")
    assert [post.text for post in world.chat.to("ops")] == ["hello"]


@pytest.mark.parametrize("struck", [False, True])
def test_the_journal_never_shows_the_secret_of_a_webhook(server: SandboxServer, struck: bool) -> None:
    from syncd.sandbox import faults

    world = server.world
    if struck:
        world.faults.add(faults.error(500), service="chat")
    world.answer("chat", Call.to("POST", world.chat.url(CHANNEL), body={"text": "hello"}))
    (line,) = world.journal.lines("chat")
    assert line.path == "/services/T0SANDBOX/B0SANDBOX/{secret}"
    assert server.environment(chat=True)["SYNCD_CHAT_URLS"] == f"{CHANNEL}={world.chat.url(CHANNEL)}"


def test_the_control_port_shows_what_was_posted(server: SandboxServer) -> None:
    post(server.world, {"text": "hello"})
    state = server.control.handle(Call.to("GET", "/_sandbox/state/chat")).json()
    assert [(post["channel"], post["text"]) for post in state["posts"]] == [(CHANNEL, "hello")]
