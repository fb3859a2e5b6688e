"""Strangers at the listener: silent, slow and forging ones take nobody's place and fill no log."""

from __future__ import annotations

import asyncio
import resource
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
import requests
from rig import Rig
from waiting import wait_for

from syncd.web import app, server
from syncd.web.receive import LOOK_EVERY, SPREAD
from web.test_listener import Web, pagerduty, trigger

SILENT = 700
"""Silent connections; far more than the listener has places."""


@pytest.fixture
def strangers() -> Iterator[Callable[[Web, bytes], socket.socket]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * SILENT)), hard))
    connections: list[socket.socket] = []

    def connect(web: Web, first: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", web.listener.port))
        connections.append(connection)
        with suppress(OSError):
            connection.sendall(first)
        return connection

    yield connect
    for connection in connections:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "begun", [b"", b"POST /webhooks/pagerduty HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
)
def test_hundreds_of_silent_connections_take_no_webhook_s_place(
    house: Rig, web_of: Callable[..., Web], strangers: Callable[[Web, bytes], socket.socket], begun: bytes
) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    for _ in range(SILENT):
        strangers(web, begun)
    assert web.send("pagerduty", pagerduty(incident)).text == "used\n"
    assert web.get("/readyz").status_code == 200
    assert len(web.listener.places) <= server.MOST_AT_ONCE


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_crowd_of_new_connections_takes_few_descriptors(
    web_of: Callable[..., Web],
    strangers: Callable[[Web, bytes], socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_AT_ONCE", 8)
    opened: list[int] = []
    crowded = Event()
    made = server.GuardedProtocol.connection_made

    def count(protocol: server.GuardedProtocol, transport: asyncio.Transport) -> None:
        # the event loop is busy until all stand before the door
        assert crowded.wait(60)
        opened.append(open_files())
        made(protocol, transport)

    monkeypatch.setattr(server.GuardedProtocol, "connection_made", count)
    web = web_of()
    connections = [strangers(web, b"") for _ in range(200)]
    before = open_files()
    crowded.set()
    assert wait_for(lambda: len(opened) >= len(connections))
    assert max(opened) <= before + 8 + 4 * server.ACCEPTED_AT_ONCE
    assert web.get("/healthz").status_code == 200


def test_large_bodies_of_strangers_take_little_memory_and_no_webhook_s_place(
    house: Rig,
    web_of: Callable[..., Web],
    strangers: Callable[[Web, bytes], socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "MOST_BODIES", 2 * app.SMALL_BODY)
    web = web_of()
    incident = trigger(house)
    house.cycle()
    length = 3 * app.SMALL_BODY
    head = b"POST /webhooks/pagerduty HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % length
    unsigned = strangers(web, head + b"\r\n" + b" " * (app.SMALL_BODY + 1))
    unsigned.settimeout(60)
    assert unsigned.recv(100).startswith(b"HTTP/1.1 401")
    signed = head + b"X-PagerDuty-Signature: v1=00\r\n\r\n"
    connections = [strangers(web, signed + b" " * (app.SMALL_BODY + 1)) for _ in range(2)]
    answered, _, _ = select.select(connections, [], [], 60)
    assert answered[0].recv(100).startswith(b"HTTP/1.1 503")
    assert web.send("pagerduty", pagerduty(incident)).text == "used\n"


def test_a_request_that_never_ends_is_closed_at_its_deadline(
    house: Rig,
    web_of: Callable[..., Web],
    strangers: Callable[[Web, bytes], socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "REQUEST_WITHIN", 0.2)
    web = web_of()
    for first in (
        b"",
        b"GET /heal",
        b"POST /webhooks/jira HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{",
    ):
        connection = strangers(web, first)
        connection.settimeout(60)
        assert connection.recv(10) == b""
    # also on a connection that was used before
    connection = strangers(web, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.settimeout(60)
    assert connection.recv(1000).startswith(b"HTTP/1.1 404")
    connection.sendall(b"GET /nothing HT")
    assert wait_for(lambda: connection.recv(1000) == b"")


def test_many_forged_deliveries_are_one_line_a_minute(
    house: Rig, web_of: Callable[..., Web], log: list[str]
) -> None:
    web = web_of()
    with requests.Session() as session:
        for _ in range(40):
            answer = session.post(f"{web.url}/webhooks/pagerduty", data=b"{}", timeout=30)
            assert answer.status_code == 401
    assert len([line for line in log if "without a valid signature" in line]) == 1
    house.world.advance(61)
    requests.post(f"{web.url}/webhooks/pagerduty", data=b"{}", timeout=30)
    assert len([line for line in log if "without a valid signature" in line]) == 2


def test_bytes_that_are_no_http_are_no_lines(
    house: Rig, web_of: Callable[..., Web], strangers: Callable[[Web, bytes], socket.socket], log: list[str]
) -> None:
    web = web_of()
    log.clear()
    for _ in range(20):
        connection = strangers(web, b"\x16\x03\x01 no http\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert log == []


def test_a_length_that_is_given_twice_closes_the_connection(
    house: Rig, web_of: Callable[..., Web], strangers: Callable[[Web, bytes], socket.socket]
) -> None:
    web = web_of()
    head = (
        b"POST /webhooks/jira HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    connection = strangers(web, head + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.settimeout(60)
    answers = b""
    while piece := connection.recv(1000):
        answers += piece
    assert answers.count(b"HTTP/1.1") == 1
    assert answers.startswith(b"HTTP/1.1 400")


def test_two_hundred_webhooks_about_one_incident_are_one_look_a_second(
    house: Rig, web_of: Callable[..., Web]
) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    for number in range(50):
        assert web.send("pagerduty", pagerduty(incident, title=f"{number}")).text == "used\n"
    assert web.handed == [incident]
    web.receiver.tick()
    assert web.handed == [incident]
    house.world.advance(LOOK_EVERY + SPREAD)
    web.receiver.tick()
    web.receiver.tick()
    assert web.handed == [incident] * 2
    house.world.advance(60)
    web.receiver.tick()
    assert web.handed == [incident] * 2
