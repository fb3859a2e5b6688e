"""What a 429 or a 503 asks for: how long, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from requests.structures import CaseInsensitiveDict

from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import FIRST_PAUSE, PROBE_EVERY
from syncd.remote.http.lanes import Lane, lane, prepaid, slow_lane
from syncd.remote.http.places import Rate
from syncd.remote.http.retry_after import rate_of, retry_after, window_of
from syncd.remote.http.routes import route
from syncd.remote.http.transport import Transport

from .conftest import StillClock
from .raw import RawServer, says

Sessions = Callable[..., requests.Session]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def first() -> Iterator[None]:
    """Where a test names no class, it asks as a poll does."""
    with lane(Lane.FIRST, 30.0):
        yield


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
        ({"Retry-After": "inf"}, 3600.0),
        ({"Retry-After": "1e400"}, 3600.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -1200"}, None),
        ({"X-RateLimit-Reset": "9999-12-31T23:59:59-12:00"}, 3600.0),
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


@pytest.mark.parametrize(
    ("left", "reset", "limit", "window"),
    [
        ("0", "17", "960", (0.0, 17.0, 960.0)),
        ("5", "3600", "960", (5.0, 60.0, 960.0)),
        ("5", "inf", "960", (5.0, 60.0, 960.0)),
        ("5", "nan", "many", (5.0, 60.0, None)),
        ("5", "-1", "inf", (5.0, 60.0, None)),
        ("5", None, None, (5.0, 60.0, None)),
        ("nan", "17", "960", None),
        ("inf", "17", "960", None),
        ("-5", "17", "960", None),
        (None, "17", "960", None),
    ],
)
def test_no_window_is_beyond_reason(
    left: str | None, reset: str | None, limit: str | None, window: tuple[float, float, float | None] | None
) -> None:
    told = {"ratelimit-remaining": left, "ratelimit-reset": reset, "ratelimit-limit": limit}
    headers = {name: text for name, text in told.items() if text is not None}
    assert window_of(CaseInsensitiveDict(headers)) == window


@pytest.mark.parametrize(
    ("filled", "seconds", "burst", "rate"),
    [
        ("10", "2", "50", Rate(5, 50)),
        ("0", "1", "50", None),
        ("10", "0", "50", None),
        ("10", "inf", "50", None),
        ("some", "1", "50", None),
    ],
)
def test_data_centers_rate_is_read(filled: str, seconds: str, burst: str, rate: Rate | None) -> None:
    headers = {
        "X-RateLimit-FillRate": filled,
        "X-RateLimit-Interval-Seconds": seconds,
        "X-RateLimit-Limit": burst,
    }
    assert rate_of(CaseInsensitiveDict(headers)) == rate


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
        (moment.method, moment.pattern.replace("{id}", moment.issue).strip("/"))
        for moment in later
        if transport.budget.wait_for("jira", issue=moment.issue, endpoint=moment.endpoint) == 9
    }
    assert paused == waits


def test_a_429_without_a_time_pauses_a_little(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=429)) as server:
        error = refused(session(server.url), server)
    assert error.retry_after is None
    assert transport.budget.wait_for("jira") == FIRST_PAUSE


def test_a_503_carries_its_time_and_pauses(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=503, headers=[("Retry-After", "4")])) as server:
        error = refused(session(server.url), server, "POST", "issue")
    assert (type(error), error.cause, error.retry_after) == (Unknown, Cause.SERVER, 4.0)
    assert transport.budget.wait_for("jira") == 4


def test_a_500_pauses_nothing(session: Sessions, transport: Transport) -> None:
    with RawServer(says(None, status=500, headers=[("Retry-After", "4")])) as server:
        refused(session(server.url), server)
    assert transport.budget.wait_for("jira") == 0


def test_pagerdutys_headers_are_learned_from_successes(session: Sessions, transport: Transport) -> None:
    headers = [("ratelimit-limit", "960"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "17")]
    with RawServer(says({}, headers=headers)) as server:
        session(server.url, service="pagerduty").get(f"{server.url}/users")
    assert transport.budget.wait_for("pagerduty") == 17


@pytest.mark.parametrize("reset", ["3600", "inf", "nan", "-1", "9" * 400, "soon"])
def test_a_success_with_an_absurd_reset_is_a_success(
    session: Sessions, transport: Transport, reset: str
) -> None:
    headers = [("ratelimit-limit", "960"), ("ratelimit-remaining", "1"), ("ratelimit-reset", reset)]
    with RawServer(says({"users": []}, headers=headers)) as server:
        answer = session(server.url, service="pagerduty").get(f"{server.url}/users")
    assert answer.json() == {"users": []}
    assert transport.budget.wait_for("pagerduty") == 0
    with lane(Lane.UPDATE):
        assert transport.budget.wait_for("pagerduty") <= 60


def test_a_read_waits_for_its_budget_and_a_prepaid_write_does_not(
    session: Sessions, transport: Transport, clock: StillClock
) -> None:
    with RawServer(says({})) as server:
        http = session(server.url)
        transport.budget.refused("jira", 3)
        with prepaid():
            http.post(f"{server.url}/rest/api/2/issue")
            assert clock.slept == []
            http.post(f"{server.url}/rest/api/2/issue")
    assert clock.slept[0] == 3.0


def test_a_prepaid_write_does_not_leave_for_an_endpoint_that_jira_limits(
    session: Sessions, transport: Transport
) -> None:
    transport.budget.refused("jira", 20, "POST /issue")
    with RawServer(says({})) as server, prepaid():
        error = refused(session(server.url), server, "POST", "issue")
    assert (type(error), error.cause, error.retry_after) == (NotDone, Cause.LIMITED, 20.0)
    assert server.connections == 0


def test_a_request_that_would_wait_too_long_does_not_leave(session: Sessions, transport: Transport) -> None:
    transport.budget.refused("jira", 1000)
    with RawServer(says({})) as server:
        error = refused(session(server.url), server)
    assert (type(error), error.cause, error.retry_after) == (NotDone, Cause.LIMITED, PROBE_EVERY)
    assert server.connections == 0


def test_a_success_ends_a_limit_whose_pause_is_over(
    session: Sessions, transport: Transport, clock: StillClock
) -> None:
    transport.budget.refused("jira", 600)
    with RawServer(says({})) as server, lane(Lane.FIRST, 60):
        session(server.url).get(f"{server.url}/rest/api/2/myself")
    assert clock.slept == [60.0]
    assert transport.budget.wait_for("jira") < 1
    assert transport.budget.lasting() == []


def test_the_slow_lane_is_slow_through_the_transport(session: Sessions, clock: StillClock) -> None:
    with RawServer(says({})) as server, slow_lane():
        http = session(server.url)
        for _ in range(10):
            http.get(f"{server.url}/rest/api/2/myself")
    assert sum(clock.slept) == pytest.approx(1.0, abs=0.01)
