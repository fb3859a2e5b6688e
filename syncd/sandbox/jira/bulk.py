"""Reading many issues or changelogs at once.

The answer leaves out, without a word, what is absent or hidden (Jira's documented behaviour).
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from syncd.sandbox.jira import shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.issue_json import change_json, chosen, issue_json
from syncd.sandbox.jira.model import Change, Issue
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)
AT_ONCE = 100


def _named(ask: Ask, names: Sequence[str | int]) -> list[Issue]:
    issues_by_id = {issue.id: issue for name in names if (issue := ask.site.find(str(name)))}
    # Jira sorts by id and leaves out what the caller may not see; it does not say what is missing.
    return [
        issues_by_id[id_] for id_ in sorted(issues_by_id) if ask.site.visible(issues_by_id[id_], ask.account)
    ]


@routes.on("POST", "/issue/bulkfetch")
def fetch(ask: Ask) -> Reply:
    """Answer with up to 100 issues, ascending by id; `issueErrors` names those that could not be read."""
    body, site = ask.read(shapes.FETCH), ask.site
    names = body.get("issueIdsOrKeys") or []
    if not names or len(names) > AT_ONCE:
        raise error(400, f"The number of issue ids or keys must be between 1 and {AT_ONCE}.")
    field_ids = chosen(ask.view, body.get("fields"), "*navigable")
    # A bulk fetch may lag: it shows the record that was valid so many seconds ago.
    as_of = site.now() - timedelta(seconds=site.options.fetch_lag)
    issues: list[Json] = []
    errors: list[Json] = []
    for issue in _named(ask, names):
        # In `issueErrors` means unknown: the issue exists, but could not be read this time.
        if failures_left := site.unreadable.get(issue.id):
            site.unreadable[issue.id] = failures_left - 1
            errors.append({"id": str(issue.id), "errorMessage": "The issue could not be read. Try again."})
        # An issue that is younger than the lag is left out, as if it did not exist.
        elif record := issue.at(as_of):
            extras = body.get("properties") or (), body.get("expand") or ()
            issues.append(issue_json(ask.view, issue, field_ids, record, *extras))
    return Reply.of({"expand": "schema,names", "issues": issues, "issueErrors": errors})


@routes.on("POST", "/changelog/bulkfetch")
def changelogs(ask: Ask) -> Reply:
    """Answer with the changelogs of up to 1000 issues and of at most 10 fields, paged by a token."""
    body = ask.read(shapes.CHANGELOG)
    names, fields = body.get("issueIdsOrKeys") or [], set(body.get("fieldIds") or ())
    if not names or len(names) > 1000 or len(fields) > 10:
        raise error(400, "Between 1 and 1000 issues and at most 10 fields may be asked for.")
    rows = [
        (issue, change)
        for issue in _named(ask, names)
        for change in issue.changes
        if not fields or fields & {item.field_id for item in change.items}
    ]
    try:
        start = int(body.get("nextPageToken") or 0)
    except ValueError as problem:
        raise error(400, "Invalid nextPageToken") from problem
    end = start + min(int(body.get("maxResults") or 1000), 10_000)
    answer: Json = {"issueChangeLogs": _grouped(ask, list(islice(rows, start, end)), fields)}
    if end < len(rows):
        answer["nextPageToken"] = str(end)
    return Reply.of(answer)


def _grouped(ask: Ask, rows: list[tuple[Issue, Change]], fields: set[str]) -> list[Json]:
    groups: dict[int, list[Json]] = {}
    for issue, change in rows:
        shown = change_json(ask.view, change, ask.site.options.bulk_changelog_epoch)
        if fields:
            shown["items"] = [item for item in shown["items"] if item["fieldId"] in fields]
        groups.setdefault(issue.id, []).append(shown)
    return [{"issueId": str(id_), "changeHistories": histories} for id_, histories in groups.items()]
