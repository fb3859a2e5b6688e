from typing import Any

import pytest

from syncd.sandbox import presets
from syncd.sandbox.cast import BOT_ACCOUNT


def ways(jira: Any, issue: str) -> dict[str, str]:
    rows = jira.get(f"/issue/{issue}/transitions")["transitions"]
    return {row["to"]["name"]: row["id"] for row in rows}


def move(jira: Any, issue: str, to: str, **body: Any) -> int:
    jira.post(f"/issue/{issue}/transitions", {"transition": {"id": ways(jira, issue)[to]}, **body})
    status: int = jira.status
    return status


def shown(jira: Any, issue: str) -> tuple[str, str | None]:
    values = jira.get(f"/issue/{issue}")["fields"]
    return values["status"]["name"], (values["resolution"] or {}).get("name")


def test_the_ways_out_and_their_ids_depend_on_the_status(jira: Any, issue: str) -> None:
    first = ways(jira, issue)
    assert set(first) == {"In Progress", "In Review", "Done"}
    assert move(jira, issue, "In Progress") == 204
    second = ways(jira, issue)
    assert set(second) == {"To Do", "In Review", "Done"}
    assert second["Done"] != first["Done"]


def test_an_id_from_another_status_is_refused(jira: Any, issue: str) -> None:
    stale = ways(jira, issue)["Done"]
    move(jira, issue, "In Progress")
    answer = jira.post(f"/issue/{issue}/transitions", {"transition": {"id": stale}})
    assert (jira.status, answer["errorMessages"]) == (
        400,
        [f"Transition id '{stale}' is not valid for this issue."],
    )
    assert shown(jira, issue) == ("In Progress", None)


def test_done_sets_the_resolution_and_leaving_clears_it(world: Any, jira: Any, issue: str) -> None:
    move(jira, issue, "Done")
    assert shown(jira, issue) == ("Done", "Done")
    assert jira.get(f"/issue/{issue}")["fields"]["resolutiondate"] == "2026-11-16T06:00:00.000+0000"
    world.advance(60)
    move(jira, issue, "In Progress")
    assert shown(jira, issue) == ("In Progress", None)
    entry = jira.get(f"/issue/{issue}/changelog")["values"][-1]
    assert entry["author"]["accountId"] == BOT_ACCOUNT
    assert {(item["fieldId"], item["fromString"], item["toString"]) for item in entry["items"]} == {
        ("resolution", "Done", None),
        ("status", "Done", "In Progress"),
    }


def test_a_required_screen_field_must_come_along(world: Any, jira: Any) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.resolution_screen())
    made = world.jira.create("Priya Raman", "x").key
    assert move(jira, made, "Done") == 400
    assert jira.last.json()["errors"] == {"resolution": "Resolution is required."}
    row = next(
        row
        for row in jira.get(f"/issue/{made}/transitions?expand=transitions.fields")["transitions"]
        if row["to"]["name"] == "Done"
    )
    assert row["hasScreen"] is True
    assert row["fields"]["resolution"]["required"] is True
    assert "Won't Do" in [
        allowedvalue["name"] for allowedvalue in row["fields"]["resolution"]["allowedValues"]
    ]
    assert move(jira, made, "Done", fields={"resolution": {"name": "Won't Do"}}) == 204
    assert shown(jira, made) == ("Done", "Won't Do")


def test_a_field_that_is_not_on_the_screen_is_refused(jira: Any, issue: str) -> None:
    assert move(jira, issue, "Done", fields={"summary": "x"}) == 400
    assert "not on the appropriate screen" in jira.last.json()["errors"]["summary"]
    assert shown(jira, issue) == ("To Do", None)


def test_a_comment_can_ride_on_a_transition(jira: Any, issue: str) -> None:
    assert move(jira, issue, "Done", update={"comment": [{"add": {"body": "over"}}]}) == 204
    assert jira.get(f"/issue/{issue}/comment")["comments"][0]["body"] == "over"


def test_without_the_permission_there_are_no_ways(world: Any, jira: Any, issue: str) -> None:
    world.jira.site.project("OPS").denied.add("TRANSITION_ISSUES")
    assert jira.get(f"/issue/{issue}/transitions")["transitions"] == []
    jira.post(f"/issue/{issue}/transitions", {"transition": {"id": "12"}})
    assert jira.status == 400


def test_a_strict_workflow_goes_step_by_step(world: Any, jira: Any) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.strict())
    made = world.jira.create("Priya Raman", "x").key
    walked = []
    for to in ("In Progress", "In Review", "Done", "To Do"):
        assert move(jira, made, to) == 204
        walked.append((set(ways(jira, made)), shown(jira, made)))
    assert walked == [
        ({"In Review", "To Do"}, ("In Progress", None)),
        ({"Done", "In Progress"}, ("In Review", None)),
        ({"To Do"}, ("Done", "Done")),
        ({"In Progress"}, ("To Do", None)),
    ]


def test_a_workflow_without_a_way_back_ends_in_done(world: Any, jira: Any) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.no_way_back())
    made = world.jira.create("Priya Raman", "x").key
    move(jira, made, "Done")
    assert ways(jira, made) == {}


def test_a_workflow_may_leave_the_resolution_alone(world: Any, jira: Any) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.unresolving())
    made = world.jira.create("Priya Raman", "x").key
    move(jira, made, "Done")
    assert shown(jira, made) == ("Done", None)
    assert jira.get(f"/issue/{made}/transitions")["transitions"][0]["isGlobal"] is True


def test_a_localised_site_keeps_the_names_of_creation(world: Any, jira: Any) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.localised(), "Incident")
    made = world.jira.create("Priya Raman", "x", type="Incident").key
    status = jira.get(f"/issue/{made}")["fields"]["status"]
    assert (status["name"], status["untranslatedName"]) == ("Zu erledigen", "To Do")
    assert move(jira, made, "Fertig") == 204
    answer = jira.post("/search/jql", {"jql": 'status = "Done"', "fields": ["key"]})
    assert [issue["key"] for issue in answer["issues"]] == [made]


def test_people_move_issues_by_the_ways_that_there_are(world: Any, issue: str) -> None:
    presets.use_workflow(world.jira.site, "OPS", presets.strict())
    with pytest.raises(LookupError, match="no way"):
        world.jira.transition(issue, "Done", "Priya Raman")
