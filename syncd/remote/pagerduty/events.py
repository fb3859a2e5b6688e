"""PagerDuty's Events API v2: an alarm about syncd itself opens an incident, and its end resolves that one.

It is another host than the REST API and knows only a routing key, which stands in the body. PagerDuty groups
events by their dedup key: a second trigger with the key of an open incident opens no second one.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Literal

from requests import Session

from syncd.domain.base import JsonValue
from syncd.remote.http.transport import Transport
from syncd.remote.pagerduty import wire

SERVICE = "events"
PATH = "/v2/enqueue"
LONGEST_KEY, LONGEST_SUMMARY = 255, 1024
"""Characters that PagerDuty takes of a dedup key and of a summary."""


class EventsClient:
    """Sends events with one routing key; only one thread at a time may use it."""

    def __init__(self, url: str, routing_key: str, transport: Transport) -> None:
        self._url = url.rstrip("/") + PATH
        self._routing_key = routing_key
        self._session = Session()
        transport.mount(self._session, SERVICE, url, (routing_key,))

    def trigger(
        self,
        dedup_key: str,
        summary: str,
        *,
        severity: Literal["critical", "error", "warning"],
        kind: str,
        source: str,
        at: datetime,
    ) -> None:
        """Open an incident, or update the open one of this key; raise `RemoteError`."""
        payload: dict[str, JsonValue] = {
            "summary": summary[:LONGEST_SUMMARY],
            "source": source,
            "severity": severity,
            "timestamp": wire.z(at),
            "component": "syncd",
            "class": kind,
        }
        self._send("trigger", dedup_key, {"payload": payload, "client": "syncd"})

    def resolve(self, dedup_key: str) -> None:
        """Resolve the open incident of this key, if there is one; raise `RemoteError`."""
        self._send("resolve", dedup_key, {})

    def _send(self, action: str, dedup_key: str, more: dict[str, JsonValue]) -> None:
        event = {
            "routing_key": self._routing_key,
            "event_action": action,
            "dedup_key": _fitting(dedup_key),
            **more,
        }
        self._session.post(self._url, json=event)


def _fitting(key: str) -> str:
    """Return a key that PagerDuty takes; two long ones stay apart."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = sha256(key.encode()).hexdigest()[:16]
    return f"{key[: LONGEST_KEY - len(digest) - 1]}/{digest}"
