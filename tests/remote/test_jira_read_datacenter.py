"""What is asked of Data Center, and what is made of its answers."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from remote.test_jira_read import ABSENT, API, HITS, asked, issue
from syncd.remote.errors import NotDone, Unknown
from syncd.remote.jira.client import JiraClient


def test_data_center_reads_issues_one_by_one(center: JiraClient, mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/issue/10001", json=issue(1))
    mock.get(f"{API}/issue/10002", json=ABSENT, status=404)
    mock.get(f"{API}/issue/10003", json={}, status=500)
    fetched = center.fetch(["10001", "10002", "10003"])
    assert [each_issue.id for each_issue in fetched.issues] == ["10001"]
    assert list(fetched.unread) == ["10003"]
    what, query = asked(mock)
    assert (what, query["properties"]) == ("GET issue/10001", "syncd")
    assert query["fields"].startswith("summary,status,")


@pytest.mark.parametrize(("status", "body"), [(401, ""), (403, "{}"), (404, "<html>"), (302, "")], ids=str)
def test_data_center_takes_no_other_refusal_for_absence(
    center: JiraClient, mock: responses.RequestsMock, status: int, body: str
) -> None:
    mock.get(f"{API}/issue/10001", body=body, status=status)
    with pytest.raises(NotDone):
        center.fetch(["10001"])


def test_data_center_that_is_down_is_not_a_list_of_unread_issues(
    center: JiraClient, mock: responses.RequestsMock
) -> None:
    ids = [str(10000 + number) for number in range(10)]
    for ident in ids[:4]:
        mock.get(f"{API}/issue/{ident}", status=502)
    with pytest.raises(Unknown):
        center.fetch(ids)


def test_data_center_s_changelog_knows_assignees_by_key_and_is_read_by_name(
    center: JiraClient, mock: responses.RequestsMock
) -> None:
    def assigned(number: int, before: str | None, after: str | None) -> dict[str, Any]:
        item = {"field": "assignee", "from": before, "fromString": "x", "to": after, "toString": "y"}
        ada = {"name": "ada", "key": "JIRAUSER1", "displayName": "Ada"}
        return {
            "id": str(number),
            "author": ada,
            "created": "2026-11-22T10:00:00.000+0100",
            "items": [item],
        }

    # of one moment, and the newest first
    moves = [
        assigned(10, "JIRAUSER2", "gone"),
        assigned(9, "JIRAUSER1", "JIRAUSER2"),
        assigned(8, None, "JIRAUSER1"),
    ]
    mock.get(f"{API}/issue/10001", json={**issue(1), "changelog": {"histories": moves}})
    mock.get(f"{API}/user", json={"name": "bo", "key": "JIRAUSER2", "displayName": "Bo"})
    mock.get(f"{API}/user", json=ABSENT, status=404)
    changes = center.changelog("10001")
    assert [(change.before, change.after) for change in changes] == [
        (None, "ada"),
        ("ada", "bo"),
        ("bo", "gone"),
    ]
    asked_before = len(mock.calls)
    center.changelog("10001")
    assert len(mock.calls) == asked_before + 1


def test_data_center_searches_by_position(center: JiraClient, mock: responses.RequestsMock) -> None:
    mock.post(f"{API}/search", json={"issues": HITS, "total": 3, "startAt": 0})
    mock.post(f"{API}/search", json={"issues": HITS[:1], "total": 3, "startAt": 2})
    first = center.search("project = OPS", limit=2)
    second = center.search("project = OPS", limit=2, token=first.next_token)
    assert (first.next_token, second.next_token) == ("2", None)
    assert [asked(mock, number)[1]["startAt"] for number in (0, 1)] == [0, 2]
