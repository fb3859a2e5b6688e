"""Posting by webhook: each chat's form, its answers, and a URL that nobody ever sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rig import RigClock

from syncd.domain.text.chat import ChatFormat, chat_link, escape_chat
from syncd.remote.chat import ChatClient, body_of
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.transport import Transport
from syncd.sandbox import faults
from syncd.sandbox.cast import START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer

FORMS: tuple[ChatFormat, ...] = ("slack", "mattermost", "teams")


class Chat:
    """A client and the three chats that it posts to."""

    def __init__(self, server: SandboxServer, transport: Transport) -> None:
        self.world = server.world
        urls = {form: server.world.chat.url(form) for form in FORMS}
        self.secrets = [url.rpartition("0123456789")[0].rpartition("/")[2] for url in urls.values()]
        self.transport = transport
        self.client = ChatClient(urls, transport)

    def post(self, form: ChatFormat, text: str = "hello") -> RemoteError | None:
        try:
            self.client.post(form, body_of(text, form), form)
        except RemoteError as error:
            return error
        return None


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(default_world(SandboxClock(START))) as running:
        for form in FORMS:
            running.world.chat.add_webhook(form, form)
        yield running


@pytest.fixture
def chat(server: SandboxServer) -> Chat:
    server.world.faults.clear()
    server.world.chat.posts.clear()
    clock = server.world.clock
    assert isinstance(clock, SandboxClock)
    return Chat(server, Transport(RigClock(clock)))


@pytest.mark.parametrize("form", FORMS)
def test_each_chat_takes_its_form_and_answers_in_its_own_way(chat: Chat, form: ChatFormat) -> None:
    assert chat.post(form, "first line\nsecond line") is None
    assert [post.text for post in chat.world.chat.to(form)] == ["first line\nsecond line"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("strike", "kind", "cause"),
    [
        (faults.error(429, {"Retry-After": "7"}), NotDone, Cause.LIMITED),
        (faults.error(404, body=b"no_service"), NotDone, Cause.MISSING),
        (faults.error(302, {"Location": "https://login.example/?to=x"}), NotDone, Cause.REDIRECT),
        (faults.error(500), Unknown, Cause.SERVER),
        (faults.lose_answer(), Unknown, Cause.BROKEN),
        (faults.html(200), Unknown, Cause.BROKEN),
    ],
)
def test_only_the_chat_s_own_answer_counts(
    chat: Chat, form: ChatFormat, strike: faults.Strike, kind: type, cause: Cause
) -> None:
    chat.world.faults.add(strike, service="chat")
    error = chat.post(form)
    assert error is not None
    assert (type(error), error.cause) == (kind, cause)
    assert error.retry_after == (7 if cause is Cause.LIMITED else None)
    shown = f"{error!r} {error} {error.describe()} {chat.transport.counts.snapshot()}"
    assert [secret for secret in chat.secrets if secret in shown] == []


def test_each_channel_has_a_budget_of_its_own(chat: Chat) -> None:
    chat.world.faults.add(faults.error(429, {"Retry-After": "60"}), service="chat", path="/hooks/")
    assert chat.post("mattermost") is not None
    assert chat.post("slack") is None
    assert chat.transport.budget.wait_for("chat:mattermost") > 50


HOSTILE = (
    "<!channel> <!here|all> <@U024BE7LH> <#C024BE7LR|x> <https://evil.example|https://bank.example>"
    " @here @channel @all <at>Ana</at> [bank](https://evil.example) *bold* _it_ ~no~ `code` &lt;!channel&gt;"
)


@given(st.text(max_size=60))
@example(HOSTILE)
def test_no_text_of_an_incident_addresses_anybody_or_hides_a_link(text: str) -> None:
    slack, mattermost, teams = (escape_chat(text, form) for form in FORMS)
    for shown in (slack, mattermost, teams):
        assert "\n" not in shown
        assert [part for part in shown.split("@")[1:] if not part.startswith("\u200b")] == []
    assert "<" not in slack
    assert ">" not in slack
    assert not set("*~`") & set(slack)
    for shown in (mattermost, teams):
        assert [part for part in shown.split("<")[1:] if not part.startswith("\u200b")] == []
    assert "](" not in mattermost.replace("\\]", "").replace("\\(", "")


def test_a_link_has_our_words_and_an_address_that_cannot_leave_it() -> None:
    assert chat_link("https://x.example/a?b=1&c=2", "OPS-1", "slack") == (
        "<https://x.example/a?b=1&amp;c=2|OPS-1>"
    )
    assert chat_link("https://x.example/a", "OPS-1", "mattermost") == "[OPS\\-1](https://x.example/a)"
    for url in ("javascript:alert(1)", "https://x.example/>|<!channel>", ""):
        assert chat_link(url, "OPS-1", "slack") == "OPS-1"


def test_a_card_shows_each_line_as_plain_text() -> None:
    body: Any = json.loads(body_of("[a](https://evil.example)\n<at>Ana</at>", "teams"))
    blocks = body["attachments"][0]["content"]["body"]
    assert {block["type"] for block in blocks} == {"RichTextBlock"}
    assert [block["inlines"][0]["text"] for block in blocks] == ["[a](https://evil.example)", "<at>Ana</at>"]
