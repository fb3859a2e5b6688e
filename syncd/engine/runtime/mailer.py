"""The mailer as the engine sees it: the mail client, the sender, the templates, the operator's address."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr

from syncd.config.templates.templates import Templates
from syncd.remote.mail import Mail


@dataclass(frozen=True)
class Mailer:
    """The mail client with its sender and templates.

    `sender` is an address, or `Name <address>`. `loopback`: the services are on this machine, so that syncd
    may mail example addresses. `nobody`: mails become files that nobody receives. `operator` is the address
    for trouble of the daemon itself, `page` that of the page of state, empty if mails do not link to it.
    """

    client: Mail
    sender: str
    templates: Templates
    loopback: bool = False
    nobody: bool = False
    operator: str | None = None
    page: str = ""

    @property
    def address(self) -> str:
        """Return the sender's bare address, for the envelope."""
        return parseaddr(self.sender)[1]
