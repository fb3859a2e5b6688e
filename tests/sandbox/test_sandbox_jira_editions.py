from typing import Any

from syncd.sandbox import presets
from syncd.sandbox.cast import JIRA_KEY, default_world


def test_data_center_speaks_its_own_dialect(jira: Any) -> None:
    world = default_world(data_center_edition=True)
    jira.service, jira.headers = world.jira, {"Authorization": f"Bearer {JIRA_KEY}"}
    assert jira.get("/serverInfo")["deploymentType"] == "Server"
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Incident"}, "summary": "x"}
    made = jira.post(
        "/issue", {"fields": {**fields, "assignee": {"name": "amara.osei"}}, "transition": {"id": "12"}}
    )
    assert "transition" not in made
    shown = jira.get(f"/issue/{made['key']}")["fields"]
    assert (shown["assignee"]["name"], shown["status"]["name"]) == ("amara.osei", "To Do")
    assert "accountId" not in shown["assignee"]
    assert "untranslatedName" not in shown["status"]
    page = jira.get("/search?jql=project%3DOPS&startAt=0&maxResults=10&fields=summary")
    assert (page["total"], page["issues"][0]["fields"]) == (1, {"summary": "x"})
    assert jira.get("/issue/createmeta/OPS/issuetypes")["values"][0]["name"] == "Incident"
    assert jira.get("/user/search?username=amara")[0]["name"] == "amara.osei"
    jira.put(f"/issue/{made['key']}", {"fields": {"assignee": None}})


def test_data_center_has_neither_bulk_fetch_nor_tokens_nor_version_3(jira: Any) -> None:
    world = default_world(data_center_edition=True)
    jira.service, jira.headers = world.jira, {"Authorization": f"Bearer {JIRA_KEY}"}
    for path in ("/issue/bulkfetch", "/search/jql", "/changelog/bulkfetch"):
        jira.post(path, {"issueIdsOrKeys": ["OPS-1"], "jql": "project = OPS"})
        assert jira.status in (404, 405)
    jira.root = "/rest/api/3"
    jira.get("/myself")
    assert jira.status in (404, 405)


def test_a_team_managed_project_has_no_components_priorities_or_levels(world: Any, jira: Any) -> None:
    presets.team_managed(world.jira.site)
    fields = {"project": {"key": "OPS"}, "issuetype": {"id": "10101"}, "summary": "x"}
    answer = jira.post("/issue", {"fields": {**fields, "priority": {"id": "1"}, "components": []}})
    assert set(answer["errors"]) == {"priority", "components"}
    made = jira.post("/issue", {"fields": fields})["key"]
    assert "priority" not in jira.get(f"/issue/{made}")["fields"]
    assert jira.get("/project/OPS")["style"] == "next-gen"


def test_a_project_may_demand_more(world: Any, jira: Any) -> None:
    presets.require(world.jira.site, "OPS", "customfield_10052")
    fields = {"project": {"key": "OPS"}, "issuetype": {"id": "10101"}, "summary": "x"}
    assert jira.post("/issue", {"fields": fields})["errors"] == {
        "customfield_10052": "Root cause is required."
    }


def test_a_service_project_says_what_it_is(world: Any, jira: Any) -> None:
    presets.service_desk(world.jira.site)
    assert jira.get("/project/OPS")["projectTypeKey"] == "service_desk"
