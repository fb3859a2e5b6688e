"""Requests and answers as plain values, so that a service is a function and needs no socket.

A service sees of HTTP only `Call` and `Reply`. A handler raises `Refusal` when it cannot do what is asked; it
carries the finished answer in the service's own words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Json = dict[str, Any]

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Call:
    """One request: method in capitals, decoded path, query pairs in their order, headers, raw body."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def to(
        cls, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> "Call":
        """Return a call to a target such as `/incidents?limit=5`; a `body` other than bytes becomes JSON."""
        parts = urlsplit(target)
        # Bytes go out as they are, so that a test can send a body that is no JSON.
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        query = parse_qsl(parts.query, keep_blank_values=True)
        return cls(method.upper(), unquote(parts.path), query, dict(headers or {}), raw)

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def header(self, name: str) -> str | None:
        """Return the value of a header, whatever the case of its name, or None."""
        return self._headers.get(name.lower())

    def values(self, name: str) -> list[str]:
        """Return every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]

    def value(self, name: str) -> str | None:
        """Return the last value of a query parameter, or None."""
        values = self.values(name)
        return values[-1] if values else None

    def listed(self, name: str) -> list[str]:
        """Return the values of a query parameter that may repeat or hold commas."""
        return [part.strip() for value in self.values(name) for part in value.split(",") if part.strip()]

    def json(self) -> Any:
        """Return the body read as JSON. Raise ValueError if it is no JSON."""
        return json.loads(self.body)


@dataclass
class Reply:
    """One answer: status, headers, raw body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> "Reply":
        """Return an answer whose body is `value` as JSON."""
        # Compact and in UTF-8, as both services send it.
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, {"Content-Type": JSON_TYPE, **(headers or {})}, body)

    def json(self) -> Any:
        """Return the body read as JSON. Raise ValueError if it is no JSON."""
        return json.loads(self.body)


class Refusal(Exception):
    """Raised by a handler: the answer that the real service would give instead."""

    def __init__(self, reply: Reply) -> None:
        """Carry `reply` to the service, which sends it."""
        super().__init__(reply.status)
        self.reply = reply
