"""Faults: rules about which requests fail, and how.

A rule matches by service, method, path and body. It lets the first `skip` requests pass, then strikes `times`
times (None: for ever), each time only with its `probability`, drawn from a seeded stream. The kind of fault
says whether the service did its work first: the caller cannot know that.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from random import Random
from typing import Any, Literal

from syncd.sandbox.wire import Call, Reply

Way = Literal[
    "error", "reset_before", "refuse", "lose_answer", "delay", "cut", "empty", "html", "trickle", "alter"
]

# A page of a proxy says nothing about an object: syncd must read it as an outage.
PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Strike:
    """How a request fails.

    `reply` is the answer that is sent instead. `after` says that the service did its work first. `seconds`
    are real seconds. `keep` is the share of a cut body that still arrives. An `alter` gives the service
    another request than the caller sent: `change` returns its body.
    """

    way: Way
    reply: Reply | None = None
    after: bool = False
    seconds: float = 0.0
    keep: float = 0.5
    change: Callable[[Any], Any] | None = None


def error(
    status: int, headers: Mapping[str, str] | None = None, body: Any = None, *, after: bool = False
) -> Strike:
    """Answer with a status and a body (bytes, or a value sent as JSON), before or after the work."""
    if body is None or isinstance(body, bytes):
        return Strike("error", Reply(status, dict(headers or {}), body or b""), after)
    return Strike("error", Reply.of(body, status, headers), after)


def reset_before() -> Strike:
    """Reset the connection before the service did anything."""
    return Strike("reset_before")


def refuse() -> Strike:
    """Reset the connection at once. To refuse connecting itself, close the port of the service."""
    return Strike("refuse")


def lose_answer() -> Strike:
    """Do the work, then reset the connection instead of answering."""
    return Strike("lose_answer", after=True)


def delay(seconds: float, *, after: bool = False) -> Strike:
    """Wait real seconds before or after the work, then answer as usual."""
    return Strike("delay", seconds=seconds, after=after)


def cut(keep: float = 0.5) -> Strike:
    """Do the work, announce the whole body and send only the share `keep` of it."""
    return Strike("cut", after=True, keep=keep)


def empty(status: int = 200) -> Strike:
    """Do the work and answer with a status and an empty body."""
    return Strike("empty", Reply(status), after=True)


def html(status: int = 502, *, after: bool = False) -> Strike:
    """Answer with the HTML page of a proxy."""
    return Strike("html", Reply(status, {"Content-Type": "text/html"}, PROXY_PAGE), after)


def trickle() -> Strike:
    """Do the work and send the answer at one byte a second."""
    return Strike("trickle", after=True)


def no_effect(status: int = 204, body: Any = None) -> Strike:
    """Do nothing, and answer as if it were done: a move, a link, or a whole edit without effect."""
    return Strike("error", Reply(status) if body is None else Reply.of(body, status))


def ignore(*fields: str) -> Strike:
    """Do the work without these fields (none named: without any), and answer as usual.

    The fields are those of an edit of an issue (`fields`, `update`) or of a change of an incident.
    """
    return Strike("alter", after=True, change=lambda body: _without(body, fields))


def normalise(**values: Any) -> Strike:
    """Store these values where the request sets other values for the same fields, and answer as usual."""
    return Strike("alter", after=True, change=lambda body: _with(body, values))


_HOLDERS = ("fields", "update", "incident")
_ALWAYS = ("type",)
"""Keys without which PagerDuty refuses a change of an incident."""


def _without(body: Any, names: tuple[str, ...]) -> Any:
    def left(values: dict[str, Any]) -> dict[str, Any]:
        if not names:
            return {name: value for name, value in values.items() if name in _ALWAYS}
        return {name: value for name, value in values.items() if name not in names}

    return {name: left(value) if name in _HOLDERS else value for name, value in body.items()}


def _with(body: Any, values: dict[str, Any]) -> Any:
    def stored(asked: dict[str, Any]) -> dict[str, Any]:
        return {name: values.get(name, value) for name, value in asked.items()}

    return {name: stored(value) if name in _HOLDERS else value for name, value in body.items()}


def pagerduty_429(reset: int = 20) -> Strike:
    """Refuse as PagerDuty documents it; `reset` is the seconds until its limit starts anew."""
    headers = {"ratelimit-limit": "960", "ratelimit-remaining": "0", "ratelimit-reset": str(reset)}
    return error(429, headers, {"error": {"message": "Rate Limit Exceeded", "code": 2020}})


def bare_429() -> Strike:
    """Refuse with a 429 that has neither headers nor a body; both services are known to do so."""
    return error(429)


def jira_429(
    retry_after: int | datetime | None = 1,
    reason: str = "jira-burst-based",
    limit: int = 350,
    reset: datetime | None = None,
) -> Strike:
    """Refuse as Jira does, with `Retry-After` in seconds, as a date, or without it (None)."""
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0", "RateLimit-Reason": reason}
    # HTTP allows a date here, and the jira library fails on it.
    if isinstance(retry_after, datetime):
        headers["Retry-After"] = format_datetime(retry_after, usegmt=True)
    elif retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if reset:
        headers["X-RateLimit-Reset"] = f"{reset:%Y-%m-%dT%H:%M:%SZ}"
    return error(429, headers)


@dataclass
class Rule:
    """Which requests fail. `path` and `body` are regular expressions that are searched for."""

    strike: Strike
    service: str | None = None
    method: str | None = None
    path: str | None = None
    body: str | None = None
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    id: int = 0
    struck: int = 0

    def fits(self, service: str, call: Call) -> bool:
        """Return True if the rule is about this request."""
        return (
            self.service in (None, service)
            and self.method in (None, call.method)
            and (self.path is None or re.search(self.path, call.path) is not None)
            and (self.body is None or re.search(self.body, call.body.decode(errors="replace")) is not None)
        )


@dataclass
class Faults:
    """The rules of a world, tried in the order in which they were added. Safe between threads."""

    rng: Random
    rules: list[Rule] = field(default_factory=list)
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, strike: Strike, **conditions: Any) -> Rule:
        """Add a rule and return it; `conditions` are the fields of `Rule`."""
        with self._lock:
            self._made += 1
            rule = Rule(strike, id=self._made, **conditions)
            self.rules.append(rule)
            return rule

    def remove(self, rule_id: int) -> None:
        """Remove a rule; an unknown id changes nothing."""
        with self._lock:
            self.rules = [rule for rule in self.rules if rule.id != rule_id]

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self.rules.clear()

    def strike(self, service: str, call: Call) -> Strike | None:
        """Return how a request fails, or None; the rule counts it."""
        with self._lock:
            for rule in self.rules:
                # A rule that is used up steps aside for the next one.
                if rule.times is not None and rule.struck >= rule.times:
                    continue
                if not rule.fits(service, call):
                    continue
                # A request that matches but is skipped is left to the next rule.
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.probability < 1 and self.rng.random() >= rule.probability:
                    continue
                rule.struck += 1
                return rule.strike
        return None
