"""What is asked of Jira, word by word, and what is made of its answers, on both editions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from remote.conftest import SITE
from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.ticket import (
    Account,
    Comment,
    Issue,
    Link,
    Mark,
    Status,
    Transition,
    is_person,
    may_be_person,
)
from syncd.remote.answers import Fetched, Hit, SearchPage
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.jira.client import JiraClient
from syncd.remote.jira.wire import account

API = f"{SITE}/rest/api/2"
MARK = {"op": "0123456789abcdef", "kind": "create_ticket", "incident": "PABC123", "instance": "one"}
ABSENT = {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}}


def asked(mock: responses.RequestsMock, number: int = 0) -> tuple[str, Any]:
    """Method and path below the API, and the body or else the query."""
    request = mock.calls[number].request
    parts = urlsplit(request.url or "")
    what = f"{request.method} {parts.path.removeprefix('/rest/api/2/')}"
    return what, json.loads(request.body) if request.body else dict(parse_qsl(parts.query))


def comment(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "author": {"accountId": "a1", "displayName": "Ada"},
        "body": f"text {number}",
        "created": f"2026-11-22T10:{number:02}:00.000+0100",
        **more,
    }


def issue(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(10000 + number),
        "key": f"OPS-{number}",
        "fields": {
            "summary": "Payments are late",
            "status": {
                "id": "3",
                "name": "In Arbeit",
                "untranslatedName": "In Progress",
                "statusCategory": {"key": "indeterminate"},
            },
            "issuetype": {"id": "10001", "name": "Incident"},
            "project": {"id": "1", "key": "OPS"},
            "updated": "2026-11-22T10:00:00.123+0100",
            "created": "2026-11-22T09:00:00.000+0100",
            **fields,
        },
    }


def whole_issue() -> dict[str, Any]:
    """Return the answer about an issue in which each field has a value."""
    raw = issue(
        priority={"id": "2", "name": "High"},
        assignee={
            "accountId": "a1",
            "accountType": "atlassian",
            "displayName": "Ada",
            "emailAddress": "ada@company.example",
            "active": True,
        },
        resolution={"id": "5", "name": "Done"},
        components=[{"id": "7", "name": "Payments"}],
        labels=["syncd", "pd-PABC123"],
        security={"id": "9", "name": "Restricted"},
        duedate="2026-11-30",
        parent={"id": "10000", "key": "OPS-0"},
        issuelinks=[
            {"id": "1", "type": {"name": "Relates"}, "outwardIssue": {"id": "10002", "key": "OPS-2"}},
            {"id": "2", "type": {"name": "Blocks"}, "inwardIssue": {"id": "10003", "key": "OPS-3"}},
            {"id": "3", "type": {"name": "Blocks"}, "outwardIssue": {}},
        ],
        comment={"comments": [comment(2), comment(1)], "total": 2},
        customfield_1={"value": "SEV1"},
        customfield_2=None,
        customfield_3="not asked for",
    )
    raw["properties"] = {"syncd": MARK}
    return raw


def test_an_issue_is_read_whole(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [whole_issue()], "issueErrors": []})
    fetched = cloud.fetch(["10001", "OPS-2"], fields=["customfield_1", "customfield_2"])
    assert asked(mock) == (
        "POST issue/bulkfetch",
        {
            "issueIdsOrKeys": ["10001", "OPS-2"],
            "fields": [
                "summary", "status", "priority", "assignee", "resolution", "components", "labels", "security",
                "duedate", "parent", "issuelinks", "created", "updated", "issuetype", "project", "comment",
                "subtasks", "customfield_1", "customfield_2",
            ],
            "properties": ["syncd"],
        },
    )  # fmt: skip
    author = Account(id="a1", name="Ada", human=None)
    assert fetched == Fetched(
        issues=(
            Issue(
                id="10001",
                key="OPS-1",
                project="OPS",
                type_id="10001",
                type_name="Incident",
                status=Status(id="3", name="In Arbeit", untranslated="In Progress", category="indeterminate"),
                summary="Payments are late",
                priority=Reference(id="2", name="High"),
                assignee=Account(id="a1", name="Ada", email="ada@company.example"),
                resolution=Reference(id="5", name="Done"),
                components=(Reference(id="7", name="Payments"),),
                labels=("syncd", "pd-PABC123"),
                security_level=Reference(id="9", name="Restricted"),
                due_date="2026-11-30",
                parent_id="10000",
                links=(
                    Link(id="1", type="Relates", other_id="10002", other_key="OPS-2"),
                    Link(id="2", type="Blocks", other_id="10003", other_key="OPS-3"),
                ),
                created_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
                updated="2026-11-22T10:00:00.123+0100",
                comments=tuple(
                    Comment(
                        id=str(number),
                        author=author,
                        body=f"text {number}",
                        created_at=datetime(2026, 11, 22, 9, number, tzinfo=UTC),
                    )
                    for number in (1, 2)
                ),
                mark=Mark(**MARK),
                fields={"customfield_1": {"value": "SEV1"}},
            ),
        )
    )


def test_what_could_not_be_read_this_time_is_named(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    errors = [{"id": "10002", "errorMessage": "later"}]
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [issue()], "issueErrors": errors})
    fetched = cloud.fetch(["10001", "10002", "10003"])
    assert [each_issue.id for each_issue in fetched.issues] == ["10001"]
    assert fetched.unread == {"10002": "later"}


def test_an_issue_that_cannot_be_read_is_asked_for_again_and_the_others_are_read(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [{"id": "10002", "key": "OPS-2"}, issue()]})
    fetched = cloud.fetch(["10001", "10002"])
    assert ([each_issue.id for each_issue in fetched.issues], list(fetched.unread)) == (["10001"], ["10002"])


@pytest.mark.parametrize(
    "body", [{}, {"issues": None}, {"issueErrors": []}, [], {"issues": [{"key": "OPS-1"}]}]
)
def test_a_bulk_read_without_issues_is_never_taken_for_absence(
    cloud: JiraClient, mock: responses.RequestsMock, body: Any
) -> None:
    mock.post(f"{API}/issue/bulkfetch", json=body)
    with pytest.raises(Unknown) as caught:
        cloud.fetch(["10001"])
    assert caught.value.cause is Cause.BROKEN


@pytest.mark.parametrize(
    "embedded",
    [None, {"comments": [comment(1)], "total": 2}, {"total": 3}, [comment(1)]],
    ids=["none", "too few", "no list", "another shape"],
)
def test_comments_that_are_not_all_there_are_none(
    cloud: JiraClient, mock: responses.RequestsMock, embedded: Any
) -> None:
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [issue(comment=embedded)]})
    assert cloud.fetch(["10001"]).issues[0].comments is None


@pytest.mark.parametrize("value", [None, "text", {"op": "x"}, {**MARK, "op": 7}, []])
def test_what_somebody_else_wrote_into_our_property_is_no_mark(
    cloud: JiraClient, mock: responses.RequestsMock, value: Any
) -> None:
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [{**issue(), "properties": {"syncd": value}}]})
    assert cloud.fetch(["10001"]).issues[0].mark is None


def test_nothing_is_asked_for_no_ids_and_too_many_are_a_mistake(cloud: JiraClient) -> None:
    assert cloud.fetch([]) == Fetched(issues=())
    with pytest.raises(ValueError, match="100"):
        cloud.fetch([str(number) for number in range(101)])


def test_a_probe_asks_for_next_to_nothing(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    raw = {
        "id": "10002",
        "key": "OPS-2",
        "fields": {"project": {"key": "OPS"}},
        "properties": {"syncd": MARK},
    }
    mock.post(f"{API}/issue/bulkfetch", json={"issues": [raw]})
    probed = cloud.probe(["OPS-2", "OPS-3"])
    assert asked(mock)[1] == {
        "issueIdsOrKeys": ["OPS-2", "OPS-3"],
        "fields": ["project", "creator", "created"],
        "properties": ["syncd"],
    }
    assert [(each_issue.key, each_issue.mark) for each_issue in probed.issues] == [("OPS-2", Mark(**MARK))]


def test_one_issue_is_read_by_its_id_where_bulk_reads_may_lag(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{API}/issue/10001", json=issue(1))
    mock.get(f"{API}/issue/10002", json=ABSENT, status=404)
    mock.get(f"{API}/issue/10003", json={}, status=500)
    assert [each_issue.id for each_issue in cloud.fetch_by_id("10001").issues] == ["10001"]
    assert cloud.fetch_by_id("10002") == Fetched(issues=())
    with pytest.raises(Unknown):
        cloud.fetch_by_id("10003")


HITS = [
    {"id": "10001", "key": "OPS-1", "fields": {"updated": "2026-11-22T10:00:00.000+0100"}},
    {"id": "10002", "key": "OPS-2", "fields": {"updated": "2026-11-22T10:01:00.000+0100"}},
]


def test_a_search_names_issues_and_the_next_page(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/search/jql", json={"issues": HITS, "nextPageToken": "t2", "isLast": False})
    page = cloud.search("project = OPS", token="t1", limit=2)
    assert asked(mock) == (
        "POST search/jql",
        {
            "jql": "project = OPS",
            "maxResults": 2,
            "fields": ["updated"],
            "nextPageToken": "t1",
        },
    )
    assert page == SearchPage(
        hits=(
            Hit(id="10001", key="OPS-1", updated="2026-11-22T10:00:00.000+0100"),
            Hit(id="10002", key="OPS-2", updated="2026-11-22T10:01:00.000+0100"),
        ),
        next_token="t2",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"issues": HITS},
        {"issues": HITS, "isLast": True, "nextPageToken": "t2"},
        {"issues": HITS, "isLast": False, "nextPageToken": "t1"},
        {"issues": [], "isLast": False, "nextPageToken": "t2"},
        {"issues": HITS, "nextPageToken": None},
    ],
    ids=["no token", "said so", "same token", "empty page", "null"],
)
def test_a_search_ends(cloud: JiraClient, mock: responses.RequestsMock, body: dict[str, Any]) -> None:
    mock.post(f"{API}/search/jql", json=body)
    assert cloud.search("project = OPS", token="t1").next_token is None


def test_the_first_page_of_a_search_sends_no_token(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/search/jql", json={"issues": []})
    cloud.search("project = OPS")
    assert asked(mock)[1] == {"jql": "project = OPS", "maxResults": 100, "fields": ["updated"]}


@pytest.mark.parametrize("status", [400, 403, 410])
def test_a_search_that_is_refused_is_never_an_empty_page(
    cloud: JiraClient, mock: responses.RequestsMock, status: int
) -> None:
    mock.post(f"{API}/search/jql", json={"errorMessages": ["The value 'OPS' does not exist"]}, status=status)
    with pytest.raises(NotDone) as caught:
        cloud.search("project = OPS")
    assert "does not exist" in caught.value.message


def test_transitions_tell_what_their_screen_demands(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    fields = {
        "resolution": {
            "required": True,
            "hasDefaultValue": False,
            "name": "Resolution",
            "schema": {"type": "resolution"},
        },
        "priority": {"required": True, "hasDefaultValue": True},
        "comment": {"required": False},
    }
    raw = {"id": 31, "name": "Close", "to": {"id": "6", "name": "Done", "statusCategory": {"key": "odd"}}}
    mock.get(f"{API}/issue/10001/transitions", json={"transitions": [{**raw, "fields": fields}]})
    assert cloud.transitions("10001") == (
        Transition(
            id="31",
            name="Close",
            to=Status(id="6", name="Done"),
            screen=(
                FieldFacts(id="resolution", name="Resolution", type="resolution", required=True),
                FieldFacts(id="priority", name="", required=True, has_default=True),
                FieldFacts(id="comment", name=""),
            ),
        ),
    )
    assert asked(mock)[1] == {"expand": "transitions.fields"}


def test_all_pages_of_comments_are_read_with_their_marks(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    marked = comment(1, properties=[{"key": "other", "value": 1}, {"key": "syncd", "value": MARK}])
    mock.get(f"{API}/issue/10001/comment", json={"comments": [comment(3), marked], "total": 3, "startAt": 0})
    mock.get(f"{API}/issue/10001/comment", json={"comments": [comment(2, author=None)], "total": 3})
    comments = cloud.comments("10001")
    assert [(each_issue.id, each_issue.mark) for each_issue in comments] == [
        ("1", Mark(**MARK)),
        ("2", None),
        ("3", None),
    ]
    assert comments[1].author is None
    assert asked(mock)[1] == {
        "expand": "properties",
        "orderBy": "created",
        "maxResults": "100",
        "startAt": "0",
    }
    assert asked(mock, 1)[1]["startAt"] == "2"


def test_a_list_that_never_ends_is_an_error(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    full = {"comments": [comment(1)] * 2500, "total": 10**9}
    mock.get(f"{API}/issue/10001/comment", json=full)
    with pytest.raises(Unknown):
        cloud.comments("10001")


@pytest.mark.parametrize("hostile", ["../user", "OPS-1/comment", "OPS-1?x=1", "", " ", ".."])
def test_what_is_no_id_never_becomes_a_path(cloud: JiraClient, center: JiraClient, hostile: str) -> None:
    for ask in (cloud.comments, cloud.transitions, cloud.project, lambda key: center.fetch([key])):
        with pytest.raises(NotDone) as caught:
            ask(hostile)
        assert caught.value.cause is Cause.REJECTED


def test_a_cloud_account_without_a_type_is_no_known_person_and_data_center_has_only_persons() -> None:
    known = {"accountId": "a1", "accountType": "atlassian"}
    kinds = (known, {"accountId": "a1"}, {"accountId": "a1", "accountType": "app"}, {"name": "ada"})
    accounts = [account(raw) for raw in kinds]
    assert [is_person(each) for each in accounts] == [True, False, False, True]
    # what a person may have done is left as it is
    assert [may_be_person(each) for each in accounts] == [True, True, False, True]
