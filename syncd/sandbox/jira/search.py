"""Search: its index may lag behind the issues, both in what it finds and in what it shows of them.

Cloud has `search/jql` with tokens and answers 410 to the old search. Data Center has only the old one.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from syncd.sandbox.jira import shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.errors import REMOVED, error
from syncd.sandbox.jira.issue_json import chosen, issue_json
from syncd.sandbox.jira.jql import parse
from syncd.sandbox.jira.jql_match import Row, bounded, test, updated_since
from syncd.sandbox.jira.jql_order import ordered
from syncd.sandbox.jira.shapes import SearchBody
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
WEEK = timedelta(days=7)


def results(ask: Ask, jql: str, reconcile: Iterable[int] = ()) -> list[Row]:
    """Return the issues that the index finds, with the records that it shows.

    Ids in `reconcile` do not lag.
    """
    query, site = parse(jql), ask.site
    if not bounded(query.where) and site.edition == "cloud":
        raise error(400, UNBOUNDED)
    fits = test(ask, query.where) if query.where else lambda row: True
    fresh = set(reconcile)
    as_of = site.now() - timedelta(seconds=site.options.search_lag)
    rows = []
    since = updated_since(ask, query.where)
    # A poll asks for the last minutes; looking only at those keeps a large site fast.
    for issue in site.updated_since(since) if since else site.issues.values():
        # The lagging record also decides whether the issue matches.
        record = issue.now if issue.id in fresh else issue.at(as_of)
        if record and site.visible(issue, ask.account) and fits((issue, record)):
            rows.append((issue, record))
    return ordered(ask, rows, query)


def _parameters(ask: Ask, *names: str) -> Json:
    """Return the parameters of a request, from the body of a POST or the query of a GET."""
    if ask.call.method == "POST":
        body: SearchBody = ask.read(shapes.SEARCH)
        return {**body}
    lists = {name: ask.call.listed(name) for name in ("fields", "properties", "expand", "reconcileIssues")}
    return {**{name: ask.call.value(name) for name in names}, **lists}


def _listed(value: Any) -> list[str]:
    """Return a list that may come as one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value or []
    return [str(part).strip() for part in parts if str(part).strip()]


def _number(value: Any, name: str, default: int) -> int:
    try:
        return int(value) if value not in (None, "") else default
    except (TypeError, ValueError) as problem:
        raise error(400, f"{name} must be a number") from problem


@routes.on("GET", "/search/jql")
@routes.on("POST", "/search/jql")
def by_token(ask: Ask) -> Reply:
    """Answer with a page and with the token of the next page."""
    parameters = _parameters(ask, "jql", "nextPageToken", "maxResults")
    jql, fields, properties = (
        parameters.get("jql") or "",
        _listed(parameters.get("fields")),
        _listed(parameters.get("properties")),
    )
    reconcile = [_number(text, "reconcileIssues", 0) for text in _listed(parameters.get("reconcileIssues"))]
    if len(properties) > 5 or len(reconcile) > 50:
        raise error(400, "At most 5 properties and 50 issues to reconcile may be given.")
    # Pages hold up to 5000 issues where only ids and keys are asked for, else fewer.
    small = not set(fields) - {"id", "key"} and not properties
    size = max(1, min(_number(parameters.get("maxResults"), "maxResults", 50), 5000 if small else 100))
    rows = results(ask, jql, reconcile)
    start = _start(ask, parameters.get("nextPageToken"), jql)
    shown = [
        _shown(ask, row, fields, properties, _listed(parameters.get("expand")))
        for row in rows[start : start + size]
    ]
    answer: Json = {"issues": shown, "isLast": start + size >= len(rows)}
    if not answer["isLast"]:
        answer["nextPageToken"] = _token(ask, start + size, jql)
    return Reply.of(answer)


def _shown(ask: Ask, row: Row, fields: list[str], properties: list[str], expand: list[str]) -> Json:
    issue, record = row
    # Without `fields` the new search shows nothing but the id.
    if not set(fields) - {"id"} and not properties:
        return {"id": str(issue.id)}
    field_ids = chosen(ask.view, fields, "id")
    shown = issue_json(ask.view, issue, field_ids, record, properties, expand)
    if not set(fields) - {"id", "key"}:
        del shown["fields"]
    return shown


def _token(ask: Ask, start: int, jql: str) -> str:
    value = [start, binascii.crc32(jql.encode()), ask.site.now().timestamp()]
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _start(ask: Ask, token: Any, jql: str) -> int:
    if not token:
        return 0
    try:
        start, check, made = json.loads(base64.urlsafe_b64decode(str(token).encode()))
    except ValueError as problem:
        raise error(400, "Invalid nextPageToken.") from problem
    # A token belongs to one query and expires after seven days.
    if check != binascii.crc32(jql.encode()) or ask.site.now().timestamp() - made > WEEK.total_seconds():
        raise error(400, "Invalid nextPageToken.")
    return int(start)


@routes.on("POST", "/search/approximate-count")
def count(ask: Ask) -> Reply:
    """Answer with the number of issues that the index finds."""
    return Reply.of({"count": len(results(ask, ask.read(shapes.SEARCH).get("jql") or ""))})


@routes.on("GET", "/search")
@routes.on("POST", "/search")
def by_offset(ask: Ask) -> Reply:
    """Answer with a page by offset on Data Center; Cloud has removed this search (CHANGE-2046)."""
    if ask.site.edition == "cloud":
        raise error(410, REMOVED)
    parameters = _parameters(ask, "jql", "startAt", "maxResults")
    start = _number(parameters.get("startAt"), "startAt", 0)
    size = min(_number(parameters.get("maxResults"), "maxResults", 50), 1000)
    rows = results(ask, parameters.get("jql") or "")
    field_ids = chosen(ask.view, _listed(parameters.get("fields")), "*navigable")
    extras = _listed(parameters.get("properties")), _listed(parameters.get("expand"))
    shown = [
        issue_json(ask.view, issue, field_ids, record, *extras)
        for issue, record in rows[start : start + size]
    ]
    page = {"expand": "schema,names", "startAt": start, "maxResults": size, "total": len(rows)}
    return Reply.of({**page, "issues": shown})
