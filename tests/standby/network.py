"""The network and the mail server of two simulated daemons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulation.letterbox import Letterbox
from simulation.line import SimulatedLine
from simulation.wire import WireTransport

from standby.database import HeldLedger
from standby.processes import SharedHub
from syncd.remote.http.departure import departure
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery


class PairLine(SimulatedLine):
    """The network of two daemons: a request under way arrives although its sender is stopped."""

    hub: SharedHub
    passes: Callable[[str], None]
    ledger_of: Callable[[], HeldLedger | None]
    _wrote = False

    def step(self, kind: str) -> None:
        self.db = self.ledger_of()
        super().step(kind)
        if kind != "after a request":
            self.passes(kind)
        elif self._wrote:
            self.passes("answered")

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        super().sent(service, left, writes, marks, outcome)
        self._wrote = writes

    def _travel(self, service: str, call: Call, seconds: float) -> None:
        with self.hub.travel():
            super()._travel(service, call, seconds)

    def _answer(self, service: str, call: Call, sleep: Callable[[float], None]) -> Delivery:
        with self.hub.travel():
            return super()._answer(service, call, sleep)

    def _latency(self) -> float:
        # an answer is never there at once, so a daemon that was stopped meanwhile reads it later
        return max(0.001, super()._latency())


@dataclass
class PairLetterbox(Letterbox):
    """The mail server for one daemon: the last check stands before each letter."""

    transport: WireTransport | None = None

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        assert self.transport is not None
        self.line.step("before a request")
        self.hub.pause(self.random.expovariate(5.0))
        departs = departure(self.transport.why_not_send, "mail", "SEND")
        if departs is not None:
            departs()
        self.take(recipient, message)
