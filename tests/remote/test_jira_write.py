"""What is written to Jira: each act is one request, with its mark, and nothing is read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses

from syncd.domain.ticket import Mark
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import JiraClient, jira_client

SITE = "https://acme.atlassian.example"
API = f"{SITE}/rest/api/2"
MARK = Mark(op="0123456789abcdef", kind="create_ticket", incident="PABC123", instance="one")
PROPERTY = {"key": "syncd", "value": MARK.model_dump(exclude_defaults=True)}
COMMENT = {"id": "1", "body": "ok", "created": "2026-11-22T10:00:00.000+0100"}


@pytest.fixture(params=["cloud", "datacenter"])
def jira(transport: Transport, request: pytest.FixtureRequest) -> JiraClient:
    email = "syncd@company.example" if request.param == "cloud" else None
    return jira_client(SITE, "token", transport, email=email)


def sent(mock: responses.RequestsMock) -> list[Any]:
    return [json.loads(call.request.body or "null") for call in mock.calls]


def test_a_create_carries_its_mark(jira: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/issue", json={"id": "10001", "key": "OPS-1", "self": "x"}, status=201)
    created = jira.create({"summary": "Payments are late", "issuetype": {"id": "1"}}, MARK)
    assert (created.id, created.key) == ("10001", "OPS-1")
    assert sent(mock) == [
        {"fields": {"summary": "Payments are late", "issuetype": {"id": "1"}}, "properties": [PROPERTY]}
    ]


@pytest.mark.parametrize("body", [{}, {"id": "10001"}, {"key": "OPS-1"}, [], {"id": None, "key": "OPS-1"}])
def test_a_create_whose_answer_names_no_issue_is_unknown(
    jira: JiraClient, mock: responses.RequestsMock, body: Any
) -> None:
    mock.post(f"{API}/issue", json=body, status=201)
    with pytest.raises(Unknown) as caught:
        jira.create({}, MARK)
    assert caught.value.cause is Cause.BROKEN


def test_a_refused_create_tells_why_by_field(jira: JiraClient, mock: responses.RequestsMock) -> None:
    words = {"reporter": "Field 'reporter' cannot be set. It is not on the appropriate screen, or unknown."}
    mock.post(f"{API}/issue", json={"errorMessages": [], "errors": words}, status=400)
    with pytest.raises(NotDone) as caught:
        jira.create({}, MARK)
    assert (caught.value.cause, caught.value.field_errors) == (Cause.REJECTED, words)


def test_an_edit_is_one_request(jira: JiraClient, mock: responses.RequestsMock) -> None:
    mock.put(f"{API}/issue/10001", status=204)
    jira.edit("10001", {"summary": "new"}, {"labels": [{"add": "syncd"}]})
    assert sent(mock) == [{"fields": {"summary": "new"}, "update": {"labels": [{"add": "syncd"}]}}]


def test_a_move_sends_the_screens_fields(jira: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/issue/10001/transitions", status=204)
    jira.move("10001", "31", {"resolution": {"id": "5"}})
    jira.move("10001", "32")
    assert sent(mock) == [
        {"transition": {"id": "31"}, "fields": {"resolution": {"id": "5"}}},
        {"transition": {"id": "32"}},
    ]


def test_a_comment_carries_its_mark_and_is_internal(jira: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/issue/10001/comment", json=COMMENT, status=201)
    written = jira.add_comment("10001", "ok", MARK)
    assert (written.id, written.mark) == ("1", MARK)
    assert sent(mock) == [{"body": "ok", "properties": [PROPERTY, HIDDEN]}]


HIDDEN = {"key": "sd.public.comment", "value": {"internal": True}}


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ({}, None),
        ({"jsdPublic": True, "properties": [HIDDEN]}, True),
        ({"jsdPublic": False}, False),
        ({"properties": [PROPERTY]}, True),
        ({"properties": [PROPERTY, HIDDEN]}, False),
        ({"properties": [{"key": "sd.public.comment", "value": {"internal": False}}]}, True),
        ({"properties": [{"key": "sd.public.comment", "value": "internal"}]}, True),
    ],
)
def test_the_answer_to_a_comment_says_whether_customers_see_it(
    jira: JiraClient, mock: responses.RequestsMock, given: dict[str, Any], public: bool | None
) -> None:
    mock.post(f"{API}/issue/10001/comment", json={**COMMENT, **given}, status=201)
    assert jira.add_comment("10001", "ok", MARK).public is public


def test_editing_a_comment_leaves_its_properties_alone(
    jira: JiraClient, mock: responses.RequestsMock
) -> None:
    mock.put(f"{API}/issue/10001/comment/1", json={**COMMENT, "body": "better"})
    assert jira.edit_comment("10001", "1", "better").body == "better"
    assert sent(mock) == [{"body": "better"}]


def test_links_go_by_id_or_by_key(jira: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/issueLink", status=201)
    jira.link("Duplicate", "10001", "OPS-2")
    assert sent(mock) == [
        {"type": {"name": "Duplicate"}, "inwardIssue": {"id": "10001"}, "outwardIssue": {"key": "OPS-2"}}
    ]


WRITES: list[Callable[[JiraClient, str], Any]] = [
    lambda jira, issue: jira.edit(issue, {}),
    lambda jira, issue: jira.move(issue, "1"),
    lambda jira, issue: jira.add_comment(issue, "x", MARK),
    lambda jira, issue: jira.edit_comment("1", issue, "x"),
    lambda jira, issue: jira.link("Relates", issue, "1"),
]


@pytest.mark.parametrize("write", WRITES)
def test_what_is_no_id_is_never_written_to(jira: JiraClient, write: Callable[[JiraClient, str], Any]) -> None:
    with pytest.raises(NotDone):
        write(jira, "../../project/OPS")
