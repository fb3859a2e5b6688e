"""What no caller should send is refused with a 400 or a 404 and never breaks the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_calls import fields

JUNK: tuple[Any, ...] = (None, 1, "x", [], ["x"], [1], [None], [{}], {}, {"id": None}, {"id": "x"}, True)
INCIDENT = (
    "title",
    "status",
    "urgency",
    "priority",
    "assignments",
    "escalation_level",
    "service",
    "resolution",
)
FIELDS = (
    "summary",
    "description",
    "labels",
    "assignee",
    "priority",
    "components",
    "duedate",
    "parent",
    "security",
)


def jira_bodies(junk: Any) -> Iterator[tuple[str, str, Any]]:
    yield "POST", "/issue", junk
    for part in ("fields", "update", "properties", "transition"):
        yield "POST", "/issue", {"fields": fields("x"), part: junk}
        yield "PUT", "/issue/OPS-1", {part: junk}
    for part in ("project", "issuetype", *FIELDS):
        yield "POST", "/issue", {"fields": {**fields("x"), part: junk}}
    for part in (*FIELDS, "comment", "issuelinks"):
        yield "PUT", "/issue/OPS-1", {"update": {part: junk}}
        yield "PUT", "/issue/OPS-1", {"update": {part: [{"add": junk}]}}
    yield "POST", "/issue/bulk", {"issueUpdates": junk}
    for part in (
        "issueIdsOrKeys",
        "fields",
        "properties",
        "expand",
        "fieldIds",
        "nextPageToken",
        "maxResults",
    ):
        for path in ("/issue/bulkfetch", "/changelog/bulkfetch"):
            yield "POST", path, {"issueIdsOrKeys": ["OPS-1"], part: junk}
    for part in ("jql", "fields", "properties", "expand", "reconcileIssues", "nextPageToken", "maxResults"):
        yield "POST", "/search/jql", {"jql": "project = OPS", part: junk}
    yield "POST", "/issue/OPS-1/transitions", {"transition": junk}
    for part in ("body", "properties", "visibility"):
        yield "POST", "/issue/OPS-1/comment", {"body": "x", part: junk}
    for part in ("type", "inwardIssue", "outwardIssue"):
        ends = {"inwardIssue": {"key": "OPS-1"}, "outwardIssue": {"key": "OPS-1"}}
        yield "POST", "/issueLink", {"type": {"name": "Relates"}, **ends, part: junk}


def pagerduty_bodies(junk: Any) -> Iterator[tuple[str, str, Any]]:
    for method, path, part in (
        ("POST", "/incidents", "incident"),
        ("PUT", "/incidents", "incidents"),
        ("PUT", "/incidents/1", "incident"),
        ("PUT", "/incidents/1/merge", "source_incidents"),
        ("POST", "/incidents/1/snooze", "duration"),
        ("POST", "/incidents/1/notes", "note"),
        ("PUT", "/incidents/1/custom_fields/values", "custom_fields"),
    ):
        yield method, path, junk
        yield method, path, {part: junk}
    for part in INCIDENT:
        yield "PUT", "/incidents/1", {"incident": {"type": "incident_reference", part: junk}}


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_body_of_any_shape_is_answered(
    world: Any, jira: Any, pagerduty: Any, issue: str, junk: Any
) -> None:
    world.jira.site.options.limits = False
    world.pagerduty.trigger("Payments", "x")
    for caller, bodies in ((jira, jira_bodies(junk)), (pagerduty, pagerduty_bodies(junk))):
        for method, path, body in bodies:
            caller.ask(method, path, body)
            assert caller.status < 500, (method, path, body)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"\xff"])
def test_what_is_no_json_object_is_refused(jira: Any, pagerduty: Any, body: bytes) -> None:
    jira.post("/issue", body)
    pagerduty.post("/incidents", body)
    assert (jira.status, pagerduty.status) == (400, 400)


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=0", "offset=-1", "since=soon", "since=2026-11-16&time_zone=Nowhere"]
)
def test_a_query_that_makes_no_sense_is_refused(pagerduty: Any, query: str) -> None:
    pagerduty.get("/incidents?" + query)
    assert pagerduty.status == 400


@pytest.mark.parametrize(
    "path", ["/", "/rest", "/rest/api/2", "/rest/api/9/myself", "/nowhere", "/rest/api/2/issue/%C2%B2"]
)
def test_a_path_that_leads_nowhere_is_a_404(jira: Any, pagerduty: Any, path: str) -> None:
    jira.root = ""
    for caller in (jira, pagerduty):
        caller.get(path)
        assert caller.status in (404, 405)
