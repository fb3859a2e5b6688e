"""An answer counts only if the service knew our account: what proves it, and when `myself` is asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore
from typing import Any

import pytest
import responses

from syncd.domain.ticket import Mark
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.login import CAPTCHA_PAUSE, TRUSTED
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import JiraClient, jira_client
from syncd.remote.pagerduty.client import pagerduty_client

from .conftest import StillClock

SITE = "https://acme.atlassian.example"
API = f"{SITE}/rest/api/2"
OURS = {"X-AAccountId": "ours"}
FAILED = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
NOTHING = {"issues": [], "isLast": True}
MARK = Mark(op="0123456789abcdef", kind="create_ticket", incident="PABC123", instance="one")


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def cloud(transport: Transport, mock: responses.RequestsMock) -> JiraClient:
    """A client that Jira has told its account."""
    client = jira_client(SITE, "token", transport, email="syncd@company.example")
    knows_us(mock)
    client.myself()
    return client


def knows_us(mock: responses.RequestsMock) -> None:
    mock.upsert("GET", f"{API}/myself", json={"accountId": "ours", "displayName": "syncd"})


def refuses_us(mock: responses.RequestsMock, status: int = 401, **more: Any) -> None:
    mock.upsert("GET", f"{API}/myself", status=status, json={"message": "Not logged in."}, **more)


def searches(mock: responses.RequestsMock, headers: dict[str, str]) -> None:
    mock.upsert("POST", f"{API}/search/jql", json=NOTHING, headers=headers)


def asked(mock: responses.RequestsMock) -> list[str]:
    return [str(call.request.url).removeprefix(API) for call in mock.calls]


def test_an_answer_that_names_our_account_counts_for_ever(
    cloud: JiraClient, mock: responses.RequestsMock, clock: StillClock
) -> None:
    searches(mock, OURS)
    clock.advance(10 * TRUSTED)
    assert cloud.search("x").hits == ()
    assert asked(mock) == ["/myself", "/search/jql"]


def test_a_name_on_data_center_counts_as_it_is_written_in_a_header(
    transport: Transport, mock: responses.RequestsMock, clock: StillClock
) -> None:
    center = jira_client(SITE, "token", transport)
    mock.get(f"{API}/myself", json={"name": "bot@company", "key": "JIRAUSER1", "displayName": "syncd"})
    center.myself()
    page = {"issues": [], "total": 0}
    mock.post(f"{API}/search", json=page, headers={"X-AUSERNAME": "bot%40company"})
    clock.advance(10 * TRUSTED)
    center.search("x")
    mock.upsert("POST", f"{API}/search", json=page, headers={"X-AUSERNAME": "anonymous"})
    center.search("x")
    assert asked(mock) == ["/myself", "/search", "/search", "/myself"]


def test_an_empty_poll_without_proof_is_believed_for_five_minutes(
    cloud: JiraClient, mock: responses.RequestsMock, clock: StillClock
) -> None:
    searches(mock, {})
    for _ in range(20):
        clock.advance(TRUSTED / 10)
        cloud.search("x", certain=False)
    assert asked(mock).count("/myself") == 1 + 2 - 1
    refuses_us(mock)
    clock.advance(TRUSTED + 1)
    with pytest.raises(NotDone) as caught:
        cloud.search("x", certain=False)
    assert caught.value.cause is Cause.CREDENTIALS
    assert caught.value.message == "Not logged in."


def test_an_empty_list_that_has_to_be_certain_is_proved_at_once(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    searches(mock, {})
    cloud.search("x")
    refuses_us(mock)
    with pytest.raises(NotDone):
        cloud.search("x")
    assert asked(mock) == ["/myself", "/search/jql", "/myself", "/search/jql", "/myself"]


@pytest.mark.parametrize("headers", [FAILED, {}], ids=["a failed login", "no proof any more"])
def test_an_answer_that_differs_from_those_before_makes_syncd_ask_at_once(
    cloud: JiraClient, mock: responses.RequestsMock, headers: dict[str, str]
) -> None:
    searches(mock, OURS)
    cloud.search("x", certain=False)
    searches(mock, headers)
    refuses_us(mock)
    with pytest.raises(NotDone) as caught:
        cloud.search("x", certain=False)
    assert caught.value.cause is Cause.CREDENTIALS


def test_a_sign_that_also_myself_carries_tells_nothing(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    searches(mock, FAILED)
    account = {"accountId": "ours", "displayName": "syncd"}
    mock.upsert("GET", f"{API}/myself", json=account, headers=FAILED)
    for _ in range(5):
        cloud.search("x", certain=False)
    assert asked(mock).count("/myself") == 2
    refuses_us(mock)
    with pytest.raises(NotDone):
        cloud.search("x")


def test_while_our_login_is_refused_nothing_leaves_but_the_question(
    cloud: JiraClient, mock: responses.RequestsMock, clock: StillClock
) -> None:
    searches(mock, FAILED)
    refuses_us(mock)
    created = mock.post(f"{API}/issue", status=201, json={"id": "1", "key": "OPS-1"})
    for ask in (lambda: cloud.search("x"), lambda: cloud.create({}, MARK), lambda: cloud.search("x")):
        with pytest.raises(NotDone) as caught:
            ask()
        assert caught.value.cause is Cause.CREDENTIALS
    # one question a minute: each is a failed login
    assert asked(mock) == ["/myself", "/search/jql", "/myself"]
    clock.advance(TRUSTED)
    knows_us(mock)
    assert cloud.create({}, MARK).key == "OPS-1"
    assert created.call_count == 1


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refused_write_without_proof_is_one_of_our_login_if_the_account_is_refused(
    cloud: JiraClient, mock: responses.RequestsMock, status: int
) -> None:
    mock.post(f"{API}/issue", status=status, json={"errorMessages": [], "errors": {"project": "required"}})
    with pytest.raises(NotDone) as caught:
        cloud.create({}, MARK)
    assert caught.value.field_errors == {"project": "required"}
    refuses_us(mock)
    with pytest.raises(NotDone) as caught:
        cloud.create({}, MARK)
    assert (caught.value.cause, caught.value.field_errors) == (Cause.CREDENTIALS, {})


def test_a_write_that_succeeded_without_proof_is_done(
    cloud: JiraClient, mock: responses.RequestsMock, clock: StillClock
) -> None:
    mock.post(f"{API}/issue", status=201, json={"id": "1", "key": "OPS-1"})
    clock.advance(10 * TRUSTED)
    assert cloud.create({}, MARK).key == "OPS-1"
    assert asked(mock) == ["/myself", "/issue"]


@pytest.mark.parametrize("status", [500, 404])
def test_an_account_that_cannot_be_asked_for_decides_nothing(
    cloud: JiraClient, mock: responses.RequestsMock, status: int
) -> None:
    searches(mock, {})
    mock.upsert("GET", f"{API}/myself", status=status, json={})
    with pytest.raises(NotDone) as caught:
        cloud.search("x")
    assert caught.value.cause is not Cause.CREDENTIALS
    knows_us(mock)
    assert cloud.search("x").hits == ()


def test_a_captcha_stops_each_request_for_a_quarter_of_an_hour(
    cloud: JiraClient, mock: responses.RequestsMock, clock: StillClock
) -> None:
    denied = {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=https://elsewhere.example"}
    mock.post(f"{API}/search/jql", status=403, headers=denied)
    for _ in range(3):
        with pytest.raises(NotDone) as caught:
            cloud.search("x")
        assert caught.value.cause is Cause.CREDENTIALS
        assert f"log in once in a browser at {SITE}" in caught.value.message
        assert "syncd resume jira" in caught.value.message
    assert asked(mock) == ["/myself", "/search/jql"]
    clock.advance(CAPTCHA_PAUSE)
    searches(mock, OURS)
    cloud.search("x")
    assert asked(mock)[2:] == ["/myself", "/search/jql"]


def test_many_threads_ask_for_the_account_once(transport: Transport, mock: responses.RequestsMock) -> None:
    refuses_us(mock)
    searches(mock, FAILED)
    together = Barrier(8)

    def search(_: int) -> Cause:
        client = jira_client(SITE, "token", transport, email="syncd@company.example")
        together.wait(10)
        with pytest.raises(NotDone) as caught:
            client.search("x")
        return caught.value.cause

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(search, range(8))) == {Cause.CREDENTIALS}
    assert asked(mock).count("/myself") == 1


def test_threads_that_need_a_proof_at_once_share_one_question(
    transport: Transport, mock: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows_us(mock)
    login, doubts = transport.login("jira"), Semaphore(0)
    begin = login.begin

    def begins() -> int:
        number = begin()
        doubts.release()
        return number

    monkeypatch.setattr(login, "begin", begins)

    clients = [jira_client(SITE, "token", transport, email="syncd@company.example") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        others = []

        def ask() -> None:
            others.extend(pool.submit(client.prove_login) for client in clients[1:])
            # all doubt before the question begins, this thread too
            for _ in clients:
                assert doubts.acquire(timeout=10)
            clients[0].myself()

        login.settle(ask)
        for other in others:
            other.result(10)
    assert asked(mock) == ["/myself"]


@pytest.mark.parametrize("status", [401, 403])
def test_pagerduty_is_asked_for_our_account_when_it_refuses(
    transport: Transport, mock: responses.RequestsMock, status: int
) -> None:
    url = "https://api.pagerduty.example"
    client = pagerduty_client(url, "token", None, transport)
    refusal = {"error": {"message": "No.", "code": 2010}}
    mock.get(f"{url}/incidents/P1/notes", status=status, json=refusal)
    mock.get(f"{url}/services", json={"services": []})
    with pytest.raises(NotDone) as caught:
        client.notes("P1")
    assert (caught.value.cause, caught.value.message) == (Cause.FORBIDDEN, "No. [2010]")
    mock.upsert("GET", f"{url}/services", status=status, json=refusal)
    with pytest.raises(NotDone) as caught:
        client.notes("P1")
    assert caught.value.cause is Cause.CREDENTIALS
