from typing import Any

from sandbox_calls import fields


def marked(number: int) -> dict[str, Any]:
    return {
        "fields": fields(f"number {number}"),
        "properties": [{"key": "syncd", "value": {"op": str(number)}}],
    }


def test_a_bulk_create_names_what_failed_and_not_what_became_which(jira: Any) -> None:
    rows = [marked(number) for number in range(10)]
    rows[3] = {"fields": fields("")}
    answer = jira.post("/issue/bulk", {"issueUpdates": rows})
    assert jira.status == 201
    assert [error["failedElementNumber"] for error in answer["errors"]] == [3]
    assert answer["errors"][0]["elementErrors"]["errors"]["summary"]
    keys = [issue["key"] for issue in answer["issues"]]
    assert sorted(keys, key=lambda key: int(key[4:])) == [f"OPS-{number}" for number in range(1, 10)]
    assert keys != sorted(keys, key=lambda key: int(key[4:]))
    fetched = jira.post(
        "/issue/bulkfetch", {"issueIdsOrKeys": keys, "properties": ["syncd"], "fields": ["summary"]}
    )
    assert all(
        issue["fields"]["summary"] == f"number {issue['properties']['syncd']['op']}"
        for issue in fetched["issues"]
    )


def test_a_bulk_create_in_which_all_fails_is_a_400(jira: Any) -> None:
    answer = jira.post("/issue/bulk", {"issueUpdates": [{"fields": fields("")}] * 2})
    assert jira.status == 400
    assert answer["issues"] == []
    assert [error["failedElementNumber"] for error in answer["errors"]] == [0, 1]


def test_fifty_at_once_and_no_more(world: Any, jira: Any) -> None:
    jira.post("/issue/bulk", {"issueUpdates": [marked(number) for number in range(51)]})
    assert (jira.status, len(world.jira.site.issues)) == (400, 0)


def test_a_bulk_fetch_is_ascending_and_silent_about_what_it_lacks(world: Any, jira: Any) -> None:
    for number in range(4):
        world.jira.create("Priya Raman", f"number {number}")
    world.jira.delete("OPS-2")
    world.jira.set_security("OPS-3", "Board only", "Priya Raman")
    names = ["OPS-4", "OPS-3", "OPS-2", "OPS-1", "OPS-77", "10001"]
    answer = jira.post("/issue/bulkfetch", {"issueIdsOrKeys": names, "fields": ["status"]})
    assert ([issue["key"] for issue in answer["issues"]], answer["issueErrors"]) == (["OPS-1", "OPS-4"], [])


def test_what_could_not_be_read_this_time_is_among_the_errors(world: Any, jira: Any) -> None:
    made = world.jira.create("Priya Raman", "x")
    world.jira.make_unreadable(made.key)
    body = {"issueIdsOrKeys": [made.key]}
    first = jira.post("/issue/bulkfetch", body)
    assert (first["issues"], first["issueErrors"][0]["id"]) == ([], str(made.id))
    assert [issue["key"] for issue in jira.post("/issue/bulkfetch", body)["issues"]] == [made.key]


def test_a_bulk_fetch_follows_moved_issues(world: Any, jira: Any) -> None:
    world.jira.create("Priya Raman", "x")
    world.jira.move("OPS-1", "ENG", "Priya Raman")
    assert jira.post("/issue/bulkfetch", {"issueIdsOrKeys": ["OPS-1"]})["issues"][0]["key"] == "ENG-1"


def test_a_bulk_fetch_that_lags_misses_what_is_new(world: Any, jira: Any) -> None:
    world.jira.site.options.fetch_lag = 5
    world.jira.create("Priya Raman", "x")
    body = {"issueIdsOrKeys": ["OPS-1"]}
    assert jira.post("/issue/bulkfetch", body)["issues"] == []
    world.advance(5)
    assert len(jira.post("/issue/bulkfetch", body)["issues"]) == 1


def test_a_hundred_at_once_and_no_more(jira: Any) -> None:
    for names in ([], [f"OPS-{number}" for number in range(101)]):
        jira.post("/issue/bulkfetch", {"issueIdsOrKeys": names})
        assert jira.status == 400


def test_changelogs_of_many_issues_by_field_and_page(world: Any, jira: Any) -> None:
    for number in range(2):
        world.jira.create("Priya Raman", f"number {number}")
        world.jira.transition(f"OPS-{number + 1}", "In Progress", "Amara Osei")
        world.jira.edit(f"OPS-{number + 1}", "Amara Osei", summary="renamed")
        world.jira.transition(f"OPS-{number + 1}", "Done", "Amara Osei")
    body = {"issueIdsOrKeys": ["OPS-1", "OPS-2"], "fieldIds": ["status"], "maxResults": 3}
    first = jira.post("/changelog/bulkfetch", body)
    second = jira.post("/changelog/bulkfetch", {**body, "nextPageToken": first["nextPageToken"]})
    assert "nextPageToken" not in second
    seen = [
        (log["issueId"], item["toString"])
        for page in (first, second)
        for log in page["issueChangeLogs"]
        for entry in log["changeHistories"]
        for item in entry["items"]
    ]
    both = [("10001", "In Progress"), ("10001", "Done"), ("10002", "In Progress"), ("10002", "Done")]
    assert seen == both


def test_bulk_changelogs_may_count_milliseconds(world: Any, jira: Any) -> None:
    world.jira.site.options.bulk_changelog_epoch = True
    world.jira.create("Priya Raman", "x")
    world.jira.transition("OPS-1", "Done", "Amara Osei")
    answer = jira.post("/changelog/bulkfetch", {"issueIdsOrKeys": ["OPS-1"]})
    assert answer["issueChangeLogs"][0]["changeHistories"][0]["created"] == 1_794_808_800_000
