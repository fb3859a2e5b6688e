from datetime import timedelta
from typing import Any

import pytest
from sandbox_calls import fields

from syncd.sandbox.cast import BOT_ACCOUNT, START


def problems(jira: Any, **given: Any) -> dict[str, str]:
    body = fields("x", **given)
    answer = jira.post(
        "/issue", {"fields": {name: value for name, value in body.items() if value != "left out"}}
    )
    assert jira.status == 400
    errors: dict[str, str] = answer["errors"]
    return errors


def test_wrong_credentials_are_told_from_none(jira: Any) -> None:
    jira.get("/myself", Authorization="Basic d3Jvbmc6d3Jvbmc=")
    assert (jira.status, jira.last.headers["X-Seraph-LoginReason"]) == (401, "AUTHENTICATED_FAILED")
    jira.headers = {}
    jira.get("/myself")
    assert jira.status == 401
    assert jira.get("/serverInfo")["deploymentType"] == "Cloud"


def test_an_issue_is_made_with_its_properties_in_one_act(world: Any, jira: Any) -> None:
    mark = {"op": "0123456789abcdef", "kind": "ticket"}
    made = jira.post(
        "/issue",
        {
            "fields": fields(
                "Checkout is down",
                description="h2. Summary",
                priority={"id": "1"},
                labels=["syncd", "pd-Q1"],
                components=[{"name": "Payments"}],
                assignee={"accountId": BOT_ACCOUNT},
                duedate="2026-11-20",
                customfield_10050={"value": "SEV1"},
            ),
            "properties": [{"key": "syncd", "value": mark}],
        },
    )
    assert (jira.status, made["key"], made["self"]) == (
        201,
        "OPS-1",
        "https://ops.jira.example/rest/api/2/issue/10001",
    )
    shown = jira.get(f"/issue/{made['id']}?properties=syncd")
    assert shown["properties"] == {"syncd": mark}
    values = shown["fields"]
    assert values["created"] == values["updated"] == "2026-11-16T06:00:00.000+0000"
    assert (values["status"]["name"], values["status"]["statusCategory"]["key"]) == ("To Do", "new")
    assert (values["priority"]["name"], values["labels"]) == ("Highest", ["syncd", "pd-Q1"])
    assert values["components"][0]["name"] == "Payments"
    assert values["assignee"]["accountId"] == values["reporter"]["accountId"] == BOT_ACCOUNT
    assert (values["customfield_10050"]["value"], values["duedate"]) == ("SEV1", "2026-11-20")
    assert values["resolution"] is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("summary", "left out", "You must specify a summary of the issue."),
        ("summary", "x" * 256, "Summary can't exceed 255 characters."),
        ("summary", "\U0001f525" * 128, "Summary can't exceed 255 characters."),
        ("summary", "a\nb", "The summary is invalid because it contains newline characters."),
        (
            "description",
            "x" * 32_768,
            "The entered text is too long. It exceeds the allowed limit of 32,767 characters.",
        ),
        ("labels", ["two words"], "The label 'two words' contains spaces which is invalid."),
        (
            "fixVersions",
            [],
            "Field 'fixVersions' cannot be set. It is not on the appropriate screen, or unknown.",
        ),
        ("priority", {"id": "77"}, "The priority selected is invalid."),
        ("assignee", {"accountId": "nobody"}, "User 'nobody' does not exist."),
        ("issuetype", {"id": "1"}, "Specify a valid issue type"),
        ("project", {"key": "NOPE"}, "Specify a valid project ID or key"),
        ("components", [{"name": "Nope"}], "Component name 'Nope' is not valid"),
        ("customfield_10050", {"value": "SEV9"}, "Option value 'SEV9' is not valid"),
        ("duedate", "tomorrow", "Error parsing date string: tomorrow"),
    ],
)
def test_what_cannot_be_created_is_named_field_by_field(
    jira: Any, field: str, value: Any, words: str
) -> None:
    assert problems(jira, **{field: value}) == {field: words}


def test_all_refused_fields_are_named_at_once(jira: Any) -> None:
    assert set(problems(jira, summary="left out", labels=["a b"], nope=1)) == {"summary", "labels", "nope"}


def test_somebody_who_left_cannot_be_assigned(world: Any, jira: Any) -> None:
    gone = world.jira.account_id("Jonas Lindqvist")
    assert "cannot be assigned" in problems(jira, assignee={"accountId": gone})["assignee"]


def test_a_sub_task_needs_a_parent_in_its_project(world: Any, jira: Any, issue: str) -> None:
    assert "parent" in problems(jira, issuetype={"id": "10105"})
    other = world.jira.create("Priya Raman", "elsewhere", project="ENG")
    assert "same project" in problems(jira, issuetype={"id": "10105"}, parent={"key": other.key})["parent"]
    made = jira.post("/issue", {"fields": fields("step", "10105", parent={"key": issue})})
    assert jira.get(f"/issue/{issue}")["fields"]["subtasks"][0]["key"] == made["key"]


def test_only_sub_tasks_have_a_parent_and_never_one_of_their_kind(jira: Any, issue: str) -> None:
    child = jira.post("/issue", {"fields": fields("step", "10105", parent={"key": issue})})["key"]
    assert "hierarchy" in problems(jira, parent={"key": issue})["parent"]
    assert "hierarchy" in problems(jira, issuetype={"id": "10105"}, parent={"key": child})["parent"]


def test_a_level_is_set_only_by_those_who_are_in_it(world: Any, jira: Any, issue: str) -> None:
    assert "does not exist" in problems(jira, security={"name": "Board only"})["security"]
    jira.put(f"/issue/{issue}", {"fields": {"security": {"name": "Security incident"}}})
    assert jira.get(f"/issue/{issue}")["fields"]["security"]["name"] == "Security incident"
    world.jira.site.project("OPS").denied.add("SET_ISSUE_SECURITY")
    assert "not on the appropriate screen" in problems(jira, security={"id": "10500"})["security"]


def test_a_transition_in_the_create_may_fail_beside_the_201(jira: Any) -> None:
    good = jira.post("/issue", {"fields": fields("x"), "transition": {"id": "12"}})
    assert (good["transition"]["status"], jira.get(f"/issue/{good['key']}")["fields"]["status"]["name"]) == (
        200,
        "In Progress",
    )
    bad = jira.post("/issue", {"fields": fields("x"), "transition": {"id": "99"}})
    assert (jira.status, bad["transition"]["status"]) == (201, 400)
    assert jira.get(f"/issue/{bad['key']}")["fields"]["status"]["name"] == "To Do"


def test_an_edit_is_dated_and_in_the_changelog(world: Any, jira: Any, issue: str) -> None:
    world.advance(90)
    jira.put(f"/issue/{issue}", {"fields": {"summary": "new", "priority": {"id": "1"}}})
    assert (jira.status, jira.last.body) == (204, b"")
    shown = jira.get(f"/issue/{issue}?expand=changelog&fields=summary,updated")
    assert shown["fields"] == {"summary": "new", "updated": "2026-11-16T06:01:30.000+0000"}
    entry = shown["changelog"]["histories"][0]
    assert (entry["author"]["accountId"], entry["created"]) == (BOT_ACCOUNT, "2026-11-16T06:01:30.000+0000")
    assert {(item["field"], item["fromString"], item["toString"]) for item in entry["items"]} == {
        ("summary", "Checkout is down", "new"),
        ("priority", "Medium", "Highest"),
    }


def test_an_edit_that_changes_nothing_leaves_no_trace(world: Any, jira: Any, issue: str) -> None:
    world.advance(90)
    jira.put(f"/issue/{issue}", {"fields": {"summary": "Checkout is down"}})
    assert jira.get(f"/issue/{issue}/changelog")["values"] == []
    assert jira.get(f"/issue/{issue}")["fields"]["updated"] == "2026-11-16T06:00:00.000+0000"


def test_labels_are_added_and_removed_by_verbs(jira: Any, issue: str) -> None:
    jira.put(f"/issue/{issue}", {"update": {"labels": [{"add": "a"}, {"add": "b"}]}})
    jira.put(f"/issue/{issue}", {"update": {"labels": [{"remove": "a"}, {"add": "c"}]}})
    assert jira.get(f"/issue/{issue}")["fields"]["labels"] == ["b", "c"]
    jira.put(f"/issue/{issue}", {"update": {"labels": [{"set": ["d"]}]}})
    assert jira.get(f"/issue/{issue}")["fields"]["labels"] == ["d"]
    changes = jira.get(f"/issue/{issue}/changelog")["values"]
    assert [(change["items"][0]["fromString"], change["items"][0]["toString"]) for change in changes] == [
        ("", "a b"), ("a b", "b c"), ("b c", "d"),
    ]  # fmt: skip


def test_a_field_in_both_parts_of_an_edit_is_refused(jira: Any, issue: str) -> None:
    jira.put(f"/issue/{issue}", {"fields": {"labels": []}, "update": {"labels": [{"add": "a"}]}})
    assert jira.status == 400


def test_an_assignee_is_given_and_taken(world: Any, jira: Any, issue: str) -> None:
    amara = world.jira.account_id("Amara Osei")
    for value, expected in (
        ({"accountId": amara}, "Amara Osei"),
        ({"id": BOT_ACCOUNT}, "syncd"),
        (None, None),
    ):
        jira.put(f"/issue/{issue}", {"fields": {"assignee": value}})
        assert (jira.get(f"/issue/{issue}")["fields"]["assignee"] or {}).get("displayName") == expected
    jira.put(f"/issue/{issue}/assignee", {"accountId": "-1"})
    assert jira.get(f"/issue/{issue}")["fields"]["assignee"]["displayName"] == "Priya Raman"


def test_a_compulsory_field_cannot_be_emptied(jira: Any, issue: str) -> None:
    assert "summary" in jira.put(f"/issue/{issue}", {"fields": {"summary": ""}})["errors"]


def test_a_document_by_version_3_is_text_by_version_2(jira: Any) -> None:
    text = {"type": "paragraph", "content": [{"type": "text", "text": "It is down."}]}
    document = {"type": "doc", "version": 1, "content": [text]}
    jira.root = "/rest/api/3"
    made = jira.post("/issue", {"fields": fields("x", description=document)})["key"]
    assert jira.get(f"/issue/{made}")["fields"]["description"] == document
    jira.root = "/rest/api/2"
    assert jira.get(f"/issue/{made}")["fields"]["description"] == "It is down."


def test_times_are_shown_in_the_zone_of_who_asks(world: Any, jira: Any, issue: str) -> None:
    world.jira.site.people[BOT_ACCOUNT].time_zone = "Asia/Kolkata"
    assert jira.get(f"/issue/{issue}")["fields"]["created"] == "2026-11-16T11:30:00.000+0530"


def test_absent_hidden_and_deleted_look_alike(world: Any, jira: Any, issue: str) -> None:
    hidden = world.jira.create("Priya Raman", "a secret")
    world.jira.set_security(hidden.key, "Board only", "Priya Raman")
    world.jira.delete(issue)
    answers = [jira.get(f"/issue/{name}") for name in (hidden.key, issue, "OPS-99")]
    assert [answer["errorMessages"] for answer in answers] == [
        ["Issue does not exist or you do not have permission to see it."]
    ] * 3


def test_a_moved_issue_answers_to_both_keys(world: Any, jira: Any, issue: str) -> None:
    world.jira.move(issue, "ENG", "Priya Raman", type="Task")
    old, new = jira.get(f"/issue/{issue}"), jira.get("/issue/ENG-1")
    assert old == new
    assert (old["key"], old["fields"]["project"]["key"]) == ("ENG-1", "ENG")
    change = jira.get("/issue/ENG-1/changelog")["values"][0]["items"][0]
    assert (change["field"], change["fromString"], change["toString"]) == ("Key", "OPS-1", "ENG-1")


def test_writing_to_one_issue_too_fast_is_refused_with_the_reason(world: Any, jira: Any, issue: str) -> None:
    for number in range(20):
        jira.put(f"/issue/{issue}", {"fields": {"summary": f"number {number}"}})
        assert jira.status == 204
    jira.put(f"/issue/{issue}", {"fields": {"summary": "too much"}})
    headers = jira.last.headers
    assert (jira.status, headers["RateLimit-Reason"]) == (429, "jira-per-issue-on-write")
    assert (headers["Retry-After"], headers["X-RateLimit-Reset"]) == ("2", "2026-11-16T06:00:02Z")
    world.advance(2)
    jira.put(f"/issue/{issue}", {"fields": {"summary": "again"}})
    assert jira.status == 204


def test_a_burst_is_refused_and_refills_in_sandbox_time(world: Any, jira: Any) -> None:
    statuses = []
    for _ in range(101):
        jira.get("/myself")
        statuses.append(jira.status)
    assert statuses == [200] * 100 + [429]
    assert jira.last.headers["RateLimit-Reason"] == "jira-burst-based"
    world.advance(1)
    jira.get("/myself")
    assert jira.status == 200


def test_nothing_is_deleted_over_the_api(world: Any, jira: Any, issue: str) -> None:
    jira.ask("DELETE", f"/issue/{issue}")
    assert jira.status == 405
    assert len(world.journal.offences()) == 1
    assert jira.get(f"/issue/{issue}")["key"] == issue


def test_others_use_the_project_too(world: Any, jira: Any, issue: str) -> None:
    world.jira.others(30)
    world.advance(3600)
    made = jira.post("/issue", {"fields": fields("ours again")})
    gap = int(made["key"].removeprefix("OPS-")) - 2
    assert 15 < gap < 50
    theirs = world.jira.find("OPS-2")
    assert theirs.made_by == "person"
    assert START < theirs.created < START + timedelta(hours=1)
