"""Connections of the transport: kept, proxied, encrypted."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import requests

from remote.test_transport import Sessions, failure
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.http.deadline import Limits
from syncd.remote.http.transport import Transport

from .conftest import StillClock
from .raw import RawServer, Step, hangs, resets, says, trickles, writes


def test_a_thread_keeps_its_connection(session: Sessions) -> None:
    with RawServer(says({})) as server:
        http = session(server.url)
        for _ in range(3):
            http.get(f"{server.url}/incidents")
    assert (server.connections, len(server.requests)) == (1, 3)


def keeps_then(step: Step) -> tuple[Step, Step, Step]:
    """The first answer keeps the connection, the second request on it meets `step`."""
    return says({}), step, says({"second": "try"})


@pytest.mark.parametrize("step", [resets, writes()], ids=["reset", "closed"])
@pytest.mark.parametrize(
    "method, path",
    [("GET", "incidents"), ("POST", "rest/api/2/search/jql"), ("POST", "rest/api/2/issue/bulkfetch")],
)
def test_a_read_on_a_dead_kept_connection_is_tried_once_more(
    session: Sessions, transport: Transport, step: Step, method: str, path: str
) -> None:
    with RawServer(*keeps_then(step)) as server:
        http = session(server.url)
        http.get(f"{server.url}/incidents")
        answered = http.request(method, f"{server.url}/{path}")
    assert answered.json() == {"second": "try"}
    assert (server.connections, len(server.requests)) == (2, 3)
    assert transport.counts.total() == 3


@pytest.mark.parametrize(
    "method, path",
    [("POST", "incidents/P1/notes"), ("POST", "rest/api/2/issue"), ("PUT", "rest/api/2/issue/1")],
)
def test_a_write_on_a_dead_kept_connection_is_unknown(session: Sessions, method: str, path: str) -> None:
    with RawServer(*keeps_then(resets)) as server:
        http = session(server.url)
        http.get(f"{server.url}/incidents")
        error = failure(http, method, f"{server.url}/{path}")
    assert (type(error), error.cause) == (Unknown, Cause.BROKEN)
    assert len(server.requests) == 2


def test_a_read_on_a_fresh_connection_is_not_repeated(session: Sessions) -> None:
    with RawServer(resets, says({})) as server:
        error = failure(session(server.url), "GET", f"{server.url}/incidents")
    assert (type(error), error.cause) == (Unknown, Cause.BROKEN)
    assert len(server.requests) == 1


def test_a_proxy_of_the_environment_carries_the_request_and_its_deadline(
    session: Sessions, brisk: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with RawServer(says({"by": "proxy"}), hangs) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        http = session("http://jira.example", through=brisk)
        assert http.get("http://jira.example/rest/api/2/myself").json() == {"by": "proxy"}
        error = failure(http, "GET", "http://jira.example/rest/api/2/myself")
    assert proxy.requests[0].startswith(b"GET http://jira.example/rest/api/2/myself HTTP/1.1")
    assert (type(error), error.cause) == (Unknown, Cause.TIMEOUT)


@pytest.mark.parametrize(
    "step", [says(status=403), hangs, trickles(b"HTTP/1.1 200 X\r\n" + b"X: 1\r\n" * 99, 0.02)]
)
def test_a_tunnel_that_is_not_made_is_not_done(
    session: Sessions, hurried: Transport, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with RawServer(step) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        http = session("https://jira.example", through=hurried)
        error = failure(http, "POST", "https://jira.example/rest/api/2/issue")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert [request.split(b" ")[:2] for request in proxy.requests] == [[b"CONNECT", b"jira.example:443"]]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    pem = Path(__file__).with_name("loopback.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context


def test_tls_is_verified_and_its_trickle_ends_at_the_deadline(
    clock: StillClock, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    trusted, context = certificate
    transport = Transport(clock, limits=Limits(connect=2, whole=0.6), ca_file=str(trusted))
    with (
        RawServer(says({"fine": 1}), trickles(b" " * 500, 0.02), tls=context) as server,
        requests.Session() as http,
    ):
        transport.mount(http, "jira", server.url, ())
        assert http.get(f"{server.url}/incidents").json() == {"fine": 1}
        error = failure(http, "GET", f"{server.url}/incidents")
    assert (type(error), error.cause) == (Unknown, Cause.TIMEOUT)


def test_a_certificate_that_nobody_vouches_for_is_not_done(
    session: Sessions, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    with RawServer(says({}), tls=certificate[1]) as server:
        error = failure(session(server.url), "POST", f"{server.url}/incidents")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert error.message.startswith("TLS: ")
    assert server.requests == []


def test_a_tls_handshake_that_trickles_is_not_done_in_time(session: Sessions, hurried: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        server = RawServer()

        def handshake() -> None:
            wire, _ = listening.accept()
            with wire:
                wire.sendall(b"\x16\x03\x03\x3f\x00")
                try:
                    trickles(b"\x02" * 500, 0.02)(wire, server.stop)
                except OSError:
                    return

        server._start(handshake)
        error = failure(session(url, through=hurried), "POST", f"{url}/incidents")
        server.stop.set()
        server._threads[0].join(2)
        server._listening.close()
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
