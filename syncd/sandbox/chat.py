"""A receiver of incoming webhooks that answers as Slack, Mattermost or Teams and keeps every message.

A message counts as posted as soon as its request has arrived, even if the sender never gets the answer. The
path of a webhook is a secret, so the journal shows only its form.
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from syncd.sandbox.act import act
from syncd.sandbox.clock import Clock
from syncd.sandbox.journal import Journal
from syncd.sandbox.wire import Call, Json, Reply

ChatForm = Literal["slack", "mattermost", "teams"]
CARD = "application/vnd.microsoft.card.adaptive"
_PATHS: dict[ChatForm, str] = {
    "slack": "/services/T0SANDBOX/B0SANDBOX/{secret}",
    "mattermost": "/hooks/{secret}",
    "teams": "/workflows/{secret}/triggers/manual/paths/invoke",
}


@dataclass(frozen=True)
class Post:
    """A message as it arrived: its channel, the text that people see, the whole body, the time (UTC)."""

    channel: str
    text: str
    body: Json
    at: datetime


@dataclass(frozen=True)
class _Webhook:
    channel: str
    form: ChatForm
    path: str


class ChatSandbox:
    """The channels of a chat and their webhooks. Safe between threads."""

    name = "chat"

    def __init__(self, clock: Clock, journal: Journal) -> None:
        """Start without channels."""
        self.lock = threading.RLock()
        self.clock = clock
        self.journal = journal
        self.base_url = ""
        self.posts: list[Post] = []
        self.archived: set[str] = set()
        """Channels that people closed: Slack refuses a post to one."""
        self._webhooks: dict[str, _Webhook] = {}

    def add_webhook(self, channel: str, form: ChatForm = "slack", secret: str = "") -> None:
        """Give a channel its webhook."""
        path = _PATHS[form].format(secret=secret or f"s3cret-of-{channel}-0123456789")
        self._webhooks[channel] = _Webhook(channel, form, path)

    def url(self, channel: str) -> str:
        """Return the address of a channel's webhook."""
        return self.base_url + self._webhooks[channel].path

    def urls(self) -> str:
        """Return all webhooks as `SYNCD_CHAT_URLS` takes them."""
        return " ".join(f"{channel}={self.url(channel)}" for channel in self._webhooks)

    def to(self, channel: str) -> list[Post]:
        """Return the messages of a channel, oldest first."""
        with self.lock:
            return [post for post in self.posts if post.channel == channel]

    def catch_up(self) -> None:
        """Do nothing: no message is due by itself."""

    @act
    def archive(self, channel: str) -> None:
        """Close a channel."""
        self.archived.add(channel)

    def template(self, call: Call) -> str:
        """Return the form of a webhook's path, without its secret."""
        form = next((hook.form for hook in self._webhooks.values() if hook.path == call.path), None)
        return _PATHS[form] if form else "/{secret}"

    def handle(self, call: Call, fault: str | None = None) -> Reply:
        """Answer a request and write it into the journal; `fault` names what happens to the answer."""
        began, pattern = self.clock(), self.template(call)
        with self.lock:
            reply = self._answer(call)
        self.journal.write(self.name, call.method, pattern, pattern, reply.status, began, fault)
        return reply

    def _answer(self, call: Call) -> Reply:
        hook = next((hook for hook in self._webhooks.values() if hook.path == call.path), None)
        if hook is None:
            return _plain("no_service", 404)
        if hook.channel in self.archived:
            return _plain("channel_is_archived", 410)
        try:
            body = call.json()
        except ValueError:
            return _plain("invalid_payload", 400)
        text = _card_text(body) if hook.form == "teams" else _text(body)
        if not text:
            return _no_text(hook.form)
        self.posts.append(Post(hook.channel, text, body, self.clock()))
        return Reply(202) if hook.form == "teams" else _plain("ok", 200)

    def dump(self) -> Json:
        """Return all messages, oldest first."""
        with self.lock:
            return {
                "posts": [
                    {"channel": post.channel, "text": post.text, "at": post.at.isoformat()}
                    for post in self.posts
                ]
            }


def _plain(text: str, status: int) -> Reply:
    return Reply(status, {"Content-Type": "text/html"}, text.encode())


def _no_text(form: ChatForm) -> Reply:
    if form == "slack":
        return _plain("no_text", 400)
    return Reply.of({"message": "Unable to parse incoming data.", "status_code": 400}, 400)


def _text(body: Any) -> str:
    return str(body.get("text") or "") if isinstance(body, dict) else ""


def _card_text(body: Any) -> str:
    """Return the text of an Adaptive Card, one line a block, as Teams shows it."""
    attachments = body.get("attachments") if isinstance(body, dict) else None
    if not isinstance(attachments, list) or not attachments or attachments[0].get("contentType") != CARD:
        return ""
    blocks = attachments[0]["content"].get("body", [])
    return "\n".join("".join(run["text"] for run in block.get("inlines", [])) for block in blocks)
