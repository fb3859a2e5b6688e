"""The two client libraries of the daemon, over loopback."""

import warnings
from collections.abc import Iterator
from typing import Any

import jira
import pytest

from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY
from syncd.sandbox.presets import data_center

with warnings.catch_warnings():
    # the library says at import that another one has taken its place
    warnings.simplefilter("ignore", UserWarning)
    import pdpyras


@pytest.fixture
def session(server: Any) -> Iterator[Any]:
    session = pdpyras.APISession(PAGERDUTY_KEY, default_from=BOT_EMAIL)
    session.url = server.url("pagerduty")
    yield session
    session.close()


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    client = jira.JIRA(server.url("jira"), basic_auth=(BOT_EMAIL, JIRA_KEY), max_retries=0)
    yield client
    client.close()


def test_pdpyras_reads_and_writes_incidents(world: Any, session: Any) -> None:
    made = world.pagerduty.trigger("Payments", "Stripe degraded", priority="P1")
    assert session.rget(f"/incidents/{made.id}")["priority"]["summary"] == "P1"
    assert session.rput(
        f"/incidents/{made.id}", json={"type": "incident_reference", "status": "acknowledged"}
    )
    assert session.rpost(f"/incidents/{made.id}/notes", json={"content": "On it."})["content"] == "On it."
    session.rput(f"/incidents/{made.id}", json={"type": "incident_reference", "status": "resolved"})
    assert (made.status, [note.content for note in made.notes]) == ("resolved", ["On it."])


def test_pdpyras_pages_through_lists(world: Any, session: Any) -> None:
    for number in range(7):
        world.pagerduty.trigger("Payments", f"number {number}")
    listed = list(session.iter_all("incidents", params={"date_range": "all"}, page_size=3))
    assert [entry["incident_number"] for entry in listed] == [1, 2, 3, 4, 5, 6, 7]
    entries = session.list_all("log_entries", params={"include[]": ["incidents"]})
    assert {entry["incident"]["type"] for entry in entries} == {"incident"}
    assert session.find("services", "ETA", attribute="name")["id"] == "PSVC009"


def test_pdpyras_raises_what_the_service_refuses(world: Any, session: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    with pytest.raises(pdpyras.PDHTTPError) as refused:
        session.rpost(f"/incidents/{made.id}/snooze", json={"duration": 60})
    assert refused.value.response.json()["error"]["code"] == 1012
    session.api_key = "wrong"
    with pytest.raises(pdpyras.PDClientError):
        session.rget("/priorities")


def test_jira_makes_moves_and_comments_issues(client: Any) -> None:
    assert client.myself()["accountId"] == BOT_ACCOUNT
    fields = {
        "project": {"key": "OPS"},
        "issuetype": {"name": "Incident"},
        "summary": "x",
        "labels": ["syncd"],
    }
    made = client.create_issue(fields=fields, prefetch=False)
    client.add_issue_property(made.key, "syncd", {"op": "a"})
    assert client.issue_property(made.key, "syncd").raw["value"] == {"op": "a"}
    client.transition_issue(made.key, client.find_transitionid_by_name(made.key, "In Progress"))
    client.issue(made.key).update(fields={"assignee": {"accountId": BOT_ACCOUNT}, "summary": "y"})
    client.add_comment(made.key, "hello")
    shown = client.issue(made.key, expand="changelog")
    assert (shown.fields.summary, shown.fields.status.name) == ("y", "In Progress")
    assert (shown.fields.assignee.displayName, len(shown.changelog.histories)) == ("syncd", 2)
    assert [comment.body for comment in client.comments(made.key)] == ["hello"]


def test_jira_searches_by_tokens(world: Any, client: Any) -> None:
    for number in range(7):
        world.jira.create("Priya Raman", f"number {number}", labels=["syncd"])
    page = client.enhanced_search_issues("labels = syncd ORDER BY key", maxResults=3, fields="summary")
    assert ([issue.key for issue in page], page.nextPageToken is None) == (["OPS-1", "OPS-2", "OPS-3"], False)
    every = client.enhanced_search_issues("labels = syncd ORDER BY key", maxResults=0, properties="syncd")
    assert [issue.key for issue in every] == [f"OPS-{number}" for number in range(1, 8)]


def test_jira_reads_what_the_site_has(client: Any) -> None:
    assert client.deploymentType == "Cloud"
    assert client.project("OPS").lead.displayName == "Priya Raman"
    assert {link_type.name for link_type in client.issue_link_types()} >= {"Relates", "Blocks"}
    assert client.priorities()[0].name == "Highest"
    assert client.my_permissions(projectKey="OPS", permissions="EDIT_ISSUES")["permissions"]["EDIT_ISSUES"]
    assert client.search_users(query="amara")[0].displayName == "Amara Osei"
    assert "Severity" in [field["name"] for field in client.fields()]


def test_jira_links_issues(world: Any, client: Any) -> None:
    first, second = (world.jira.create("Priya Raman", text).key for text in ("first", "second"))
    client.create_issue_link("Duplicate", first, second)
    link = client.issue(first).fields.issuelinks[0]
    assert (link.type.outward, link.outwardIssue.key) == ("duplicates", second)


def test_jira_raises_with_the_services_words(client: Any) -> None:
    with pytest.raises(jira.JIRAError, match="You must specify a summary"):
        client.create_issue(fields={"project": {"key": "OPS"}, "issuetype": {"id": "10101"}})
    with pytest.raises(jira.JIRAError) as absent:
        client.issue("OPS-99")
    assert absent.value.status_code == 404


def test_jira_talks_to_data_center(world: Any, server: Any) -> None:
    data_center(world)
    client = jira.JIRA(server.url("jira"), token_auth=JIRA_KEY, max_retries=0)
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Incident"}, "summary": "x"}
    made = client.create_issue(fields=fields)
    client.assign_issue(made, "amara.osei")
    assert client.search_issues("project = OPS", fields="assignee")[0].fields.assignee.name == "amara.osei"
    assert client.project_issue_types("OPS")[0].name == "Incident"
    client.close()
