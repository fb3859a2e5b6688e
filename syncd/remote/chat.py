"""Post to chat channels by incoming webhook: one JSON body, one request, one answer.

The URL of a webhook is a secret: whoever knows it can post. So it stands in no error, count or log, and a
request is named `POST the webhook of NAME`. Slack and Mattermost answer `ok`; Slack says what is wrong in one
word such as `channel_is_archived`. A workflow of Teams answers 202 without a text, and takes an Adaptive
Card, whose plain text runs know no markup and no mentions. Any other answer means that nobody knows whether
the message arrived.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping

from requests import Session

from syncd.config.settings.values import secrets_in
from syncd.domain.base import JsonValue
from syncd.domain.operation.chat import service_of
from syncd.domain.text.chat import ChatFormat
from syncd.remote.errors import Cause, Unknown
from syncd.remote.http.deadline import Limits
from syncd.remote.http.places import Rate
from syncd.remote.http.routes import Route
from syncd.remote.http.transport import Transport

PATIENCE = Limits(connect=5.0, whole=10.0)
"""A chat that takes longer holds up the next operations of the incident."""
RATE = Rate(1, 5)
"""Slack allows one message a second and short bursts of more; Teams four a second."""
_ACCEPTED = 202


class ChatClient:
    """Posts to the channels whose webhooks it knows; safe to use from any thread."""

    def __init__(self, urls: Mapping[str, str], transport: Transport) -> None:
        """`urls` are the webhooks' addresses by the channel's name."""
        self._urls = dict(urls)
        self._transport = transport
        self._local = threading.local()
        for channel in urls:
            transport.budget.add(service_of(channel), RATE)

    @property
    def channels(self) -> frozenset[str]:
        """The names of the channels that have a webhook."""
        return frozenset(self._urls)

    def post(self, channel: str, body: str, form: ChatFormat) -> None:
        """Send one body; raise `NotDone`, or `Unknown` where the message may have arrived."""
        answer = self._session(channel).post(
            self._urls[channel], data=body.encode(), headers={"Content-Type": "application/json"}
        )
        text = str(answer.json() or "").strip()
        taken = (
            text in ("", "1") or answer.status_code == _ACCEPTED if form == "teams" else text.lower() == "ok"
        )
        if not taken:
            why = "the answer is not the chat's"
            raise Unknown(
                service_of(channel), _route(channel).named, Cause.BROKEN, why, status=answer.status_code
            )

    def _session(self, channel: str) -> Session:
        sessions: dict[str, Session] = vars(self._local).setdefault("sessions", {})
        if channel not in sessions:
            url, session = self._urls[channel], Session()
            self._transport.mount(
                session,
                service_of(channel),
                url,
                secrets_in(url),
                fixed=_route(channel),
                limits=PATIENCE,
            )
            sessions[channel] = session
        return sessions[channel]


def _route(channel: str) -> Route:
    path = f"the webhook of {channel}"
    return Route("POST", path, "/webhook", reads=False, silent=True, issue="", plain=True)


def body_of(text: str, form: ChatFormat) -> str:
    """Return the JSON text of a message; `text` is escaped for the chat already."""
    body: dict[str, JsonValue] = {"text": text}
    if form == "slack":
        # a link in a title must fetch no preview
        body |= {"unfurl_links": False, "unfurl_media": False}
    elif form == "teams":
        lines: JsonValue = [
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
            for line in text.split("\n")
        ]
        card: JsonValue = {
            "type": "AdaptiveCard",
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "version": "1.4",
            "body": lines,
        }
        kind = "application/vnd.microsoft.card.adaptive"
        body = {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
    return json.dumps(body, ensure_ascii=True)
