"""What a 429 or a 503 asks for: how long, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests
from requests.structures import CaseInsensitiveDict

from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import UNNAMED_PAUSE, prepaid, slow_lane
from syncd.remote.http.retry_after import retry_after
from syncd.remote.http.routes import route
from syncd.remote.http.transport import Transport

from .conftest import StillClock
from .raw import RawServer, says

Sessions = Callable[..., requests.Session]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "5"}, 5.0),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after": "1847"}, 1847.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:20 GMT"}, 20.0),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:00 GMT"}, 0.0),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:20 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 20.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "99999999"}, 3600.0),
        ({"ratelimit-reset": "20"}, 20.0),
        ({"Retry-After": "soon", "ratelimit-reset": "20"}, 20.0),
        ({"X-RateLimit-Reset": "2026-11-22T09:01:00Z"}, 60.0),
        ({"X-RateLimit-Reset": "2026-11-22T09:01Z"}, 60.0),
        ({"X-RateLimit-Reset": "tomorrow"}, None),
        ({"Retry-After": "1", "X-RateLimit-Reset": "2026-11-22T09:01:00Z"}, 1.0),
    ],
)
def test_the_time_to_come_back_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(CaseInsensitiveDict(headers), NOW) == seconds


def refused(
    session: requests.Session, server: RawServer, method: str = "GET", path: str = "issue/10001"
) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        session.request(method, f"{server.url}/rest/api/2/{path}")
    return caught.value


@pytest.mark.parametrize(
    ("reason", "scope", "waits"),
    [
        ("jira-per-issue-on-write", "issue", {("PUT", "issue/10001")}),
        ("jira-burst-based", "endpoint", {("PUT", "issue/10001"), ("PUT", "issue/10002")}),
        (
            "jira-quota-tenant-based",
            "service",
            {("PUT", "issue/10001"), ("PUT", "issue/10002"), ("GET", "myself")},
        ),
        (None, "service", {("PUT", "issue/10001"), ("PUT", "issue/10002"), ("GET", "myself")}),
    ],
)
def test_a_429_pauses_as_far_as_its_reason_reaches(
    session: Sessions, transport: Transport, reason: str | None, scope: str, waits: set[tuple[str, str]]
) -> None:
    headers = [("Retry-After", "9"), *([("RateLimit-Reason", reason)] if reason else [])]
    with RawServer(says(None, status=429, headers=headers)) as server:
        error = refused(session(server.url), server, "PUT")
        later = [
            route(method, f"{server.url}/rest/api/2/{path}")
            for method, path in [("GET", "myself"), ("PUT", "issue/10002"), ("PUT", "issue/10001")]
        ]
    assert (type(error), error.cause, error.scope, error.retry_after) == (NotDone, Cause.LIMITED, scope, 9.0)
    paused = {
        (one.method, one.pattern.replace("{id}", one.issue).strip("/"))
        for one in later
        if transport.budget.paused_for("jira", issue=one.issue, endpoint=one.endpoint) == 9
    }
    assert paused == waits


def test_a_429_without_a_time_pauses_a_little(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=429)) as server:
        error = refused(session(server.url), server)
    assert error.retry_after is None
    assert transport.budget.paused_for("jira") == UNNAMED_PAUSE


def test_a_503_carries_its_time_and_pauses(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=503, headers=[("Retry-After", "4")])) as server:
        error = refused(session(server.url), server, "POST", "issue")
    assert (type(error), error.cause, error.retry_after) == (Unknown, Cause.SERVER, 4.0)
    assert transport.budget.paused_for("jira") == 4


def test_a_500_pauses_nothing(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=500, headers=[("Retry-After", "4")])) as server:
        refused(session(server.url), server)
    assert transport.budget.paused_for("jira") == 0


def test_pagerdutys_headers_are_learned_from_successes(session: Sessions, transport: Transport) -> None:
    headers = [("ratelimit-limit", "960"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "17")]
    with RawServer(says({}, headers=headers)) as server:
        session(server.url, service="pagerduty").get(f"{server.url}/users")
    assert transport.budget.paused_for("pagerduty") == 17


def test_a_read_waits_for_its_budget_and_a_prepaid_write_does_not(
    session: Sessions, transport: Transport, clock: StillClock
) -> None:
    with RawServer(says({})) as server:
        one = session(server.url)
        transport.budget.pause("jira", 3)
        with prepaid():
            one.post(f"{server.url}/rest/api/2/issue")
            assert clock.slept == []
            one.post(f"{server.url}/rest/api/2/issue")
    assert clock.slept == [3.0]


def test_a_request_that_would_wait_too_long_does_not_leave(session: Sessions, transport: Transport) -> None:
    transport.budget.pause("jira", 1000)
    with RawServer(says({})) as server:
        error = refused(session(server.url), server)
    assert (type(error), error.cause, error.retry_after) == (NotDone, Cause.LIMITED, 1000.0)
    assert server.connections == 0


def test_the_slow_lane_is_slow_through_the_transport(session: Sessions, clock: StillClock) -> None:
    with RawServer(says({})) as server, slow_lane():
        one = session(server.url)
        for _ in range(10):
            one.get(f"{server.url}/rest/api/2/myself")
    assert sum(clock.slept) == pytest.approx(1.0, abs=0.01)
