"""How issues, comments, links and the changelog look on the wire, now or as they were before."""

from collections.abc import Callable, Iterable
from typing import Any

from syncd.sandbox.jira import render
from syncd.sandbox.jira.model import Change, Comment, FieldDef, Issue, Link, Project, Record
from syncd.sandbox.jira.render import View
from syncd.sandbox.wire import Json

DERIVED = (
    "project",
    "issuetype",
    "status",
    "created",
    "updated",
    "creator",
    "statuscategorychangedate",
    "resolutiondate",
    "subtasks",
    "issuelinks",
    "comment",
    "watches",
    "votes",
    "workratio",
    "lastViewed",
    "attachment",
    "worklog",
)
UNNAVIGABLE = {"comment", "attachment", "worklog"}


def chosen(view: View, requested: Iterable[str] | None, default: str) -> set[str]:
    """Return the ids of the fields that a request asks for: names, `*all`, `*navigable`, `-without`."""
    names = list(requested or []) or [default]
    # A request that only leaves fields out starts from the default set.
    if all(name.startswith("-") for name in names):
        names = [default, *names]
    every = set(view.site.fields) | set(DERIVED)
    field_ids: set[str] = set()
    for name in names:
        if name == "*all":
            field_ids |= every
        elif name == "*navigable":
            field_ids |= every - UNNAVIGABLE
        elif name.startswith("-"):
            field_ids.discard(name[1:])
        else:
            field_ids.add(name)
    return field_ids


def issue_json(
    view: View,
    issue: Issue,
    field_ids: set[str],
    record: Record | None = None,
    properties: Iterable[str] = (),
    expand: Iterable[str] = (),
) -> Json:
    """Return an issue with its fields in `field_ids`; `record` is a former state, for answers that lag."""
    record = record or issue.now
    shown: Json = {
        "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields",
        "id": str(issue.id),
        "self": view.url(f"issue/{issue.id}"),
        "key": record.key,
        "fields": fields_json(view, issue, record, field_ids),
    }
    names = list(properties)
    if names:
        every = "*all" in names
        shown["properties"] = {k: v for k, v in record.properties.items() if every or k in names}
    if "changelog" in expand:
        rows = [change_json(view, change) for change in reversed(issue.changes)]
        shown["changelog"] = {
            "startAt": 0,
            "maxResults": len(rows),
            "total": len(rows),
            # Within an issue Jira shows only the latest 100 changes.
            "histories": rows[:100],
        }
    return shown


def fields_json(view: View, issue: Issue, record: Record, field_ids: set[str]) -> Json:
    """Return the fields of an issue in `field_ids`, as far as the project's screens have them."""
    project = view.site.projects[record.project_id]
    setup = view.site.setup(record)
    shown: Json = {name: derived(view, issue, record, name) for name in DERIVED if name in field_ids}
    for name, field in view.site.fields.items():
        if name in field_ids and (name in setup.screen or name in record.values or name == "resolution"):
            shown[name] = value_json(view, field, record.values.get(name), project)
    return shown


def value_json(view: View, field: FieldDef, value: Any, project: Project) -> Any:
    """Return the value of a field."""
    if field.kind == "labels":
        return list(value or ())
    if field.kind in ("components", "options", "versions"):
        lists: Any = {"components": project.components, "versions": project.versions}
        rows: Any = lists.get(field.kind, field.options)
        show: Any = render.option if field.kind == "options" else render.component
        return [show(view, row) for row in rows if row.id in (value or ())]
    if value is None:
        return None
    if field.kind == "security":
        return next((render.level(view, row) for row in project.levels if row.id == value), None)
    one = _ONE.get(field.kind)
    return one(view, field, value) if one else value


def _option_json(view: View, field: FieldDef, value: str) -> Json | None:
    return next((render.option(view, row) for row in field.options if row.id == value), None)


def _cascade_json(view: View, field: FieldDef, value: tuple[str, ...]) -> Json:
    above = next(row for row in field.options if row.id == value[0])
    shown = {**render.option(view, above)}
    shown.pop("children", None)
    for child in above.children:
        if child.id in value[1:]:
            shown["child"] = render.option(view, child)
    return shown


_ONE: dict[str, Callable[[View, FieldDef, Any], Any]] = {
    "user": lambda view, _field, value: render.person(view, view.site.people[value]),
    "priority": lambda view, _field, value: render.priority(view, view.site.priorities[value]),
    "resolution": lambda view, _field, value: render.resolution(view, view.site.resolutions[value]),
    "option": _option_json,
    "cascade": _cascade_json,
    "issue": lambda view, _field, value: brief(view, view.site.issues[value]),
    "text": lambda view, _field, value: view.text(value),
}
"""How a single value of each kind is shown; others are shown as they are."""


def derived(view: View, issue: Issue, record: Record, name: str) -> Any:
    """Return a field that Jira derives and no request sets."""
    site = view.site
    if name == "project":
        return render.project(view, site.projects[record.project_id])
    if name == "issuetype":
        return render.issue_type(view, site.setup(record).type)
    if name == "status":
        return render.status(view, site.status(record))
    if name == "created":
        return view.time(issue.created)
    if name == "updated":
        return view.time(record.updated)
    if name == "creator":
        return render.person(view, site.people[issue.creator])
    if name in ("resolutiondate", "statuscategorychangedate"):
        return view.time(record.values.get(name))
    return hanging(view, issue, name)


def hanging(view: View, issue: Issue, name: str) -> Any:
    """Return sub-tasks, links and comments of an issue; empty for what the sandbox does not have."""
    site = view.site
    if name == "subtasks":
        return [brief(view, row) for row in site.children(issue) if site.setup(row.now).type.subtask]
    if name == "issuelinks":
        return [link_json(view, issue, link) for link in site.links_of(issue)]
    if name == "comment":
        rows = [comment_json(view, issue, row) for row in issue.comments if not row.deleted]
        page = {"maxResults": len(rows), "total": len(rows), "startAt": 0}
        # Jira shows only the first comments within an issue; `total` says how many there are.
        rows = rows[: site.options.comments_in_issue]
        return {"comments": rows, "self": view.url(f"issue/{issue.id}/comment"), **page}
    if name == "watches":
        return {"self": view.url(f"issue/{issue.key}/watchers"), "watchCount": 1, "isWatching": True}
    if name == "votes":
        return {"self": view.url(f"issue/{issue.key}/votes"), "votes": 0, "hasVoted": False}
    if name == "worklog":
        return {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []}
    return {"attachment": [], "workratio": -1}.get(name)


def brief(view: View, issue: Issue) -> Json:
    """Return an issue in the short form in which other issues name it."""
    record = issue.now
    site = view.site
    fields: Json = {
        "summary": record.values.get("summary"),
        "status": render.status(view, site.status(record)),
        "issuetype": render.issue_type(view, site.setup(record).type),
    }
    if record.values.get("priority"):
        fields["priority"] = render.priority(view, site.priorities[record.values["priority"]])
    return {"id": str(issue.id), "key": issue.key, "self": view.url(f"issue/{issue.id}"), "fields": fields}


def link_json(view: View, issue: Issue, link: Link) -> Json:
    """Return a link as `issue` sees it: outward from the source, inward from the target."""
    kind = view.site.link_types[link.type_id]
    shown: Json = {
        "id": str(link.id),
        "self": view.url(f"issueLink/{link.id}"),
        "type": link_type(view, kind.id),
    }
    if link.source == issue.id:
        shown["outwardIssue"] = brief(view, view.site.issues[link.target])
    else:
        shown["inwardIssue"] = brief(view, view.site.issues[link.source])
    return shown


def link_type(view: View, id_: str) -> Json:
    """Return a link type."""
    kind = view.site.link_types[id_]
    return {
        "id": kind.id,
        "name": kind.name,
        "inward": kind.inward,
        "outward": kind.outward,
        "self": view.url(f"issueLinkType/{kind.id}"),
    }


def comment_json(view: View, issue: Issue, comment: Comment, expand: Iterable[str] = ()) -> Json:
    """Return a comment, with its properties only if they are expanded."""
    site = view.site
    shown: Json = {
        "self": view.url(f"issue/{issue.id}/comment/{comment.id}"),
        "id": str(comment.id),
        "author": render.person(view, site.people[comment.author]),
        "body": view.text(comment.body),
        "updateAuthor": render.person(view, site.people[comment.update_author]),
        "created": view.time(comment.created),
        "updated": view.time(comment.updated),
    }
    if site.edition == "cloud":
        # A site that ignores the internal mark shows the comment to customers all the same.
        shown["jsdPublic"] = comment.public or site.options.deaf_to_internal
    # Only a comment that is limited to a role or group shows this key.
    if comment.visibility:
        shown["visibility"] = comment.visibility
    # Jira leaves out the properties of comments unless they are expanded.
    if "properties" in expand:
        shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
    return shown


def change_json(view: View, change: Change, epoch: bool = False) -> Json:
    """Return an entry of the changelog; `epoch` gives its time in milliseconds since 1970."""
    return {
        "id": str(change.id),
        "author": render.person(view, view.site.people[change.author]),
        "created": int(change.created.timestamp() * 1000) if epoch else view.time(change.created),
        "items": [
            {
                "field": item.field,
                "fieldtype": "custom" if item.custom else "jira",
                "fieldId": item.field_id,
                "from": item.before,
                "fromString": item.before_words,
                "to": item.after,
                "toString": item.after_words,
            }
            for item in change.items
        ],
    }
