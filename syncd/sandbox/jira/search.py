"""Searching: the index may lag behind the issues, in what it finds and in what it shows of them.

Cloud has `search/jql` with tokens and answers 410 where the old search was; Data Center has the old one.
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
    """Return what the index finds, with the records it shows; `reconcile` are ids that do not lag."""
    query, site = parse(jql), ask.site
    if not bounded(query.where) and site.edition == "cloud":
        raise error(400, UNBOUNDED)
    fits = test(ask, query.where) if query.where else lambda row: True
    fresh = set(reconcile)
    seen = site.now() - timedelta(seconds=site.options.search_lag)
    rows = []
    since = updated_since(ask, query.where)
    for issue in site.updated_since(since) if since else site.issues.values():
        record = issue.now if issue.id in fresh else issue.at(seen)
        if record and site.visible(issue, ask.account) and fits((issue, record)):
            rows.append((issue, record))
    return ordered(ask, rows, query)


def _asked(ask: Ask, *names: str) -> Json:
    """Return the request's wishes, from the body of a POST or the query of a GET."""
    if ask.call.method == "POST":
        found: SearchBody = ask.read(shapes.SEARCH)
        return {**found}
    lists = {name: ask.call.listed(name) for name in ("fields", "properties", "expand", "reconcileIssues")}
    return {**{name: ask.call.value(name) for name in names}, **lists}


def _listed(value: Any) -> list[str]:
    """Return a list that may have come as one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value or []
    return [str(part).strip() for part in parts if str(part).strip()]


def _whole(value: Any, name: str, default: int) -> int:
    try:
        return int(value) if value not in (None, "") else default
    except (TypeError, ValueError) as problem:
        raise error(400, f"{name} must be a number") from problem


@routes.on("GET", "/search/jql")
@routes.on("POST", "/search/jql")
def by_token(ask: Ask) -> Reply:
    """Answer with a page and the token of the next one."""
    asked = _asked(ask, "jql", "nextPageToken", "maxResults")
    jql, fields, properties = (
        asked.get("jql") or "",
        _listed(asked.get("fields")),
        _listed(asked.get("properties")),
    )
    reconcile = [_whole(one, "reconcileIssues", 0) for one in _listed(asked.get("reconcileIssues"))]
    if len(properties) > 5 or len(reconcile) > 50:
        raise error(400, "At most 5 properties and 50 issues to reconcile may be given.")
    small = not set(fields) - {"id", "key"} and not properties
    size = max(1, min(_whole(asked.get("maxResults"), "maxResults", 50), 5000 if small else 100))
    rows = results(ask, jql, reconcile)
    start = _start(ask, asked.get("nextPageToken"), jql)
    shown = [
        _shown(ask, row, fields, properties, _listed(asked.get("expand")))
        for row in rows[start : start + size]
    ]
    answer: Json = {"issues": shown, "isLast": start + size >= len(rows)}
    if not answer["isLast"]:
        answer["nextPageToken"] = _token(ask, start + size, jql)
    return Reply.of(answer)


def _shown(ask: Ask, row: Row, fields: list[str], properties: list[str], expand: list[str]) -> Json:
    issue, record = row
    if not set(fields) - {"id"} and not properties:
        return {"id": str(issue.id)}
    wanted = chosen(ask.view, fields, "id")
    whole = issue_json(ask.view, issue, wanted, record, properties, expand)
    if not set(fields) - {"id", "key"}:
        del whole["fields"]
    return whole


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
    if check != binascii.crc32(jql.encode()) or ask.site.now().timestamp() - made > WEEK.total_seconds():
        raise error(400, "Invalid nextPageToken.")
    return int(start)


@routes.on("POST", "/search/approximate-count")
def count(ask: Ask) -> Reply:
    """Answer with how many issues the index finds."""
    return Reply.of({"count": len(results(ask, ask.read(shapes.SEARCH).get("jql") or ""))})


@routes.on("GET", "/search")
@routes.on("POST", "/search")
def by_offset(ask: Ask) -> Reply:
    """Answer with a page by offset on Data Center; on Cloud this is gone."""
    if ask.site.edition == "cloud":
        raise error(410, REMOVED)
    asked = _asked(ask, "jql", "startAt", "maxResults")
    start = _whole(asked.get("startAt"), "startAt", 0)
    size = min(_whole(asked.get("maxResults"), "maxResults", 50), 1000)
    rows = results(ask, asked.get("jql") or "")
    wanted = chosen(ask.view, _listed(asked.get("fields")), "*navigable")
    extras = _listed(asked.get("properties")), _listed(asked.get("expand"))
    shown = [
        issue_json(ask.view, issue, wanted, record, *extras) for issue, record in rows[start : start + size]
    ]
    page = {"expand": "schema,names", "startAt": start, "maxResults": size, "total": len(rows)}
    return Reply.of({**page, "issues": shown})
