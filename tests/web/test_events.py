"""What webhooks of either edition say."""

from __future__ import annotations

import json

import pytest

from syncd.web.events import IncidentEvent, IssueEvent, jira_event, pagerduty_event


def test_a_comment_event_of_data_center_names_its_issue_only_by_the_comments_address() -> None:
    address = "https://jira.example/rest/api/2/issue/10231/comment/10500"
    body = {"webhookEvent": "comment_created", "comment": {"self": address, "body": "x"}}
    assert jira_event(json.dumps(body).encode()) == IssueEvent("comment_created", "10231")


def test_an_issue_event_names_issue_and_account_by_id() -> None:
    body = {
        "timestamp": 1780000000000,
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": "10001", "key": "OPS-1", "fields": {"summary": "words"}},
        "user": {"accountId": "5c5f880629be9642ba529340", "displayName": "Priya"},
    }
    event = jira_event(json.dumps(body).encode())
    assert event == IssueEvent("jira:issue_updated", "10001", "5c5f880629be9642ba529340")


@pytest.mark.parametrize("name", ["jonas.lindqvist", "jonas@qrpay.example", "EXAMPLE\\jonas", "jürgen weiß"])
def test_the_account_of_data_center_is_its_user_name(name: str) -> None:
    deleted = {"webhookEvent": "jira:issue_deleted", "issue": {"id": "10001"}}
    body = {**deleted, "user": {"name": name, "key": "JIRAUSER10100"}}
    assert jira_event(json.dumps(body).encode()) == IssueEvent("jira:issue_deleted", "10001", name)
    # a user whom Jira anonymised has no name any more
    body = {**deleted, "user": {"name": None, "key": "JIRAUSER10100"}}
    assert jira_event(json.dumps(body).encode()) == IssueEvent("jira:issue_deleted", "10001", "JIRAUSER10100")


def test_what_only_refers_to_an_incident_names_it_too() -> None:
    data = {"id": "PRESP1", "type": "incident_responder", "incident": {"id": "PINC1"}}
    body = {"event": {"id": "E1", "event_type": "incident.responder.added", "data": data}}
    event = pagerduty_event(json.dumps(body).encode())
    assert event == IncidentEvent("E1", "incident.responder.added", "PINC1")
    assert not event.notes
