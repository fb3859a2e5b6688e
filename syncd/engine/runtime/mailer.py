"""The way out for mail as the engine sees it: a client, a sender, templates, and who receives it."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr

from syncd.config.templates.templates import Templates
from syncd.remote.mail import Mail


@dataclass(frozen=True)
class Mailer:
    """`sender` is an address, or `Name <address>`. `loopback`: the services are on this machine, so that
    example addresses may be written to. `nobody`: mail becomes files that nobody receives. `operator` is
    who is told when the daemon itself is in trouble.
    """

    client: Mail
    sender: str
    templates: Templates
    loopback: bool = False
    nobody: bool = False
    operator: str | None = None

    @property
    def address(self) -> str:
        """The sender's bare address, for the envelope."""
        return parseaddr(self.sender)[1]
