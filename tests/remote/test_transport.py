"""What the transport makes of servers that answer, refuse, cut, trickle and vanish."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
import requests

from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.connection import POOLS
from syncd.remote.http.counts import Asked, Counts
from syncd.remote.http.deadline import NoFlightError
from syncd.remote.http.transport import ForeignHost, Transport

from .conftest import StillClock
from .raw import RawServer, Step, answer, hangs, resets, says, trickles, writes

Sessions = Callable[..., requests.Session]


def failure(session: requests.Session, method: str, url: str) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        session.request(method, url)
    return caught.value


def test_a_json_answer_comes_back_read(session: Sessions) -> None:
    with RawServer(says({"more": False})) as server:
        response = session(server.url).get(f"{server.url}/incidents")
    assert response.json() == {"more": False}
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (301, NotDone, Cause.REDIRECT),
        (302, NotDone, Cause.REDIRECT),
        (307, NotDone, Cause.REDIRECT),
        (400, NotDone, Cause.REJECTED),
        (401, NotDone, Cause.CREDENTIALS),
        (402, NotDone, Cause.FORBIDDEN),
        (403, NotDone, Cause.FORBIDDEN),
        (404, NotDone, Cause.MISSING),
        (405, NotDone, Cause.REJECTED),
        (408, Unknown, Cause.SERVER),
        (409, NotDone, Cause.CONFLICT),
        (410, NotDone, Cause.MISSING),
        (413, NotDone, Cause.REJECTED),
        (418, Unknown, Cause.BROKEN),
        (422, NotDone, Cause.REJECTED),
        (429, NotDone, Cause.LIMITED),
        (500, Unknown, Cause.SERVER),
        (502, Unknown, Cause.SERVER),
        (503, Unknown, Cause.SERVER),
        (504, Unknown, Cause.SERVER),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_status_is_sorted_and_sent_once(
    session: Sessions, status: int, kind: type[RemoteError], cause: Cause, method: str
) -> None:
    with RawServer(says({}, status=status, headers=[("Location", "http://127.0.0.1:9/x")])) as server:
        error = failure(session(server.url), method, f"{server.url}/incidents")
    assert (type(error), error.cause, error.status) == (kind, cause, status)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 500])
@pytest.mark.parametrize("content", [b"Access denied by policy", b"<html>no</html>", b"null", b'"no"', b"[]"])
def test_the_words_of_a_proxy_prove_nothing(session: Sessions, status: int, content: bytes) -> None:
    plain = [("Content-Type", "text/plain")]
    with RawServer(says(status=status, headers=plain, raw=content)) as server:
        error = failure(session(server.url), "GET", f"{server.url}/incidents")
    assert (error.in_words, error.of_one_object, error.not_for_us, error.message) == (False,) * 3 + ("",)


def test_what_jira_is_known_to_write_as_plain_text_counts_as_its_words(session: Sessions) -> None:
    plain = [("Content-Type", "text/plain;charset=UTF-8")]
    with RawServer(says(status=403, headers=plain, raw=b"XSRF check failed")) as server:
        error = failure(session(server.url), "POST", f"{server.url}/incidents")
    assert (error.message, error.in_words, error.of_one_object) == ("XSRF check failed", True, True)


def test_a_redirect_is_never_followed_and_names_only_the_host(session: Sessions) -> None:
    with RawServer(says({"is": "the other"})) as other:
        location = f"{other.url}/login?return=secret-thing"
        with RawServer(says(None, status=302, headers=[("Location", location)])) as server:
            error = failure(session(server.url), "GET", f"{server.url}/incidents")
    assert other.requests == []
    assert other.url in error.message
    assert "secret-thing" not in str(error)


def test_another_host_is_refused_before_anything_leaves(session: Sessions) -> None:
    with RawServer(says({})) as server, RawServer(says({})) as other:
        error = failure(session(server.url), "GET", f"{other.url}/incidents")
    assert isinstance(error, ForeignHost)
    assert other.requests == []
    assert other.connections == 0


def test_nobody_listening_is_not_done(session: Sessions) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = failure(session(url), "POST", f"{url}/incidents")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert error.message == "Connection refused"


def test_a_name_that_does_not_resolve_is_not_done(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("NO_PROXY", "*")
    error = failure(session("https://jira.example"), "POST", "https://jira.example/rest/api/2/issue")
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)
    assert "resolved" in error.message


def test_a_connection_that_is_not_accepted_in_time_is_not_done(session: Sessions, hurried: Transport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}"
        error = failure(session(url, through=hurried), "POST", f"{url}/incidents")
        for connection in waiting:
            connection.close()
    assert (type(error), error.cause) == (NotDone, Cause.UNREACHABLE)


@pytest.mark.parametrize(
    "step",
    [
        hangs,
        trickles(answer({"never": "comes"}), 0.05),
        trickles(b"HTTP/1.1 200 X\r\n" + b"X-Long: 1\r\n" * 200, 0.02),
        lambda wire, stop: (
            bool(wire.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n{"))
            or trickles(b" " * 5000, 0.02)(wire, stop)
        ),
        lambda wire, stop: (
            bool(wire.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"))
            or trickles(b"1\r\n \r\n" * 500, 0.02)(wire, stop)
        ),
        lambda wire, stop: (
            bool(wire.sendall(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n"))
            or trickles(b" " * 5000, 0.02)(wire, stop)
        ),
    ],
    ids=["noise_rule", "status", "headers", "body", "chunks", "body until closed"],
)
def test_a_request_ends_at_its_deadline_whatever_trickles(
    session: Sessions, hurried: Transport, step: Step
) -> None:
    with RawServer(step) as server:
        error = failure(session(server.url, through=hurried), "POST", f"{server.url}/incidents")
    assert (type(error), error.cause) == (Unknown, Cause.TIMEOUT)
    assert len(server.requests) == 1


def test_a_request_that_the_server_does_not_take_ends_at_its_deadline(
    session: Sessions, hurried: Transport
) -> None:
    def reads_nothing(wire: socket.socket, stop: object) -> bool:
        raise AssertionError("never reached")

    with RawServer(reads_nothing) as server:
        server._read = lambda wire: server.stop.wait(5) and None  # type: ignore[assignment, method-assign]
        with pytest.raises(Unknown) as caught:
            session(server.url, through=hurried).post(f"{server.url}/incidents", data=b"x" * 30_000_000)
    assert caught.value.cause is Cause.TIMEOUT


def test_nothing_can_be_sent_without_a_deadline() -> None:
    with RawServer(says({})) as server:
        pool = POOLS["http"]("127.0.0.1", server.port)
        with pytest.raises(NoFlightError):
            pool.urlopen("GET", "/incidents", retries=False)
        pool.close()
    assert server.connections == 0


@pytest.mark.parametrize(
    ("step", "method"),
    [
        (resets, "POST"),
        (writes(), "POST"),
        (writes(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"), "GET"),
        (writes(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), "GET"),
        (writes(b"HTTP/1.1 201 X\r\nConnection: close\r\n\r\n{\"id\": "), "POST"),
        (writes(b"no http at all\r\n\r\n"), "POST"),
        (says(raw=b"<html>Sign in</html>"), "GET"),
        (says(raw=b"<html>Sign in</html>", status=201), "POST"),
        (says(), "GET"),
        (says(status=201), "POST"),
        (says(raw=b"\x1f\x8bnonsense", headers=[("Content-Encoding", "gzip")]), "GET"),
    ],
    ids=["reset", "closed", "cut", "cut chunk", "cut without length", "no http", "html", "html 201", "empty",
         "empty 201", "bad gzip"],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown_and_sent_once(session: Sessions, step: Step, method: str) -> None:
    with RawServer(step) as server:
        error = failure(session(server.url), method, f"{server.url}/incidents")
    assert (type(error), error.cause) == (Unknown, Cause.BROKEN)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (rb'{"title": "a\ud800b"}', "a\N{REPLACEMENT CHARACTER}b"),
        (b'{"title": "a\xed\xa0\x80b"}', "a\N{REPLACEMENT CHARACTER}b"),
        (rb'{"title": "a\u0000b"}', "a\N{REPLACEMENT CHARACTER}b"),
        (rb'{"title": "\ud83d\ude00"}', "\N{GRINNING FACE}"),
        ('{"title": "\N{GRINNING FACE} \N{BULLET}"}'.encode(), "\N{GRINNING FACE} \N{BULLET}"),
    ],
    ids=["half surrogate", "half surrogate in bytes", "nul", "whole pair", "plain"],
)
def test_characters_that_nothing_takes_are_replaced(session: Sessions, raw: bytes, read: str) -> None:
    with RawServer(says(raw=b'{"incidents": [' + raw + b"]}")) as server:
        answered = session(server.url).get(f"{server.url}/incidents")
    assert answered.json() == {"incidents": [{"title": read}]}


def test_json_without_a_bottom_is_unknown(session: Sessions) -> None:
    with RawServer(says(raw=b"[" * 200_000)) as server:
        error = failure(session(server.url), "POST", f"{server.url}/incidents")
    assert (type(error), error.cause) == (Unknown, Cause.BROKEN)


def test_no_content_is_an_answer(session: Sessions) -> None:
    with RawServer(says(status=204)) as server:
        assert session(server.url).put(f"{server.url}/incidents").json() is None


@pytest.mark.parametrize(
    "method, path", [("POST", "issueLink"), ("POST", "issue/1/transitions"), ("PUT", "issue/1")]
)
def test_jira_writes_that_answer_nothing_are_done(session: Sessions, method: str, path: str) -> None:
    with RawServer(says(status=201)) as server:
        answered = session(server.url).request(method, f"{server.url}/rest/api/2/{path}")
    assert answered.json() is None


def test_a_session_works_again_after_a_deadline(session: Sessions, brisk: Transport) -> None:
    with RawServer(hangs, says({"again": True})) as server:
        http = session(server.url, through=brisk)
        failure(http, "GET", f"{server.url}/incidents")
        assert http.get(f"{server.url}/incidents").json() == {"again": True}


def test_tokens_never_stand_in_an_error(session: Sessions) -> None:
    body = {"error": {"message": "Token token=s3cr3t\nis bad", "errors": ["s3cr3t"]}, "code": 2006}
    with RawServer(says(body, status=401)) as server:
        http = session(server.url, secrets=("s3cr3t",))
        http.headers["Authorization"] = "Token token=s3cr3t"
        error = failure(http, "GET", f"{server.url}/incidents?token=s3cr3t")
    assert "s3cr3t" not in repr(vars(error)) + str(error)
    assert error.message == "Token token=*** is bad; ***"
    assert error.__cause__ is None
    assert error.__context__ is None


def test_requests_are_counted_by_pattern_and_outcome(
    session: Sessions, transport: Transport, clock: StillClock
) -> None:
    def after(seconds: float, step: Step) -> Step:
        def late(wire: socket.socket, stop: threading.Event) -> bool:
            clock.advance(seconds)
            return step(wire, stop)

        return late

    steps = after(1, says({})), after(2, says({}, status=500)), after(3, says({}))
    with RawServer(*steps) as server:
        http = session(server.url)
        http.get(f"{server.url}/rest/api/2/issue/OPS-1/comment?startAt=3")
        failure(http, "GET", f"{server.url}/rest/api/2/issue/10002/comment")
        http.get(f"{server.url}/rest/api/2/issue/OPS-77/comment")
    counted = transport.counts.snapshot()
    kind = ("jira", "GET", "/issue/{id}/comment")
    assert {asked: tally.requests for asked, tally in counted.items()} == {
        Asked(*kind, "ok"): 2,
        Asked(*kind, "server"): 1,
    }
    assert [counted[Asked(*kind, outcome)].seconds for outcome in ("ok", "server")] == [4, 2]


def test_the_services_clock_is_compared_with_ours(
    session: Sessions, transport: Transport, clock: StillClock
) -> None:
    assert transport.skew("jira") is None
    with RawServer(says({}, headers=[("Date", "Sun, 22 Nov 2026 09:02:30 GMT")])) as server:
        session(server.url).get(f"{server.url}/incidents")
    assert transport.skew("jira") == 150.0
    assert transport.skew("pagerduty") is None


def test_counts_of_many_threads_add_up() -> None:
    counts = Counts()
    asked = Asked("jira", "GET", "/myself", "ok")
    threads = [
        threading.Thread(target=lambda: [counts.add(asked, 0.5) for _ in range(500)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.snapshot() == {asked: (4000, 2000.0)}
