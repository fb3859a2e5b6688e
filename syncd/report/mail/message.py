"""A mail as bytes, with an HTML part and a text part.

All bytes are 7 bit, so that every mail server accepts them unchanged and the ledger can store them as text.
A line break in a foreign text (an incident's title) would begin a forged header: this module removes line
breaks, and `email.message` refuses those that remain.
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
"""UTF-16 units; most mail programs cut longer subjects."""
RESERVED = ("example", "test", "invalid", "localhost")
"""Top-level names that never lead to a person (RFC 2606)."""
_EXAMPLES = ("example.com", "example.net", "example.org")
_SEVEN_BITS = SMTP.clone(cte_type="7bit")


class Envelope(Value):
    """Sender, recipient, id and date of a mail; `answers` is the id of the mail that it replies to."""

    sender: str
    recipient: str
    message_id: str
    date: datetime
    reply_to: str | None = None
    answers: str | None = None


class Attachment(Value):
    """A file in a mail; `kind` is the second half of its type `text/…`, `method` that of a calendar's."""

    name: str
    kind: str
    text: str
    method: str = ""


class Body(Value):
    """Subject, both texts and attachments of a mail."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def message_id(op: str, sender: str) -> str:
    """Return the Message-ID, derived from the operation's mark, so a restored ledger derives the same."""
    return f"<syncd.{op}@{domain_of(sender) or 'localhost'}>"


def message(envelope: Envelope, body: Body) -> bytes:
    """Return the whole message in ASCII, with CRLF line ends."""
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
    # RFC 3834: asks mail programs not to answer automatically
    mail["Auto-Submitted"] = "auto-generated"
    # Exchange ignores Auto-Submitted and would answer with a note of absence
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(body.text, cte="quoted-printable")
    mail.add_alternative(body.html, subtype="html", cte="quoted-printable")
    for attachment in body.attachments:
        mail.add_attachment(
            attachment.text,
            subtype=attachment.kind,
            filename=attachment.name,
            cte="base64",
            params={"method": attachment.method} if attachment.method else None,
        )
    return mail.as_bytes()


def domain_of(sender: str) -> str:
    """Return the part behind the `@` of an address, in lower case; the address may have a name before it."""
    return parseaddr(sender)[1].rpartition("@")[2].casefold()


def is_reserved(address: str) -> bool:
    """Return True if no person can have the address, because its domain is reserved (RFC 2606)."""
    domain = domain_of(address).rstrip(".")
    is_example = any(domain == example or domain.endswith(f".{example}") for example in _EXAMPLES)
    return is_example or domain.rpartition(".")[2] in RESERVED
