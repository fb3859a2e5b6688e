"""From `fields` and `update` of a request to checked values, and from values to records and changelog.

Create, edit and transition share this. Each has a screen, and Jira refuses a field that is not on it. Like
Jira, the sandbox names all refused fields at once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.jira.errors import error, not_on_screen
from syncd.sandbox.jira.fields import FieldProblem, read, read_text, words
from syncd.sandbox.jira.model import FieldDef, Issue, Item, Project, Record
from syncd.sandbox.jira.site import Site
from syncd.sandbox.jira.workflow import Transition
from syncd.sandbox.wire import Json

NAMES = {"components": "Component", "security": "Security", "parent": "IssueParentAssociation"}
OUTSIDE = ("comment", "issuelinks")


@dataclass
class Wish:
    """The changes that a request asks for: values by field id (None empties), comments and links to add."""

    values: dict[str, Any] = field(default_factory=dict)
    comments: list[Json] = field(default_factory=list)
    links: list[Json] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def read_wish(
    site: Site,
    project: Project,
    screen: Collection[str],
    body: Mapping[str, Any],
    version: int,
    record: Record | None = None,
) -> Wish:
    """Read `fields` and `update` against a screen; `problems` collects what Jira refuses."""
    wish = Wish()
    fields, update = body.get("fields") or {}, body.get("update") or {}
    if not isinstance(fields, dict) or not isinstance(update, dict):
        raise error(400, "Can not deserialize instance of java.util.HashMap")
    for name in fields.keys() & update.keys():
        raise error(400, errors={name: f"Field '{name}' cannot appear in both 'fields' and 'update'"})
    for name, value in fields.items():
        _read_field(site, project, screen, wish, name, value, version)
    for name, verbs in update.items():
        _read_verbs(site, project, screen, wish, name, verbs, version, record)
    return wish


def _read_field(
    site: Site, project: Project, screen: Collection[str], wish: Wish, name: str, value: Any, version: int
) -> None:
    field_def = site.fields.get(name)
    if field_def is None or name not in screen:
        wish.problems[name] = not_on_screen(name)
        return
    try:
        wish.values[name] = read(site, project, field_def, value, version)
    except FieldProblem as problem:
        wish.problems[name] = str(problem)


def _read_verbs(
    site: Site,
    project: Project,
    screen: Collection[str],
    wish: Wish,
    name: str,
    verbs: Any,
    version: int,
    record: Record | None,
) -> None:
    if name in OUTSIDE:
        _read_outside(wish, name, verbs, version)
        return
    field_def = site.fields.get(name)
    if field_def is None or name not in screen:
        wish.problems[name] = not_on_screen(name)
        return
    # Verbs of one field apply one after the other, first to the value that the issue has now.
    value = wish.values.get(name, record.values.get(name) if record else None)
    try:
        for operation in verbs:
            for verb, operand in operation.items():
                value = _apply_verb(site, project, field_def, value, verb, operand, version)
    except FieldProblem as problem:
        wish.problems[name] = str(problem)
        return
    wish.values[name] = value


def _apply_verb(
    site: Site, project: Project, field_def: FieldDef, old: Any, verb: str, value: Any, version: int
) -> Any:
    if verb == "set":
        return read(site, project, field_def, value, version)
    if field_def.kind not in ("labels", "components", "options") or verb not in ("add", "remove"):
        raise FieldProblem(f"Field does not support operation '{verb}'")
    if verb == "add":
        added = read(site, project, field_def, [value], version) or ()
        return tuple(dict.fromkeys([*(old or ()), *added]))
    if field_def.kind == "labels":
        return tuple(label for label in old or () if label != value) or None
    removed = read(site, project, field_def, [value], version) or ()
    return tuple(row for row in old or () if row not in removed) or None


def _read_outside(wish: Wish, name: str, verbs: Any, version: int) -> None:
    rows = [verb["add"] for verb in verbs if isinstance(verb.get("add"), dict)]
    if name == "issuelinks":
        wish.links.extend(rows)
        return
    for row in rows:
        try:
            text = read_text(row.get("body"), version)
        except FieldProblem as problem:
            wish.problems["comment"] = str(problem)
            continue
        wish.comments.append({**row, "body": text or ""})


def items(site: Site, project: Project, record: Record, values: Mapping[str, Any]) -> list[Item]:
    """Return the changelog's items for the values that differ from those of a record."""
    changes = []
    for name, value in values.items():
        field_def, old = site.fields.get(name), record.values.get(name)
        if field_def is None or old == value:
            continue
        if field_def.kind == "components":
            # Jira writes one item for each component that left or came, not one for the whole list.
            changes += _list_items(site, project, field_def, old or (), value or ())
            continue
        before, before_words = words(site, project, field_def, old)
        after, after_words = words(site, project, field_def, value)
        shown = field_def.name if field_def.custom else NAMES.get(name, name)
        changes.append(Item(shown, name, before, before_words, after, after_words, field_def.custom))
    return changes


def _list_items(site: Site, project: Project, field_def: FieldDef, old: Any, new: Any) -> list[Item]:
    shown = NAMES.get(field_def.id, field_def.id)
    left = [words(site, project, field_def, (row,)) for row in old if row not in new]
    come = [words(site, project, field_def, (row,)) for row in new if row not in old]
    gone = [Item(shown, field_def.id, id_, text, None, None) for id_, text in left]
    return gone + [Item(shown, field_def.id, None, None, id_, text) for id_, text in come]


def edit(site: Site, issue: Issue, values: Mapping[str, Any], by: str) -> None:
    """Set `values` on an issue; where no value differs, nothing changes, not even `updated`."""
    project = site.projects[issue.now.project_id]
    changes = items(site, project, issue.now, values)
    if changes:
        site.revise(issue, by, changes, values=values)


def follow(site: Site, issue: Issue, transition: Transition, values: Mapping[str, Any], by: str) -> None:
    """Move an issue along a transition, with the values of its screen, as one change."""
    project, record = site.projects[issue.now.project_id], issue.now
    workflow = site.workflow(record)
    source, target = workflow.status(record.status_id), workflow.status(transition.to)
    new_values = dict(values)
    # A resolution from the screen wins over the one that the workflow sets by itself.
    if transition.resolution is not None and "resolution" not in new_values:
        new_values["resolution"] = transition.resolution or None
    changes = items(site, project, record, new_values)
    if "resolution" in new_values and new_values["resolution"] != record.values.get("resolution"):
        new_values["resolutiondate"] = site.now() if new_values["resolution"] else None
    # Jira dates the change of category, not each change of status.
    if source.category != target.category:
        new_values["statuscategorychangedate"] = site.now()
    changes.append(Item("status", "status", source.id, source.name, target.id, target.name))
    site.revise(issue, by, changes, values=new_values, status_id=target.id)
