"""A world: both services, their clock, the faults between them and their caller, and the journal of it all.

`answer` is the one way in for whoever speaks HTTP, over a socket or in process: it lets faults strike and
says how the answer travels. What goes wrong on the way is played here and in the server, never in a service.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from syncd.sandbox.chance import stream
from syncd.sandbox.clock import Clock, SandboxClock
from syncd.sandbox.faults import Faults, Strike
from syncd.sandbox.jira.service import JiraSandbox
from syncd.sandbox.jira.site import Edition
from syncd.sandbox.journal import Journal
from syncd.sandbox.pagerduty.service import PagerDutySandbox
from syncd.sandbox.wire import Call, Reply

ServiceName = Literal["pagerduty", "jira"]
SERVICES: tuple[ServiceName, ...] = ("pagerduty", "jira")


@dataclass(frozen=True)
class Delivery:
    """An answer and how it travels; without a reply the connection ends instead. `keep` belongs to `cut`."""

    reply: Reply | None
    manner: Literal["whole", "reset", "cut", "trickle"] = "whole"
    keep: float = 1.0


class World:
    """Both services over one clock."""

    def __init__(
        self, clock: Clock, seed: int = 0, *, edition: Edition = "cloud", limits: bool = True
    ) -> None:
        """Make two empty services. `limits` switches their rate limits, which count in sandbox time."""
        self.clock = clock
        self.seed = seed
        self.journal = Journal(clock)
        self.pagerduty = PagerDutySandbox(clock, self.journal, seed)
        self.jira = JiraSandbox(clock, self.journal, seed, edition)
        self.pagerduty.account.options.limits = limits
        self.jira.site.options.limits = limits
        self.faults = Faults(stream(seed, "faults"))

    def service(self, name: str) -> PagerDutySandbox | JiraSandbox:
        """Return a service by name. Raise LookupError for another name."""
        if name == "pagerduty":
            return self.pagerduty
        if name == "jira":
            return self.jira
        raise LookupError(f"no service {name!r}")

    def catch_up(self) -> None:
        """Let happen in both services what was due by now."""
        for service in (self.pagerduty, self.jira):
            with service.lock:
                service.catch_up()

    def advance(self, seconds: float) -> datetime:
        """Let time pass, and happen what does by itself. Raise TypeError if this clock cannot be moved."""
        if not isinstance(self.clock, SandboxClock):
            raise TypeError("this world's clock is moved by whoever made it")
        now = self.clock.advance(seconds)
        self.catch_up()
        return now

    def answer(self, name: str, call: Call, sleep: Callable[[float], object] = time.sleep) -> Delivery:
        """Answer a request as the network between would deliver it; `sleep` waits real seconds."""
        service = self.service(name)
        strike = self.faults.strike(name, call)
        if strike is None:
            return Delivery(service.handle(call))
        if strike.seconds and not strike.after:
            sleep(strike.seconds)
        reply = None
        if strike.after or strike.way == "delay":
            reply = service.handle(call, strike.way)
        else:
            status = strike.reply.status if strike.reply else 0
            template = service.template(call)
            self.journal.write(name, call.method, call.path, template, status, self.clock(), strike.way)
        if strike.seconds and strike.after:
            sleep(strike.seconds)
        return _delivery(strike, reply)


def _delivery(strike: Strike, reply: Reply | None) -> Delivery:
    if strike.way in ("reset_before", "refuse", "lose_answer"):
        return Delivery(None, "reset")
    if strike.way == "cut":
        return Delivery(reply, "cut", strike.keep)
    if strike.way == "trickle":
        return Delivery(reply, "trickle")
    return Delivery(strike.reply or reply)
