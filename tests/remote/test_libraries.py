"""Neither client library sends anything by itself, twice, or elsewhere."""

from __future__ import annotations

import time  # noqa: TID251 - replaced, so that a library that waits is caught
from collections.abc import Callable
from typing import Any

import pytest

from syncd.domain.ticket import Mark
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import JiraClient, jira_client
from syncd.remote.pagerduty.client import PagerDutyClient, pagerduty_client

from .raw import RawServer, Step, hangs, resets, says, writes

MARK = Mark(op="0123456789abcdef", kind="create_ticket", incident="PABC123", instance="one")
CALLS: dict[str, Callable[[PagerDutyClient, JiraClient, JiraClient], Any]] = {
    "PagerDuty read": lambda pagerduty, cloud, center: pagerduty.notes("P1"),
    "PagerDuty write": lambda pagerduty, cloud, center: pagerduty.add_note("P1", "text"),
    "Jira search": lambda pagerduty, cloud, center: cloud.search("project = OPS"),
    "Jira bulk read": lambda pagerduty, cloud, center: cloud.fetch(["10001"]),
    "Jira create": lambda pagerduty, cloud, center: cloud.create({"summary": "x"}, MARK),
    "Jira edit": lambda pagerduty, cloud, center: cloud.edit("10001", {"summary": "x"}),
    "Jira move": lambda pagerduty, cloud, center: cloud.move("10001", "31"),
    "Jira transitions": lambda pagerduty, cloud, center: cloud.transitions("10001"),
    "Jira server": lambda pagerduty, cloud, center: cloud.server(),
    "Jira myself": lambda pagerduty, cloud, center: cloud.myself(),
    "Jira link": lambda pagerduty, cloud, center: cloud.link("Relates", "10001", "10002"),
    "Data Center search": lambda pagerduty, cloud, center: center.search("project = OPS"),
    "Data Center comment": lambda pagerduty, cloud, center: center.add_comment("10001", "text", MARK),
}
FAILURES: dict[str, tuple[Step, type[RemoteError], Cause]] = {
    "429": (says(None, status=429), NotDone, Cause.LIMITED),
    "429 with a date": (
        says(None, status=429, headers=[("Retry-After", "Sun, 22 Nov 2026 09:00:20 GMT")]),
        NotDone,
        Cause.LIMITED,
    ),
    "500": (says({}, status=500), Unknown, Cause.SERVER),
    "502": (says({}, status=502), Unknown, Cause.SERVER),
    "503 with a time": (says({}, status=503, headers=[("Retry-After", "1")]), Unknown, Cause.SERVER),
    "401": (says({}, status=401), NotDone, Cause.CREDENTIALS),
    "302": (says({}, status=302, headers=[("Location", "/elsewhere")]), NotDone, Cause.REDIRECT),
    "reset": (resets, Unknown, Cause.BROKEN),
    "closed": (writes(), Unknown, Cause.BROKEN),
    "html": (says(raw=b"<html>"), Unknown, Cause.BROKEN),
}


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleeps(seconds: float) -> None:
        raise AssertionError(f"a library slept for {seconds} seconds")

    monkeypatch.setattr(time, "sleep", sleeps)


def services(url: str, transport: Transport) -> tuple[PagerDutyClient, JiraClient, JiraClient]:
    return (
        pagerduty_client(url, "pd-token", "ops@company.example", transport),
        jira_client(url, "cloud-token", transport, email="ops@company.example"),
        jira_client(url, "center-token", transport),
    )


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_send(transport: Transport, call: str, failure: str) -> None:
    step, kind, cause = FAILURES[failure]
    with RawServer(step, step) as server, pytest.raises(RemoteError) as caught:
        CALLS[call](*services(server.url, transport))
    assert (type(caught.value), caught.value.cause) == (kind, cause)
    # a refused login is believed when the account's own read is refused, too
    asked_for_account = failure == "401" and call != "Jira myself"
    assert len(server.requests) == 1 + asked_for_account


@pytest.mark.parametrize("call", ["PagerDuty write", "Jira create"])
def test_a_time_out_is_one_send(hurried: Transport, call: str) -> None:
    with RawServer(hangs) as server, pytest.raises(Unknown) as caught:
        CALLS[call](*services(server.url, hurried))
    assert caught.value.cause is Cause.TIMEOUT
    assert len(server.requests) == 1


def test_making_clients_sends_nothing(transport: Transport) -> None:
    with RawServer(says({})) as server:
        services(server.url, transport)
    assert server.connections == 0
    assert transport.counts.total() == 0


def test_each_service_gets_its_own_credentials(transport: Transport) -> None:
    with RawServer(says({}, status=500)) as server:
        pagerduty, cloud, center = services(server.url, transport)
        for ask in (lambda: pagerduty.notes("P1"), cloud.myself, center.myself):
            with pytest.raises(Unknown):
                ask()
    sent = [request.decode().lower() for request in server.requests]
    assert "authorization: token token=pd-token" in sent[0]
    assert "from: ops@company.example" in sent[0]
    assert "accept: application/vnd.pagerduty+json;version=2" in sent[0]
    assert "authorization: basic b3bzqgnvbxbhbnkuzxhhbxbsztpjbg91zc10b2tlbg==" in sent[1]
    assert "authorization: bearer center-token" in sent[2]


def test_credentials_of_the_environment_are_never_taken(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with RawServer(says({"notes": []})) as server:
        assert services(server.url, transport)[0].notes("P1") == ()
    assert b"Authorization: Token token=pd-token" in server.requests[0]


def test_a_jira_below_a_path_is_asked_below_it(transport: Transport) -> None:
    with RawServer(says({"accountId": "1"})) as server:
        assert jira_client(f"{server.url}/jira/", "t", transport).myself().id == "1"
    assert server.requests[0].startswith(b"GET /jira/rest/api/2/myself HTTP/1.1")


def test_the_basic_credential_is_masked_as_it_was_sent(transport: Transport) -> None:
    quoted = "b3BzQGNvbXBhbnkuZXhhbXBsZTpjbG91ZC10b2tlbg=="
    with (
        RawServer(
            says({"errorMessages": [f"bad Basic {quoted}"], "errors": {"x": "cloud-token"}}, status=400)
        ) as server,
        pytest.raises(NotDone) as caught,
    ):
        services(server.url, transport)[1].myself()
    assert (caught.value.message, caught.value.field_errors) == ("bad Basic ***", {"x": "***"})
