"""The mail server of a simulation, without sockets: it takes letters, and sometimes its answer gets lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from random import Random
from typing import cast

from simulation.baton import Hub
from simulation.line import SimulatedLine
from simulation.teams import OPERATOR
from syncd.config.templates.templates import Templates
from syncd.engine.runtime.mailer import Mailer
from syncd.remote.errors import Cause, NotDone, Unknown

SENDER = "syncd <syncd@qrpay.example>"


@dataclass(frozen=True)
class Letter:
    """A letter that the server took from the daemon's `run`; `answered`: the daemon knows that it did."""

    at: float
    recipient: str
    message: EmailMessage
    answered: bool
    run: int

    @property
    def number(self) -> str:
        """The Message-ID: the same for a letter that is sent again."""
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        """The subject."""
        return str(self.message["Subject"])


@dataclass
class Letterbox:
    """Takes letters; until the calm one in ten requests fails, half of these after the letter was taken."""

    line: SimulatedLine
    hub: Hub
    random: Random
    calm: float
    run: int = 0
    letters: list[Letter] = field(default_factory=list)

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Take a letter. Raise `NotDone` or `Unknown`, as the daemon's own client does."""
        self.line.step("before a request")
        self.hub.pause(self.random.expovariate(5.0))
        self.take(recipient, message)

    def take(self, recipient: str, message: bytes) -> None:
        """Take a letter from the network."""
        fails, after = self.random.random() < 0.1, self.random.random() < 0.5
        fails = fails and self.hub.now() < self.calm
        if fails and not after:
            raise NotDone("mail", "SEND", Cause.LIMITED, "try again later", retry_after=20.0)
        parsed = cast(EmailMessage, message_from_bytes(message, policy=policy.default))
        self.letters.append(Letter(self.hub.now(), recipient, parsed, not fails, self.run))
        if fails:
            raise Unknown("mail", "SEND", Cause.TIMEOUT, "no answer in time")
        self.line.step("after a request")


def mailer(letterbox: Letterbox) -> Mailer:
    """Return the daemon's mailer on a letterbox."""
    return Mailer(
        client=letterbox,
        sender=SENDER,
        templates=Templates(),
        loopback=True,
        operator=OPERATOR,
    )
