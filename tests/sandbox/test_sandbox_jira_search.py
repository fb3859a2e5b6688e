from typing import Any
from urllib.parse import quote

import pytest

from syncd.sandbox.cast import BOT_ACCOUNT


@pytest.fixture
def keys(world: Any) -> list[str]:
    """Three issues, a minute apart."""
    made = []
    for summary, labels in (
        ("first alarm", ["syncd", "pd-Q1"]),
        ("second alarm", ["syncd"]),
        ("unrelated", []),
    ):
        made.append(world.jira.create("Priya Raman", summary, type="Incident", labels=labels).key)
        world.advance(60)
    return made


def found(jira: Any, jql: str, **more: Any) -> list[str]:
    answer = jira.post("/search/jql", {"jql": jql, "fields": ["key"], **more})
    assert jira.status == 200, answer
    return [issue["key"] for issue in answer["issues"]]


def refused(jira: Any, jql: str) -> str:
    answer = jira.post("/search/jql", {"jql": jql})
    assert jira.status == 400, answer
    words: str = answer["errorMessages"][0]
    return words


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_old_search_is_gone(jira: Any, method: str) -> None:
    answer = jira.ask(method, "/search?jql=project=OPS", {"jql": "project=OPS"} if method == "POST" else None)
    assert jira.status == 410
    assert "Please migrate to the /rest/api/3/search/jql API" in answer["errorMessages"][0]


def test_by_default_only_ids_are_shown(jira: Any, keys: list[str]) -> None:
    answer = jira.get("/search/jql?jql=project%20%3D%20OPS")
    assert [list(issue) for issue in answer["issues"]] == [["id"]] * 3
    assert answer["isLast"] is True
    assert "nextPageToken" not in answer


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = OPS", [2, 1, 0]),
        ("project in (OPS, ENG) ORDER BY key ASC", [0, 1, 2]),
        ('project = "Operations" ORDER BY key', [0, 1, 2]),
        ("project = OPS ORDER BY updated DESC, key ASC", [2, 1, 0]),
        ("labels = syncd ORDER BY key", [0, 1]),
        ("labels in (pd-q1, pd-q2)", [0]),
        ("labels is EMPTY", [2]),
        ("labels != syncd", []),
        ("labels not in (pd-Q1) ORDER BY key", [1]),
        ("key in (OPS-1, OPS-3) ORDER BY key", [0, 2]),
        ("key >= OPS-2 AND project = OPS ORDER BY key", [1, 2]),
        ("key > OPS-0 AND key < OPS-3 ORDER BY key", [0, 1]),
        ("key >= ENG-1", []),
        ("id > 10001 ORDER BY id", [1, 2]),
        ("issuetype = Incident AND NOT key = OPS-1 ORDER BY key", [1, 2]),
        ("(key = OPS-1 OR key = OPS-2) AND labels = pd-Q1", [0]),
        ('status = "To Do" ORDER BY key', [0, 1, 2]),
        ("statusCategory = Done", []),
        ("updated >= -2m ORDER BY key", [1, 2]),
        ("created > -1h AND created <= -2m ORDER BY key", [0, 1]),
        ('created >= "2026-11-16 06:01" ORDER BY key', [1, 2]),
        ("created >= startOfDay() AND created <= now() ORDER BY key", [0, 1, 2]),
        ('summary ~ "alarm" ORDER BY key', [0, 1]),
        ("reporter = currentUser()", []),
        ("resolution = Unresolved AND project = OPS ORDER BY key", [0, 1, 2]),
        ("assignee is EMPTY AND project = OPS ORDER BY created", [0, 1, 2]),
        ("duedate < 2026-12-01", []),
        ("parent = OPS-1", []),
        ("priority = Medium AND type = Incident ORDER BY priority, key", [0, 1, 2]),
    ],
)
def test_a_query_finds(jira: Any, keys: list[str], jql: str, expected: list[int]) -> None:
    assert found(jira, jql) == [keys[place] for place in expected]


@pytest.mark.parametrize(
    ("jql", "words"),
    [
        ("", "Unbounded JQL queries are not allowed here."),
        ("ORDER BY key", "Unbounded JQL queries are not allowed here."),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("key = OPS-99", "An issue with key 'OPS-99' does not exist for field 'key'."),
        ("status = Nope", "The value 'Nope' does not exist for the field 'status'."),
        ("severity = high", "Field 'severity' does not exist or you do not have permission to view it."),
        ("issue.property[syncd].op = x", "Field 'issue.property[syncd].op' does not exist"),
        ("project", "Error in the JQL Query"),
        ("project =", "Error in the JQL Query"),
        ("project = OPS AND", "Error in the JQL Query"),
        ("project = OPS extra", "Error in the JQL Query"),
        ("project in OPS", "Error in the JQL Query"),
        ("updated >= -90s", "Date value '-90s' for field is invalid."),
        ("updated >= yesterday", "Date value 'yesterday' for field is invalid."),
        ("project = OPS ORDER BY mood", "Not able to sort using field 'mood'."),
        ("assignee = membersOf()", "Unable to find JQL function 'membersof()'."),
        ("key > 7", "The value '7' does not exist for the field 'key'."),
        ("labels > x", "The operator '>' is not supported by the 'labels' field."),
    ],
)
def test_a_query_that_means_nothing_is_refused_in_words(
    jira: Any, keys: list[str], jql: str, words: str
) -> None:
    assert refused(jira, jql).startswith(words)


def test_times_without_a_zone_are_read_in_the_accounts_zone(world: Any, jira: Any, keys: list[str]) -> None:
    world.jira.site.people[BOT_ACCOUNT].time_zone = "Asia/Kolkata"
    assert found(jira, 'created >= "2026-11-16 11:32"') == [keys[2]]
    assert found(jira, 'created >= "2026-11-16 06:00" ORDER BY key') == keys


def test_pages_are_followed_by_their_tokens(jira: Any, keys: list[str]) -> None:
    path = f"/search/jql?jql={quote('project = OPS ORDER BY key')}&fields=key&maxResults=2"
    first = jira.get(path)
    assert (len(first["issues"]), first["isLast"]) == (2, False)
    second = jira.get(f"{path}&nextPageToken={quote(first['nextPageToken'])}")
    assert ([issue["key"] for issue in second["issues"]], second["isLast"]) == ([keys[2]], True)


def test_a_token_belongs_to_its_query_and_dies_after_a_week(world: Any, jira: Any, keys: list[str]) -> None:
    token = jira.post("/search/jql", {"jql": "project = OPS", "maxResults": 1})["nextPageToken"]
    for jql, wait in (("project = ENG", 0), ("project = OPS", 8 * 86_400)):
        world.advance(wait)
        jira.post("/search/jql", {"jql": jql, "nextPageToken": token})
        assert jira.status == 400
    jira.post("/search/jql", {"jql": "project = OPS", "nextPageToken": "nonsense"})
    assert jira.status == 400


def test_whole_issues_come_at_most_a_hundred_at_a_time(world: Any, jira: Any) -> None:
    for number in range(120):
        world.jira.create("Priya Raman", f"number {number}")
    assert len(jira.post("/search/jql", {"jql": "project = OPS", "maxResults": 5000})["issues"]) == 120
    page = jira.post("/search/jql", {"jql": "project = OPS", "fields": ["summary"], "maxResults": 5000})
    assert (len(page["issues"]), page["isLast"]) == (100, False)


def test_the_index_lags_in_what_it_finds_and_in_what_it_shows(world: Any, jira: Any, keys: list[str]) -> None:
    world.jira.site.options.search_lag = 30
    new = world.jira.create("Priya Raman", "brand new", type="Incident")
    world.jira.edit(keys[0], "Priya Raman", summary="renamed", labels=["other"])
    world.jira.set_property(keys[0], "syncd", {"op": "a"}, "Priya Raman")
    assert found(jira, "labels = pd-Q1") == [keys[0]]
    assert new.key not in found(jira, "project = OPS")
    page = jira.post("/search/jql", {"jql": "key = OPS-1", "fields": ["summary"], "properties": ["syncd"]})
    assert (page["issues"][0]["fields"]["summary"], page["issues"][0]["properties"]) == ("first alarm", {})
    assert jira.get(f"/issue/{keys[0]}")["fields"]["summary"] == "renamed"
    reconciled = {"jql": "project = OPS", "fields": ["summary"], "reconcileIssues": [10001, new.id]}
    page = jira.post("/search/jql", reconciled)
    assert {issue["fields"]["summary"] for issue in page["issues"]} >= {"renamed", "brand new"}
    world.advance(30)
    assert found(jira, "labels = pd-Q1") == []
    assert new.key in found(jira, "project = OPS")


def test_a_poll_by_update_finds_late_what_the_index_learns_late(
    world: Any, jira: Any, keys: list[str]
) -> None:
    world.jira.site.options.search_lag = 120
    world.advance(3600)
    world.jira.edit(keys[0], "Priya Raman", summary="renamed")
    poll = "project in (OPS) AND updated >= -10m ORDER BY updated"
    assert found(jira, poll) == []
    world.advance(120)
    assert found(jira, poll) == [keys[0]]


def test_the_index_counts(jira: Any, keys: list[str]) -> None:
    assert jira.post("/search/approximate-count", {"jql": "labels = syncd"}) == {"count": 2}


def test_hidden_issues_are_not_found(world: Any, jira: Any, keys: list[str]) -> None:
    world.jira.set_security(keys[0], "Board only", "Priya Raman")
    world.jira.set_security(keys[1], "Security incident", "Priya Raman")
    assert found(jira, "project = OPS ORDER BY key") == keys[1:]
