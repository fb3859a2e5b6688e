"""The last check before the first byte of a write, and the reset of a request that is given up."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from remote.conftest import StillClock
from remote.raw import RawServer, says
from remote.smtp import MailServer
from syncd.remote.errors import TooLate
from syncd.remote.http.deadline import Flight, Limits, end_all
from syncd.remote.http.departure import departing
from syncd.remote.http.transport import Transport
from syncd.remote.mail import SmtpMail

Sessions = Callable[..., requests.Session]


@pytest.fixture
def asked() -> list[float | None]:
    return []


@pytest.fixture
def fenced(clock: StillClock, asked: list[float | None]) -> Transport:
    """A transport of a process that may not write any more."""

    def why_not(claimed_at: float | None) -> str | None:
        asked.append(claimed_at)
        return "another daemon leads"

    return Transport(clock, limits=Limits(connect=5, whole=5), why_not_send=why_not)


def test_no_byte_of_a_write_leaves_a_process_that_may_not_write(
    session: Sessions, fenced: Transport, asked: list[float | None]
) -> None:
    with RawServer(says({})) as server:
        with pytest.raises(TooLate, match="another daemon leads"), departing(77.0):
            session(server.url, through=fenced).post(f"{server.url}/incidents", data=b"{}")
        assert server.requests == []
        assert asked == [77.0]
        # the connection without its request is gone, and the next request has one of its own
        assert session(server.url, through=fenced).get(f"{server.url}/incidents").status_code == 200
    assert len(server.requests) == 1


def test_a_write_that_belongs_to_no_claim_is_checked_too(
    session: Sessions, fenced: Transport, asked: list[float | None]
) -> None:
    with RawServer(says({})) as server, pytest.raises(TooLate):
        session(server.url, through=fenced).post(f"{server.url}/incidents", data=b"{}")
    assert (server.requests, asked) == ([], [None])


def test_no_message_leaves_a_process_that_may_not_write(fenced: Transport) -> None:
    server = MailServer()
    try:
        mail = SmtpMail(fenced, "127.0.0.1", server.port, security="none")
        with pytest.raises(TooLate):
            mail.send("a@example.com", "b@example.com", b"Subject: x\r\n\r\nx")
        assert server.messages == []
    finally:
        server.end()


def test_nothing_can_stop_a_process_between_the_last_check_and_the_body(
    session: Sessions, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[bytes] = []

    def send(connection: http.client.HTTPConnection, data: bytes) -> None:
        steps.append(data)
        whole(connection, data)

    def why_not(_claimed_at: float | None) -> None:
        steps.append(b"checked")

    whole = http.client.HTTPConnection.send
    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    transport = Transport(clock, limits=Limits(connect=5, whole=5), why_not_send=why_not)
    with RawServer(says({})) as server:
        for body in (b'{"a": 1}', '{"a": 1}'):
            session(server.url, through=transport).post(f"{server.url}/incidents", data=body)
    assert [steps[0], steps[2]] == [b"checked"] * 2
    for request in (steps[1], steps[3]):
        assert request.startswith(b"POST /incidents HTTP/1.1\r\n")
        assert request.endswith(b'\r\n\r\n{"a": 1}')
    assert len(steps) == 4


@pytest.fixture
def wires() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    with near, far:
        yield near, far


def test_bytes_that_the_kernel_still_holds_never_arrive_after_a_request_was_given_up(
    wires: tuple[socket.socket, socket.socket],
) -> None:
    near, far = wires
    near.setblocking(False)
    held = 0
    with pytest.raises(BlockingIOError):
        while True:
            held += near.send(b"x" * 65536)
    begun, over = threading.Event(), threading.Event()

    def fly() -> None:
        with Flight(Limits(connect=60, whole=60)) as flight:
            flight.holds(near)
            flight.leaves()
            begun.set()
            over.wait(10)

    flying = threading.Thread(target=fly)
    flying.start()
    begun.wait(10)
    end_all()
    over.set()
    flying.join()
    near.close()
    with pytest.raises(ConnectionResetError):
        while held:
            got = far.recv(65536)
            assert got, "the connection ended in order, after all bytes"
            held -= len(got)
