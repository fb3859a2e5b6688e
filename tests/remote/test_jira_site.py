"""What is learned of a Jira site and its projects, on both editions."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from remote.conftest import SITE
from remote.test_jira_read import API, asked
from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.ticket import Status
from syncd.remote.answers import ServerFacts
from syncd.remote.jira import wire
from syncd.remote.jira.client import JiraClient


def test_the_server_is_asked_once(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    answer = {"baseUrl": SITE, "deploymentType": "Cloud", "version": "1001.0.0"}
    mock.get(f"{API}/serverInfo", json=answer)
    facts = ServerFacts(base_url=SITE, edition="cloud", version="1001.0.0")
    assert (cloud.server(), cloud.server()) == (facts, facts)
    assert len(mock.calls) == 1


def test_a_server_that_is_no_cloud_is_a_data_center(center: JiraClient, mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/serverInfo", json={"baseUrl": SITE, "deploymentType": "Server", "version": "10.3.24"})
    assert center.server().edition == "datacenter"


def test_a_project_is_put_together(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    types = [
        {"id": "10001", "name": "Incident", "untranslatedName": "Incident"},
        {"id": "10002", "name": "Sub-task", "subtask": True},
    ]
    answer = {
        "id": 1,
        "key": "OPS",
        "name": "Operations",
        "projectTypeKey": "service_desk",
    }
    mock.get(
        f"{API}/project/OPS",
        json={**answer, "issueTypes": types, "components": [{"id": "7", "name": "Payments"}]},
    )
    statuses = [{"id": "10001", "name": "Incident", "statuses": [{"id": "3", "name": "Open"}]}]
    mock.get(f"{API}/project/OPS/statuses", json=statuses)
    mock.get(f"{API}/priority", json=[{"id": "2", "name": "High"}])
    mock.get(f"{API}/issueLinkType", json={"issueLinkTypes": [{"id": "1", "name": "Relates", "inward": "x"}]})
    facts = cloud.project("OPS")
    assert (facts.id, facts.kind) == ("1", "service_desk")
    assert [(issue_type.id, issue_type.subtask, issue_type.statuses) for issue_type in facts.types] == [
        ("10001", False, (Status(id="3", name="Open"),)),
        ("10002", True, ()),
    ]
    assert (facts.components, facts.priorities, facts.link_types) == (
        (Reference(id="7", name="Payments"),),
        (Reference(id="2", name="High"),),
        (Reference(id="1", name="Relates"),),
    )


def test_a_site_without_links_has_no_link_types(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/project/OPS", json={"id": "1", "key": "OPS", "issueTypes": []})
    mock.get(f"{API}/project/OPS/statuses", json=[])
    mock.get(f"{API}/priority", json=[])
    mock.get(f"{API}/issueLinkType", json={"errorMessages": ["Issue linking is off."]}, status=404)
    assert cloud.project("OPS").link_types == ()


FIELD = {
    "fieldId": "customfield_1",
    "key": "customfield_1",
    "name": "Severity",
    "required": True,
    "hasDefaultValue": True,
    "schema": {"type": "option"},
    "allowedValues": [{"id": "11", "value": "SEV1"}, {"id": "2", "name": "High"}, "red"],
}


@pytest.mark.parametrize("key", ["fields", "values"])
def test_a_create_screen_is_read_under_both_names(
    cloud: JiraClient, mock: responses.RequestsMock, key: str
) -> None:
    path = f"{API}/issue/createmeta/OPS/issuetypes/10001"
    mock.get(path, json={key: [FIELD], "total": 2, "startAt": 0})
    mock.get(path, json={key: [{"key": "summary", "fieldId": "summary", "name": "Summary"}], "total": 2})
    assert cloud.create_fields("OPS", "10001") == (
        FieldFacts(
            id="customfield_1",
            name="Severity",
            type="option",
            required=True,
            has_default=True,
            allowed=(
                Reference(id="11", name="SEV1"),
                Reference(id="2", name="High"),
                Reference(id="red", name="red"),
            ),
        ),
        FieldFacts(id="summary", name="Summary"),
    )


def test_resolutions_come_from_each_editions_own_list(
    cloud: JiraClient, center: JiraClient, mock: responses.RequestsMock
) -> None:
    done = {"id": "5", "name": "Done"}
    mock.get(f"{API}/resolution/search", json={"values": [done], "isLast": True})
    mock.get(f"{API}/resolution", json=[done])
    assert cloud.resolutions() == center.resolutions() == (Reference(id="5", name="Done"),)


def test_statuses_keep_their_untranslated_names() -> None:
    raw = {
        "id": "3",
        "name": "In Arbeit",
        "untranslatedName": "In Progress",
        "statusCategory": {"key": "new"},
    }
    read = wire.status(raw)
    assert read == Status(id="3", name="In Arbeit", untranslated="In Progress", category="new")


def test_permissions_that_are_not_named_are_not_known(
    cloud: JiraClient, mock: responses.RequestsMock
) -> None:
    mock.get(
        f"{API}/mypermissions",
        json={
            "permissions": {
                "CREATE_ISSUES": {"havePermission": True},
                "EDIT_ISSUES": {"havePermission": False},
            }
        },
    )
    assert cloud.rights("OPS", ["CREATE_ISSUES", "EDIT_ISSUES", "LINK_ISSUES"]) == {
        "CREATE_ISSUES": True,
        "EDIT_ISSUES": False,
        "LINK_ISSUES": None,
    }
    assert asked(mock)[1] == {"projectKey": "OPS", "permissions": "CREATE_ISSUES,EDIT_ISSUES,LINK_ISSUES"}


def test_only_active_people_are_assignable(
    cloud: JiraClient, center: JiraClient, mock: responses.RequestsMock
) -> None:
    people = [
        {"accountId": "a1", "accountType": "atlassian", "displayName": "Ada", "active": True},
        {"accountId": "a2", "accountType": "atlassian", "displayName": "Gone", "active": False},
        {"accountId": "a3", "accountType": "app", "displayName": "Robot", "active": True},
    ]
    mock.get(f"{API}/user/assignable/search", json=people)
    mock.get(
        f"{API}/user/assignable/search", json=[{"name": "ada", "key": "JIRAUSER1", "displayName": "Ada"}]
    )
    assert [account.id for account in cloud.assignable("ada@company.example", "OPS")] == ["a1"]
    assert [account.id for account in center.assignable("ada@company.example", "OPS")] == ["ada"]
    assert asked(mock, 0)[1]["query"] == asked(mock, 1)[1]["username"] == "ada@company.example"


def test_an_address_that_data_center_does_not_find_is_asked_of_its_users(
    center: JiraClient, mock: responses.RequestsMock
) -> None:
    ada = {"name": "ada", "key": "JIRAUSER1", "displayName": "Ada"}
    mock.get(f"{API}/user/assignable/search", json=[])
    mock.get(f"{API}/user/search", json=[ada])
    mock.get(f"{API}/user/assignable/search", json=[{**ada, "name": "adam"}, ada])
    assert [account.id for account in center.assignable("ada@company.example", "OPS")] == ["ada"]
    asked = [dict(parse_qsl(urlsplit(call.request.url or "").query))["username"] for call in mock.calls]
    assert asked == ["ada@company.example", "ada@company.example", "ada"]


def test_security_levels_are_those_that_we_may_set(cloud: JiraClient, mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/project/OPS/securitylevel", json={"levels": [{"id": 10500, "name": "Staff only"}]})
    assert cloud.security_levels("OPS") == (Reference(id="10500", name="Staff only"),)


@pytest.mark.parametrize("status", [403, 404])
def test_a_plan_without_security_levels_has_none(
    cloud: JiraClient, mock: responses.RequestsMock, status: int
) -> None:
    mock.get(f"{API}/project/OPS/securitylevel", json={"errorMessages": ["No."]}, status=status)
    assert cloud.security_levels("OPS") == ()
