"""A mail as bytes: headers that nobody else can write, HTML and text beside each other.

Everything is 7 bit, so that any server takes it as it is and the bytes can be kept as text. Line breaks in
what came from elsewhere start no header: `email.message` refuses them, and they are taken out before.
"""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from syncd.config.templates.text_limits import cut
from syncd.domain.base import Value
from syncd.domain.text import header_line

SUBJECT_LIMIT = 140
"""UTF-16 units; what is longer is cut by most programs anyway, and nobody reads it."""
RESERVED = ("example", "test", "invalid", "localhost")
"""Top-level names that never lead to a person (RFC 2606)."""
_EXAMPLES = ("example.com", "example.net", "example.org")
_SEVEN_BITS = SMTP.clone(cte_type="7bit")


class Envelope(Value):
    """Who writes to whom, under which name, when. `answers` is the id of the message that it belongs to."""

    sender: str
    recipient: str
    message_id: str
    date: datetime
    reply_to: str | None = None
    answers: str | None = None


class Attachment(Value):
    """A file that travels with a mail; `kind` is the second half of its `text/…` type."""

    name: str
    kind: str
    text: str


class Body(Value):
    """What a mail says."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def message_id(op: str, sender: str) -> str:
    """The name of a message: from its operation's mark, so that a restored ledger derives the same one."""
    return f"<syncd.{op}@{domain_of(sender) or 'localhost'}>"


def message(envelope: Envelope, body: Body) -> bytes:
    """The whole message with CRLF line ends, in ASCII."""
    mail = EmailMessage(policy=_SEVEN_BITS)
    name, address = parseaddr(envelope.sender)
    mail["From"] = Address(display_name=header_line(name), addr_spec=address)
    mail["To"] = Address(addr_spec=envelope.recipient)
    mail["Subject"] = cut(header_line(body.subject), SUBJECT_LIMIT)
    mail["Date"] = format_datetime(envelope.date)
    mail["Message-ID"] = envelope.message_id
    if envelope.reply_to:
        mail["Reply-To"] = Address(addr_spec=envelope.reply_to)
    if envelope.answers:
        mail["In-Reply-To"] = envelope.answers
        mail["References"] = envelope.answers
    mail["Auto-Submitted"] = "auto-generated"
    # asks Exchange for no notes of absence, which it sends in spite of the line above
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(body.text, cte="quoted-printable")
    mail.add_alternative(body.html, subtype="html", cte="quoted-printable")
    for one in body.attachments:
        mail.add_attachment(one.text, subtype=one.kind, filename=one.name, cte="base64")
    return mail.as_bytes()


def domain_of(sender: str) -> str:
    """What stands behind the `@` of an address, with or without a name before it."""
    return parseaddr(sender)[1].rpartition("@")[2].casefold()


def is_reserved(address: str) -> bool:
    """Whether an address is an example that no person can have."""
    domain = domain_of(address).rstrip(".")
    whole = any(domain == one or domain.endswith(f".{one}") for one in _EXAMPLES)
    return whole or domain.rpartition(".")[2] in RESERVED
