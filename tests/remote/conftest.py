from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import requests
import responses

from syncd.remote.http.deadline import Limits
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import JiraClient, jira_client
from syncd.remote.pagerduty.client import PagerDutyClient, pagerduty_client

SITE = "https://acme.atlassian.example"
PAGERDUTY = "https://api.pagerduty.com"


class StillClock:
    """A clock that moves only when somebody sleeps on it, or is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.boot = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def boottime(self) -> float:
        return self.boot

    def boot_id(self) -> str:
        return "one"

    def sleep(self, seconds: float, until: Event) -> bool:
        if until.is_set():
            return True
        self.slept.append(seconds)
        self.advance(seconds)
        return False

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.boot += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def transport(clock: StillClock) -> Transport:
    return Transport(clock, limits=Limits(connect=5, whole=5))


@pytest.fixture
def hurried(clock: StillClock) -> Transport:
    return Transport(clock, limits=Limits(connect=0.2, whole=0.2))


@pytest.fixture
def brisk(clock: StillClock) -> Transport:
    """Time enough for what is answered, and soon over for what is not."""
    return Transport(clock, limits=Limits(connect=2, whole=0.4))


@pytest.fixture
def cloud(transport: Transport) -> JiraClient:
    return jira_client(SITE, "token", transport, email="syncd@company.example")


@pytest.fixture
def center(transport: Transport) -> JiraClient:
    return jira_client(SITE, "token", transport)


@pytest.fixture
def pagerduty(transport: Transport) -> PagerDutyClient:
    """A client that writes in the name of syncd's own address."""
    return pagerduty_client(PAGERDUTY, "token", "syncd@company.example", transport)


@pytest.fixture
def mock(transport: Transport, clock: StillClock) -> Iterator[responses.RequestsMock]:
    """Answers for requests; each answer of Jira proves our login."""
    transport.login("jira").learn(0, {"accountId": "ours"}, clock.boottime())

    def proven(response: requests.Response) -> requests.Response:
        response.headers["X-AAccountId"] = "ours"
        return response

    with responses.RequestsMock(response_callback=proven) as mock:
        yield mock


@pytest.fixture
def session(transport: Transport) -> Iterator[Callable[..., requests.Session]]:
    """Makes sessions that send through the transport (or another one), and closes them."""
    made: list[requests.Session] = []

    def make(
        url: str, service: str = "jira", secrets: tuple[str, ...] = (), through: Transport | None = None
    ) -> requests.Session:
        http = requests.Session()
        (through or transport).mount(http, service, url, secrets)
        made.append(http)
        return http

    yield make
    for session in made:
        session.close()
