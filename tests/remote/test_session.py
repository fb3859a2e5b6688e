"""A session that hands its requests to the transport directly sends what the library would send."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from jira import JIRA
from requests import PreparedRequest, RequestException, Response, Session
from requests.adapters import BaseAdapter

from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client

from .conftest import PAGERDUTY, SITE, StillClock

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message='The package "pdpyras" is deprecated')
    from pdpyras import APISession

TOKEN, EMAIL = "secret-token", "bot@qrpay.example"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
PARAMS = st.dictionaries(
    st.sampled_from(["since", "statuses[]", "ids", "jql", "limit"]),
    st.one_of(st.none(), st.integers(), st.booleans(), TEXTS, st.lists(TEXTS, max_size=3)),
)
PATHS = st.lists(st.one_of(st.from_regex(r"[a-zA-Z0-9._~-]{1,12}", fullmatch=True), TEXTS), max_size=4)


class SentError(Exception):
    """The request came to the adapter."""


class Recorder(BaseAdapter):
    """Keeps what is sent, and answers nothing."""

    last: PreparedRequest | None = None

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        self.last = request
        raise SentError

    def close(self) -> None:
        pass


def recorded(session: Session) -> Recorder:
    """Let a session send to a recorder."""
    recorder = Recorder()
    session.adapters.clear()
    session.mount("https://", recorder)
    return recorder


def plain_pagerduty() -> Session:
    """The library's own session, as pdpyras makes it."""
    session: Session = APISession(TOKEN, default_from=EMAIL)
    return session


def plain_jira() -> Session:
    """The library's own session, as jira makes it."""
    return JIRA(
        options={"server": SITE, "check_update": False},
        basic_auth=(EMAIL, TOKEN),
        get_server_info=False,
        validate=False,
        logging=False,
    )._session


def our_pagerduty() -> Session:
    session: Session = pagerduty_client(PAGERDUTY, TOKEN, EMAIL, Transport(StillClock()))._session
    return session


def our_jira() -> Session:
    return jira_client(SITE, TOKEN, Transport(StillClock()), email=EMAIL)._client._session


def same(ours: Session, plain: Session, send: Callable[[Session], Response]) -> None:
    """Compare what both sessions send, and that they refuse the same addresses."""
    sent: list[Any] = []
    for session in (ours, plain):
        session.trust_env = False
        recorder = recorded(session)
        with pytest.raises((SentError, RequestException)):
            send(session)
        last = recorder.last
        if last is None:
            sent.append(None)
            continue
        body = last.body.encode() if isinstance(last.body, str) else last.body
        sent.append((last.method, last.url, dict(last.headers.lower_items()), body))
    assert sent[0] == sent[1]


@given(path=PATHS, params=PARAMS)
def test_a_read_of_pagerduty_is_the_librarys(path: list[str], params: dict[str, Any]) -> None:
    where = "/" + "/".join(path)
    same(our_pagerduty(), plain_pagerduty(), lambda session: session.get(where, params=params))


@given(path=PATHS, params=PARAMS)
def test_a_read_of_jira_is_the_librarys(path: list[str], params: dict[str, Any]) -> None:
    where = f"{SITE}/rest/" + "/".join(path)
    same(our_jira(), plain_jira(), lambda session: session.get(where, params=params))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@given(text=TEXTS)
def test_a_write_is_the_librarys(method: str, text: str) -> None:
    body = {"note": {"content": text}}
    same(
        our_pagerduty(),
        plain_pagerduty(),
        lambda session: session.request(method, "/incidents/PABC123/notes", json=body),
    )
    same(
        our_jira(),
        plain_jira(),
        lambda session: session.request(method, f"{SITE}/rest/api/2/issue", data=json.dumps(body)),
    )


def test_a_write_without_a_body_says_that_it_has_none() -> None:
    same(
        our_jira(), plain_jira(), lambda session: session.request("POST", f"{SITE}/rest/api/2/issue/1/watch")
    )


@responses.activate
def test_cookies_of_a_site_come_back_to_it_and_to_nobody_else(transport: Transport) -> None:
    headers = {"Set-Cookie": "node=a; Path=/rest", "X-AAccountId": "me"}
    responses.get(f"{SITE}/rest/api/2/myself", json={"accountId": "me"}, headers=headers)
    client = jira_client(SITE, TOKEN, transport, email=EMAIL)
    other = jira_client(SITE, TOKEN, transport, email=EMAIL)
    for asks in (client, client, other):
        asks._client.myself()
    asked = [call.request.headers.get("Cookie") for call in responses.calls]
    assert asked == [None, "node=a", None]


@responses.activate
def test_a_cookie_that_was_taken_back_is_not_sent(transport: Transport) -> None:
    of = f"{SITE}/rest/api/2/myself"
    responses.get(of, json={"accountId": "me"}, headers={"Set-Cookie": "node=a; Path=/"})
    responses.get(of, json={"accountId": "me"}, headers={"Set-Cookie": "node=a; Path=/; Max-Age=0"})
    responses.get(of, json={"accountId": "me"})
    client = jira_client(SITE, TOKEN, transport, email=EMAIL)
    for _ in range(3):
        client._client.myself()
    assert [call.request.headers.get("Cookie") for call in responses.calls] == [None, "node=a", None]
