"""One message, one recipient, one connection: when it counts as sent, as not sent, and as neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.counts import Asked
from syncd.remote.http.transport import Transport
from syncd.remote.mail import FolderMail, SmtpMail

from .conftest import StillClock
from .smtp import CLOSE, HANG, PEM, MailServer

MESSAGE = b"Subject: due\r\n\r\nA line\n.\n.dotted\r\n\r\nthe end"


@pytest.fixture
def servers() -> Iterator[list[MailServer]]:
    made: list[MailServer] = []
    yield made
    for server in made:
        server.end()


def refused(server: MailServer, transport: Transport, **more: object) -> RemoteError:
    mail = SmtpMail(transport, "127.0.0.1", server.port, **{"security": "none", **more})  # type: ignore[arg-type]
    with pytest.raises(RemoteError) as caught:
        mail.send("syncd@company.example", "ada@company.example", MESSAGE)
    return caught.value


def test_a_message_arrives_as_it_was_written(servers: list[MailServer], transport: Transport) -> None:
    servers.append(server := MailServer())
    mail = SmtpMail(transport, "127.0.0.1", server.port, security="none")
    mail.send("syncd@company.example", "ada@company.example", MESSAGE)
    assert server.messages == [b"Subject: due\r\n\r\nA line\r\n..\r\n..dotted\r\n\r\nthe end\r\n"]
    assert "mail FROM:<syncd@company.example>" in server.heard
    assert [line for line in server.heard if line.startswith("rcpt")] == ["rcpt TO:<ada@company.example>"]
    assert list(transport.counts.snapshot()) == [Asked("mail", "SEND", "message", "ok")]


@pytest.mark.parametrize(
    ("answers", "kind", "cause"),
    [
        ({"greeting": "554 go away"}, NotDone, Cause.UNREACHABLE),
        ({"greeting": "421 busy"}, NotDone, Cause.LIMITED),
        ({"greeting": CLOSE}, NotDone, Cause.UNREACHABLE),
        ({"mail": "451 later"}, NotDone, Cause.LIMITED),
        ({"mail": "550 not you"}, NotDone, Cause.REJECTED),
        ({"mail": "530 log in first"}, NotDone, Cause.CREDENTIALS),
        ({"rcpt": "450 greylisted"}, NotDone, Cause.LIMITED),
        ({"rcpt": "550 nobody here"}, NotDone, Cause.REJECTED),
        ({"rcpt": CLOSE}, NotDone, Cause.UNREACHABLE),
        ({"rcpt": "hello?"}, NotDone, Cause.BROKEN),
        ({"data": "554 no"}, NotDone, Cause.REJECTED),
        ({"end": "452 full"}, NotDone, Cause.LIMITED),
        ({"end": "554 spam"}, NotDone, Cause.REJECTED),
        ({"end": CLOSE}, Unknown, Cause.BROKEN),
        ({"end": "hello?"}, Unknown, Cause.BROKEN),
        ({"end": f"250 {'so ' * 4000}"}, Unknown, Cause.BROKEN),
    ],
    ids=lambda name: str(name)[:40] if isinstance(name, dict) else "",
)
def test_refusals_are_sorted(
    servers: list[MailServer],
    transport: Transport,
    answers: dict[str, str],
    kind: type[RemoteError],
    cause: Cause,
) -> None:
    servers.append(server := MailServer(answers))
    error = refused(server, transport)
    assert (type(error), error.cause) == (kind, cause)


@pytest.mark.parametrize(
    ("verb", "kind", "cause"),
    [
        ("greeting", NotDone, Cause.UNREACHABLE),
        ("rcpt", NotDone, Cause.UNREACHABLE),
        ("end", Unknown, Cause.TIMEOUT),
    ],
)
def test_a_silent_server_ends_at_the_deadline(
    servers: list[MailServer], brisk: Transport, verb: str, kind: type[RemoteError], cause: Cause
) -> None:
    servers.append(server := MailServer({verb: HANG}))
    error = refused(server, brisk)
    assert (type(error), error.cause, error.message) == (kind, cause, "no answer in time")


def test_nobody_listening_is_not_done(transport: Transport, servers: list[MailServer]) -> None:
    server = MailServer()
    server.end()
    error = refused(server, transport)
    assert (type(error), error.cause, error.message) == (NotDone, Cause.UNREACHABLE, "Connection refused")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_comes_before_credentials_and_message(
    servers: list[MailServer], transport: Transport, security: str
) -> None:
    servers.append(server := MailServer(tls=security == "tls", offers=("STARTTLS", "AUTH PLAIN")))
    mail = SmtpMail(
        transport,
        "127.0.0.1",
        server.port,
        security=security,  # type: ignore[arg-type]
        username="syncd",
        password="s3cr3t",
        ca_file=str(PEM),
    )
    mail.send("syncd@company.example", "ada@company.example", MESSAGE)
    assert len(server.messages) == 1
    verbs = [line.split()[0].lower() for line in server.heard]
    before = ["ehlo", "starttls", "(tls)"] if security == "starttls" else []
    assert verbs[: len(before) + 3] == [*before, "ehlo", "auth", "mail"]


def test_a_server_without_starttls_gets_nothing(servers: list[MailServer], transport: Transport) -> None:
    servers.append(server := MailServer(offers=("SIZE",)))
    error = refused(server, transport, security="starttls", username="syncd", password="s3cr3t")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert "STARTTLS" in error.message
    assert [line.split()[0] for line in server.heard] == ["ehlo"]


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    servers: list[MailServer], transport: Transport
) -> None:
    servers.append(server := MailServer(offers=("STARTTLS",)))
    error = refused(server, transport, security="starttls")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert error.message.startswith("TLS: ")


def test_wrong_credentials_are_said_without_them(servers: list[MailServer], transport: Transport) -> None:
    words = "535 AHN5bmNkAHMzY3IzdA== s3cr3t is wrong"
    servers.append(server := MailServer({"auth": words}, offers=("AUTH PLAIN",)))
    error = refused(server, transport, username="syncd", password="s3cr3t")
    assert (type(error), error.cause) == (NotDone, Cause.CREDENTIALS)
    assert error.message == "*** *** is wrong"


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@company.example\r\nrcpt TO:<eve@x.example>", "a b@x.example", "<a@x.example>"]
)
def test_what_is_no_address_never_reaches_a_server(
    servers: list[MailServer], transport: Transport, address: str
) -> None:
    servers.append(server := MailServer())
    mail = SmtpMail(transport, "127.0.0.1", server.port, security="none")
    with pytest.raises(NotDone) as caught:
        mail.send("syncd@company.example", address, MESSAGE)
    assert caught.value.cause is Cause.REJECTED
    assert server.heard == []


def test_without_a_server_messages_become_files(tmp_path: Path, clock: StillClock) -> None:
    folder = tmp_path / "mail"
    mail = FolderMail(folder, clock)
    mail.send("syncd@company.example", "ada@company.example", MESSAGE)
    clock.advance(60)
    mail.send("syncd@company.example", "ada@company.example", MESSAGE)
    mail.send("syncd@company.example", "bob@company.example", MESSAGE)
    files = sorted(folder.iterdir())
    assert [file.name[:16] for file in files] == ["20261122T090000Z", "20261122T090100Z"]
    assert {file.read_bytes() for file in files} == {MESSAGE}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
