"""Send e-mail over SMTP, or write it to files where no host is set: one message, one recipient, one
connection.

A message has one recipient, because a server may accept some recipients and refuse others. A message counts
as not done until its last line leaves; from then to the server's answer its outcome is unknown. A clear
refusal means not done: 4xx as LIMITED (later), 5xx as REJECTED. A refusal before the recipient is named
concerns the whole server, not the message.
"""

from __future__ import annotations

import base64
import hashlib
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.connection import dial
from syncd.remote.http.counts import Asked
from syncd.remote.http.deadline import Flight, current
from syncd.remote.http.departure import departure
from syncd.remote.http.failures import Secrets, root
from syncd.remote.http.transport import Transport

SERVICE = "mail"
Security = Literal["none", "starttls", "tls"]

_ADDRESS = re.compile(r"[^\s<>\"(),:;@\\\x00-\x1f\x7f]+@[A-Za-z0-9.-]+", re.ASCII)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_GO_ON = 354
_CLOSING = 421
_WRONG_CREDENTIALS = (530, 534, 535, 538)


class Mail(Protocol):
    """A mail client: it sends one message to one recipient."""

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Send a finished message; the bytes leave as they are, so that a second sending is the same message.

        Raise `NotDone` where no server accepted it (LIMITED: try again later; REJECTED: never for this
        address or message), `Unknown` where a server may have accepted it.
        """
        ...


class SmtpMail:
    """Sends messages to one SMTP server; safe to use from any thread."""

    def __init__(
        self,
        transport: Transport,
        host: str,
        port: int,
        *,
        security: Security = "starttls",
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        """Set the server; `tls` means TLS from the first byte, `starttls` insists on STARTTLS first."""
        self._transport = transport
        self._host = host
        self._port = port
        self._security = security
        self._login = (username, password or "") if username else None
        self._tls = None if security == "none" else ssl.create_default_context(cafile=ca_file)
        both = "\0".join(("", username or "", password or ""))
        encoded = [base64.b64encode(text.encode()).decode() for text in (password or "", both)]
        self._secrets = Secrets([password or "", *encoded] if password else [])

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Send one message within one deadline; raise `NotDone` or `Unknown`."""
        for address in (sender, recipient):
            if not _ADDRESS.fullmatch(address):
                raise NotDone(SERVICE, "SEND", Cause.REJECTED, "the address is not valid")
        clock = self._transport.clock
        began = clock.boottime()
        departs = departure(self._transport.why_not_send, SERVICE, "SEND")
        with Flight(self._transport.limits, departs) as flight:
            flight.connects()
            failure = self._try(flight, sender, recipient, message)
        outcome = failure.cause.value if failure else "ok"
        self._transport.counts.add(Asked(SERVICE, "SEND", "message", outcome), clock.boottime() - began)
        if failure is None:
            self._transport.budget.answered(SERVICE)
            return
        # a full mailbox tells nothing about the mail server
        if failure.cause is Cause.LIMITED and failure.scope == "service":
            self._transport.budget.refused(SERVICE, None)
        raise failure

    def _try(self, flight: Flight, sender: str, recipient: str, message: bytes) -> RemoteError | None:
        server = None
        try:
            server = _Conversation(self._host, self._port, self._tls if self._security == "tls" else None)
            self._introduce(server)
            return self._hand_over(server, flight, sender, recipient, message)
        except smtplib.SMTPResponseException as error:
            # once the message left, an answer that cannot be read is no refusal of it
            if flight.sent:
                return self._break(flight, error)
            return self._refusal(error.smtp_code, error.smtp_error, whole_server=True)
        except (OSError, ValueError) as error:
            return self._break(flight, error)
        finally:
            if server is not None:
                server.close()

    def _introduce(self, server: _Conversation) -> None:
        server.ehlo_or_helo_if_needed()
        if self._security == "starttls":
            server.starttls(context=self._tls)
            server.named()
            server.ehlo_or_helo_if_needed()
        if self._login:
            server.login(*self._login)

    def _hand_over(
        self, server: _Conversation, flight: Flight, sender: str, recipient: str, message: bytes
    ) -> RemoteError | None:
        eight_bits = not message.isascii() and server.has_extn("8bitmime")
        code, words = server.mail(sender, ["BODY=8BITMIME"] if eight_bits else [])
        if code // 100 != 2:
            return self._refusal(code, words)
        code, words = server.rcpt(recipient)
        if code // 100 != 2:
            return self._refusal(code, words)
        code, words = server.docmd("DATA")
        if code != _GO_ON:
            return self._refusal(code, words)
        flight.commits()
        server.send(_quoted(message))
        code, words = server.getreply()
        if code // 100 != 2:
            return self._refusal(code, words, sent=True)
        # nothing after this can take the message back
        with suppress(OSError):
            server.putcmd("quit")
        return None

    def _refusal(
        self, code: int, words: bytes | str, *, whole_server: bool = False, sent: bool = False
    ) -> RemoteError:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        # a server that answers outside of the protocol may have taken the message
        if code not in range(400, 600):
            kind = Unknown if sent else NotDone
            return kind(SERVICE, "SEND", Cause.BROKEN, self._secrets.mask(text))
        if code in _WRONG_CREDENTIALS:
            cause = Cause.CREDENTIALS
        elif code < 500:
            cause = Cause.LIMITED
        else:
            cause = Cause.UNREACHABLE if whole_server else Cause.REJECTED
        return self._not_done(cause, text, code, whole_server=whole_server or code == _CLOSING)

    def _break(self, flight: Flight, error: Exception) -> RemoteError:
        late = flight.expired or root(error) == "timed out"
        words = str(error) if isinstance(error, smtplib.SMTPException) else root(error)
        why = self._secrets.mask("no answer in time" if late else words)
        if flight.sent:
            return Unknown(SERVICE, "SEND", Cause.TIMEOUT if late else Cause.BROKEN, why)
        return self._not_done(Cause.UNREACHABLE, why)

    def _not_done(
        self, cause: Cause, why: str, code: int | None = None, *, whole_server: bool = True
    ) -> NotDone:
        scope = ("service" if whole_server else "message") if cause is Cause.LIMITED else ""
        return NotDone(SERVICE, "SEND", cause, self._secrets.mask(why), status=code, scope=scope)


class _Conversation(smtplib.SMTP):
    """A connection within this thread's flight, with TLS from the start if a context is given."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._from_the_start = tls
        # smtplib would look its own name up, which has no deadline
        super().__init__(host, port, local_hostname=_own_name())

    def _get_socket(self, host: str, port: int, timeout: object) -> socket.socket:
        wire = dial(host, port)
        if self._from_the_start:
            wire = self._from_the_start.wrap_socket(wire, server_hostname=host)
        flight = current()
        flight.holds(wire)
        flight.begins()
        wire.settimeout(flight.limits.whole)
        return wire

    def named(self) -> None:
        """Register the new socket after STARTTLS with the flight."""
        if self.sock is not None:
            current().holds(self.sock)


class FolderMail:
    """Writes messages as `.eml` files where no server is set; nobody receives them."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Write one file that only syncd's user can read; the same message to the same person is one file."""
        digest = hashlib.sha256(recipient.encode() + b"\0" + message).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(self._folder.glob(f"*-{digest}.eml")):
            return
        target = self._folder / f"{self._clock.now():%Y%m%dT%H%M%SZ}-{digest}.eml"
        # a reader of the folder never sees half a message
        draft = target.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_bytes(message)
        draft.rename(target)


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _quoted(message: bytes) -> bytes:
    """Return the bytes of the DATA phase: CRLF line ends, leading dots doubled, the final dot."""
    lines = _LEADING_DOT.sub(b"..", _LINE_END.sub(b"\r\n", message))
    return lines + (b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n")
