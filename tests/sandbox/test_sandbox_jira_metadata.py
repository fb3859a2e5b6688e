from typing import Any

from syncd.sandbox.cast import BOT_ACCOUNT


def test_the_create_screen_is_described_by_the_new_endpoints(world: Any, jira: Any) -> None:
    types = jira.get("/issue/createmeta/OPS/issuetypes")["issueTypes"]
    assert [issue_type["name"] for issue_type in types] == [
        "Incident",
        "Bug",
        "Task",
        "Postmortem",
        "Sub-task",
    ]
    page = jira.get("/issue/createmeta/OPS/issuetypes/10101?maxResults=200")
    by_id = {field["fieldId"]: field for field in page["fields"]}
    assert by_id["summary"]["required"] is True
    assert by_id["priority"]["allowedValues"][0]["name"] == "Highest"
    assert by_id["customfield_10050"]["schema"]["custom"].endswith(":select")
    jira.get("/issue/createmeta/OPS/issuetypes?maxResults=201")
    assert jira.last.json()["errorMessages"] == ["Parameter 'maxResults' must not exceed the limit '200'"]


def test_a_project_tells_its_components_statuses_and_levels(world: Any, jira: Any) -> None:
    project = jira.get("/project/OPS")
    assert (project["style"], project["lead"]["displayName"]) == ("classic", "Priya Raman")
    assert "Yoomonea Service" not in [component["name"] for component in jira.get("/project/OPS/components")]
    incident = jira.get("/project/OPS/statuses")[0]
    assert [status["name"] for status in incident["statuses"]] == [
        "To Do",
        "In Progress",
        "In Review",
        "Done",
    ]
    assert [level["name"] for level in jira.get("/project/OPS/securitylevel")["levels"]] == [
        "Security incident"
    ]
    world.jira.site.project("OPS").denied.add("SET_ISSUE_SECURITY")
    assert jira.get("/project/OPS/securitylevel")["levels"] == []
    jira.get("/project/NOPE")
    assert jira.status == 404


def test_the_site_tells_what_it_has(jira: Any) -> None:
    assert jira.get("/priority")[0]["name"] == "Highest"
    assert jira.get("/priority/search")["isLast"] is True
    assert "Duplicate" in [resolution["name"] for resolution in jira.get("/resolution")]
    assert {"Relates", "Blocks", "Cloners", "Duplicate"} == {
        issuelinktype["name"] for issuelinktype in jira.get("/issueLinkType")["issueLinkTypes"]
    }
    fields = {a_field["id"]: a_field for a_field in jira.get("/field")}
    assert (fields["customfield_10050"]["name"], fields["customfield_10050"]["custom"]) == ("Severity", True)
    assert {status["name"] for status in jira.get("/status")} == {"To Do", "In Progress", "In Review", "Done"}
    assert len(jira.get("/issuetype")) == 5


def test_permissions_are_told_only_for_those_asked(world: Any, jira: Any) -> None:
    world.jira.site.project("OPS").denied.add("EDIT_ISSUES")
    answer = jira.get("/mypermissions?projectKey=OPS&permissions=EDIT_ISSUES,BROWSE_PROJECTS")["permissions"]
    assert {key: permission["havePermission"] for key, permission in answer.items()} == {
        "EDIT_ISSUES": False,
        "BROWSE_PROJECTS": True,
    }
    for query in ("", "?permissions=NOPE"):
        jira.get("/mypermissions" + query)
        assert jira.status == 400


def test_what_is_not_allowed_is_refused(world: Any, jira: Any, issue: str) -> None:
    project = world.jira.site.project("OPS")
    project.denied |= {"EDIT_ISSUES", "ADD_COMMENTS", "CREATE_ISSUES"}
    jira.put(f"/issue/{issue}", {"fields": {"summary": "x"}})
    assert jira.status == 403
    jira.post(f"/issue/{issue}/comment", {"body": "x"})
    assert jira.status == 403
    body = {"project": {"key": "OPS"}, "issuetype": {"id": "10101"}, "summary": "x"}
    jira.post("/issue", {"fields": body})
    assert jira.status == 400
    project.denied.add("BROWSE_PROJECTS")
    jira.get(f"/issue/{issue}")
    assert jira.status == 404


def test_users_are_found_by_the_beginning_of_name_or_address(world: Any, jira: Any) -> None:
    def found(query: str) -> list[str]:
        return [user["displayName"] for user in jira.get(f"/user/search?query={query}")]

    assert found("amara.osei@qrpay.example") == found("osei") == ["Amara Osei"]
    assert found("mei.tanaka@qrpay.example") == ["Mei Tanaka"]
    assert found("mei.tanaka@") == []
    assert "emailAddress" not in jira.get("/user/search?query=Mei")[0]
    assert found("hannah") == []
    assert jira.get("/user/search?query=jonas")[0]["active"] is False


def test_without_the_permission_a_user_search_finds_nobody_silently(world: Any, jira: Any) -> None:
    world.jira.site.denied.add("USER_PICKER")
    assert (jira.get("/user/search?query=amara"), jira.status) == ([], 200)


def test_only_active_people_can_be_assigned(world: Any, jira: Any) -> None:
    names = [user["displayName"] for user in jira.get("/user/assignable/search?project=OPS&maxResults=100")]
    assert "Amara Osei" in names
    assert "Jonas Lindqvist" not in names
    world.jira.site.project("OPS").unassignable.add(world.jira.account_id("Amara Osei"))
    assert jira.get("/user/assignable/search?project=OPS&query=amara") == []


def test_a_user_is_read_by_account_id(jira: Any) -> None:
    assert (
        jira.get(f"/user?accountId={BOT_ACCOUNT}")["displayName"]
        == jira.get("/myself")["displayName"]
        == "syncd"
    )
    jira.get("/user?accountId=nobody")
    assert jira.status == 404
