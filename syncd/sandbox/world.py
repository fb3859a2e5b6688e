"""A world: both services, a chat, their clock, the faults on the network between, the journal of requests.

Every HTTP request, over a socket or in process, enters through `World.answer`. It applies the faults and says
how the answer travels. Faults happen here and in the server, never inside a service.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from syncd.sandbox.chance import stream
from syncd.sandbox.chat import ChatSandbox
from syncd.sandbox.clock import Clock, SandboxClock
from syncd.sandbox.faults import Faults, Strike
from syncd.sandbox.jira.service import JiraSandbox
from syncd.sandbox.jira.site import Edition
from syncd.sandbox.journal import Journal
from syncd.sandbox.pagerduty.service import PagerDutySandbox
from syncd.sandbox.wire import Call, Reply

ServiceName = Literal["pagerduty", "jira", "chat"]
SERVICES: tuple[ServiceName, ...] = ("pagerduty", "jira", "chat")


@dataclass(frozen=True)
class Delivery:
    """An answer and how it travels.

    Without a reply the connection ends. `keep` is the share of a `cut` body.
    """

    reply: Reply | None
    manner: Literal["whole", "reset", "cut", "trickle"] = "whole"
    keep: float = 1.0


class World:
    """Both services and a chat over one clock."""

    def __init__(
        self, clock: Clock, seed: int = 0, *, edition: Edition = "cloud", limits: bool = True
    ) -> None:
        """Make empty services. `limits` switches their rate limits, which count in sandbox time."""
        self.clock = clock
        self.seed = seed
        self.journal = Journal(clock)
        self.pagerduty = PagerDutySandbox(clock, self.journal, seed)
        self.jira = JiraSandbox(clock, self.journal, seed, edition)
        self.chat = ChatSandbox(clock, self.journal)
        self.pagerduty.account.options.limits = limits
        self.jira.site.options.limits = limits
        self.faults = Faults(stream(seed, "faults"))
        self.dateless: set[str] = set()
        """The services whose answers have no `Date` header, as behind a proxy that removes it."""

    def service(self, name: str) -> PagerDutySandbox | JiraSandbox | ChatSandbox:
        """Return a service by name. Raise LookupError for another name."""
        if name == "pagerduty":
            return self.pagerduty
        if name == "jira":
            return self.jira
        if name == "chat":
            return self.chat
        raise LookupError(f"no service {name!r}")

    def catch_up(self) -> None:
        """Apply in both services all that was due by now."""
        for service in (self.pagerduty, self.jira):
            with service.lock:
                service.catch_up()

    def advance(self, seconds: float) -> datetime:
        """Move the clock by `seconds`, apply what was due. Raise TypeError if the clock cannot be moved."""
        if not isinstance(self.clock, SandboxClock):
            raise TypeError("this world's clock is not a SandboxClock; move it where it was made")
        now = self.clock.advance(seconds)
        self.catch_up()
        return now

    def answer(self, name: str, call: Call, sleep: Callable[[float], object] = time.sleep) -> Delivery:
        """Answer a request as the network would deliver it; `sleep` waits real seconds."""
        service = self.service(name)
        strike = self.faults.strike(name, call)
        if strike is None:
            return Delivery(service.handle(call))
        # A slow way to the service: the caller waits and the service has not seen the request yet.
        if strike.seconds and not strike.after:
            sleep(strike.seconds)
        reply = None
        # The service does its work first; the caller cannot tell this case from the next one.
        if strike.after or strike.way == "delay":
            reply = service.handle(_altered(call, strike), strike.way)
        else:
            # The service never sees the request, so the journal is written here. Status 0: no answer left.
            status = strike.reply.status if strike.reply else 0
            template = service.template(call)
            # the path of a webhook is a secret
            path = template if name == "chat" else call.path
            self.journal.write(name, call.method, path, template, status, self.clock(), strike.way)
        if strike.seconds and strike.after:
            sleep(strike.seconds)
        return _delivery(strike, reply)


def _altered(call: Call, strike: Strike) -> Call:
    """Return the request as it reaches the service."""
    if strike.change is None:
        return call
    return replace(call, body=json.dumps(strike.change(call.json())).encode())


def _delivery(strike: Strike, reply: Reply | None) -> Delivery:
    # A caller sees the same reset in all three cases, whether the work was done or not.
    if strike.way in ("reset_before", "refuse", "lose_answer"):
        return Delivery(None, "reset")
    if strike.way == "cut":
        return Delivery(reply, "cut", strike.keep)
    if strike.way == "trickle":
        return Delivery(reply, "trickle")
    return Delivery(strike.reply or reply)
