"""A mail server on loopback that keeps every mail, and that refuses or loses answers when told to.

A letter is a mail as it arrived: envelope and bytes. It counts as accepted as soon as its text has arrived,
even if the sender never gets the answer: a sender with a lost answer cannot know it. The sandbox's clock
dates the letters.
"""

import asyncio
import re
import ssl
import threading
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from syncd.sandbox.clock import Clock

Stage = Literal["mail", "rcpt", "data"]
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Letter:
    """An accepted mail: envelope, raw bytes, time of arrival (UTC)."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: datetime

    @property
    def message(self) -> EmailMessage:
        """Return the letter as a message with headers and parts."""
        return message_from_bytes(self.content, policy=policy.default)


@dataclass
class _Refusal:
    stage: Stage
    answer: str
    address: str | None
    times: int | None

    def strikes(self, stage: Stage, addresses: list[str]) -> bool:
        if self.stage != stage or self.times == 0:
            return False
        if self.address is not None and not any(re.search(self.address, name) for name in addresses):
            return False
        # None means for ever, so there is nothing to count down.
        if self.times is not None:
            self.times -= 1
        return True


class _Hooks:
    """The steps of an SMTP session at which the sandbox may refuse; aiosmtpd looks for these method names."""

    def __init__(self, box: "MailSandbox") -> None:
        self.box = box

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # aiosmtpd offers AUTH but does not demand it.
        if self.box.credentials and not session.authenticated:
            return "530 Authentication required"
        if refused := self.box.refused("mail", [address]):
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := self.box.refused("rcpt", [address]):
            return refused
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        recipients = [str(address) for address in envelope.rcpt_tos]
        if refused := self.box.refused("data", recipients):
            return refused
        content = envelope.original_content or b""
        self.box.take(Letter(envelope.mail_from or "", tuple(recipients), content, self.box.clock()))
        # The letter is already kept: the sender sees a broken connection and cannot know it.
        if self.box.answer_is_lost() and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]  # sockets' transports have it
        return "250 Taken"


class MailSandbox:
    """The mail server, while the `with` block lasts or until `stop`."""

    def __init__(
        self,
        clock: Clock,
        *,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
    ) -> None:
        """Ask for `credentials` (name, password) if given; use `tls` from the first byte, or by STARTTLS."""
        self.clock = clock
        self.credentials = credentials
        self.host = HOST
        self.port = 0
        self._tls, self._starttls = tls, starttls
        self._letters: list[Letter] = []
        self._refusals: list[_Refusal] = []
        self._lost = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def letters(self) -> list[Letter]:
        """Return the accepted letters, oldest first."""
        with self._lock:
            return list(self._letters)

    def to(self, address: str) -> list[Letter]:
        """Return the letters to one recipient, oldest first."""
        return [letter for letter in self.letters if address in letter.recipients]

    def refuse_temporarily(
        self, *, stage: Stage = "rcpt", address: str | None = None, times: int | None = 1, code: int = 451
    ) -> None:
        """Refuse for now (4xx) addresses that match `address`, so many `times` (None: for ever)."""
        self._refuse(_Refusal(stage, f"{code} Try again later", address, times))

    def refuse_permanently(
        self, *, stage: Stage = "rcpt", address: str | None = None, times: int | None = None, code: int = 550
    ) -> None:
        """Refuse for good (5xx), with the same arguments as `refuse_temporarily`."""
        self._refuse(_Refusal(stage, f"{code} No such mailbox", address, times))

    def lose_answers(self, times: int = 1) -> None:
        """Accept the next letters, and end the connection instead of answering."""
        with self._lock:
            self._lost = times

    def behave(self) -> None:
        """Take back every refusal and every loss."""
        with self._lock:
            self._refusals.clear()
            self._lost = 0

    def _refuse(self, refusal: _Refusal) -> None:
        with self._lock:
            self._refusals.append(refusal)

    def refused(self, stage: Stage, addresses: list[str]) -> str | None:
        """Return the answer of the first refusal that applies, or None."""
        with self._lock:
            return next((row.answer for row in self._refusals if row.strikes(stage, addresses)), None)

    def take(self, letter: Letter) -> None:
        """Keep a letter."""
        with self._lock:
            self._letters.append(letter)

    def answer_is_lost(self) -> bool:
        """Return True if this answer is to be lost, and count it."""
        with self._lock:
            # A bool counts as 1, so each lost answer reduces the rest by one.
            lost = self._lost > 0
            self._lost -= lost
            return lost

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.credentials, handled=False)

    def _session(self) -> SMTP:
        return SMTP(
            _Hooks(self),
            hostname="mail.sandbox.example",
            enable_SMTPUTF8=True,
            loop=self._loop,
            tls_context=self._starttls,
            require_starttls=self._starttls is not None,
            auth_require_tls=False,
            authenticator=self._authenticate,
        )

    def start(self) -> "MailSandbox":
        """Listen on a free port, or on the former port after a `stop`."""
        loop = self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run() -> None:
            asyncio.set_event_loop(loop)
            server = loop.run_until_complete(
                loop.create_server(self._session, HOST, self.port, ssl=self._tls)
            )
            self.port = int(server.sockets[0].getsockname()[1])
            # Set only once the loop runs: `start` returns when the first sender is served.
            loop.call_soon(ready.set)
            loop.run_forever()
            server.close()
            # End the open sessions, or closing the loop would warn about pending tasks.
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        self._thread = threading.Thread(target=run, name="sandbox-mail", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the sandbox's mail server did not start")
        return self

    def stop(self) -> None:
        """Stop listening and end open connections."""
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    def __enter__(self) -> "MailSandbox":
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
