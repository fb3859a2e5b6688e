from typing import Any

from syncd.sandbox.cast import BOT_ACCOUNT


def test_a_comment_is_written_with_its_property(world: Any, jira: Any, issue: str) -> None:
    world.advance(60)
    mark = {"key": "syncd", "value": {"op": "a"}}
    made = jira.post(f"/issue/{issue}/comment", {"body": "h3. Update", "properties": [mark]})
    assert (jira.status, made["body"], made["author"]["accountId"]) == (201, "h3. Update", BOT_ACCOUNT)
    assert "properties" not in made
    plain = jira.get(f"/issue/{issue}/comment")["comments"][0]
    assert "properties" not in plain
    listed = jira.get(f"/issue/{issue}/comment?expand=properties")["comments"][0]
    assert listed["properties"] == [mark]
    assert jira.get(f"/comment/{made['id']}/properties/syncd")["value"] == {"op": "a"}
    assert jira.get(f"/issue/{issue}")["fields"]["updated"] == "2026-11-16T06:01:00.000+0000"


def test_comments_are_paged_by_place(world: Any, jira: Any, issue: str) -> None:
    for number in range(5):
        world.jira.comment(issue, f"number {number}", "Amara Osei")
    page = jira.get(f"/issue/{issue}/comment?startAt=3&maxResults=5")
    assert (page["startAt"], page["total"]) == (3, 5)
    assert [comment["body"] for comment in page["comments"]] == ["number 3", "number 4"]
    newest = jira.get(f"/issue/{issue}/comment?orderBy=-created&maxResults=1")
    assert newest["comments"][0]["body"] == "number 4"


def test_comments_are_edited_and_deleted_by_people(world: Any, jira: Any, issue: str) -> None:
    first, second = (world.jira.comment(issue, text, "Amara Osei") for text in ("first", "second"))
    world.advance(60)
    world.jira.edit_comment(issue, first.id, "first, corrected", "Priya Raman")
    world.jira.delete_comment(issue, second.id, "Priya Raman")
    comments = jira.get(f"/issue/{issue}/comment")["comments"]
    assert [(comment["body"], comment["updateAuthor"]["displayName"]) for comment in comments] == [
        ("first, corrected", "Priya Raman")
    ]
    jira.get(f"/issue/{issue}/comment/{second.id}")
    assert jira.status == 404


def test_an_edit_over_the_api_keeps_properties(jira: Any, issue: str) -> None:
    made = jira.post(f"/issue/{issue}/comment", {"body": "a", "properties": [{"key": "syncd", "value": 1}]})
    shown = jira.put(f"/issue/{issue}/comment/{made['id']}?expand=properties", {"body": "b"})
    assert (shown["body"], shown["properties"]) == ("b", [{"key": "syncd", "value": 1}])


def test_empty_and_endless_comments_are_refused(jira: Any, issue: str) -> None:
    for body in ("", "  ", "x" * 32_768):
        jira.post(f"/issue/{issue}/comment", {"body": body})
        assert jira.status == 400
    assert jira.get(f"/issue/{issue}/comment")["total"] == 0


def test_a_comment_reaches_customers_unless_it_says_internal(jira: Any, issue: str) -> None:
    internal = {"key": "sd.public.comment", "value": {"internal": True}}
    open_, closed = (
        jira.post(f"/issue/{issue}/comment", {"body": "x", "properties": rows}) for rows in ([], [internal])
    )
    assert (open_["jsdPublic"], closed["jsdPublic"]) == (True, False)


def test_a_property_is_new_once_and_does_not_count_as_an_update(world: Any, jira: Any, issue: str) -> None:
    world.advance(60)
    path = f"/issue/{issue}/properties/syncd"
    jira.get(path)
    assert jira.status == 404
    statuses = []
    for value in ({"op": "a"}, {"op": "b"}):
        jira.put(path, value)
        statuses.append(jira.status)
    assert statuses == [201, 200]
    assert jira.get(path) == {"key": "syncd", "value": {"op": "b"}}
    assert [key["key"] for key in jira.get(f"/issue/{issue}/properties")["keys"]] == ["syncd"]
    assert jira.get(f"/issue/{issue}")["fields"]["updated"] == "2026-11-16T06:00:00.000+0000"


def test_a_property_has_limits(jira: Any, issue: str) -> None:
    for key, body in (("x" * 256, b"1"), ("syncd", b'"' + b"x" * 32_768 + b'"'), ("syncd", b"{not json")):
        jira.put(f"/issue/{issue}/properties/{key}", body)
        assert jira.status == 400


def test_a_link_is_read_from_both_sides_and_made_once(world: Any, jira: Any, issue: str) -> None:
    other = world.jira.create("Priya Raman", "another").key
    body = {"type": {"name": "Blocks"}, "inwardIssue": {"key": issue}, "outwardIssue": {"key": other}}
    for _ in range(2):
        jira.post("/issueLink", body)
        assert jira.status == 201
    (here,) = jira.get(f"/issue/{issue}")["fields"]["issuelinks"]
    (there,) = jira.get(f"/issue/{other}")["fields"]["issuelinks"]
    assert (here["outwardIssue"]["key"], here["type"]["outward"]) == (other, "blocks")
    assert there["inwardIssue"]["key"] == issue
    words = [
        jira.get(f"/issue/{key}/changelog")["values"][-1]["items"][0]["toString"] for key in (issue, other)
    ]
    assert words == [f"This issue blocks {other}", f"This issue is blocked by {issue}"]


def test_linking_what_is_not_there_is_refused(jira: Any, issue: str) -> None:
    for kind, other in (("Blocks", "OPS-99"), ("Hugs", issue)):
        body = {"type": {"name": kind}, "inwardIssue": {"key": issue}, "outwardIssue": {"key": other}}
        jira.post("/issueLink", body)
        assert jira.status == 404


def test_a_clone_carries_labels_and_not_properties(world: Any, jira: Any, issue: str) -> None:
    jira.put(f"/issue/{issue}", {"fields": {"labels": ["syncd"]}})
    jira.put(f"/issue/{issue}/properties/syncd", {"op": "a"})
    clone = world.jira.clone(issue, "Amara Osei")
    shown = jira.get(f"/issue/{clone.key}?properties=*all")
    assert (shown["fields"]["labels"], shown["properties"]) == (["syncd"], {})
    assert shown["fields"]["summary"].startswith("CLONE - ")
    assert shown["fields"]["issuelinks"][0]["outwardIssue"]["key"] == issue
    assert clone.made_by == "person"


def test_deleting_an_issue_takes_its_sub_tasks_along(world: Any, jira: Any, issue: str) -> None:
    child = world.jira.create("Amara Osei", "step", type="Sub-task", parent={"key": issue})
    world.jira.delete(issue)
    jira.get(f"/issue/{child.key}")
    assert jira.status == 404
