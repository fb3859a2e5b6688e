"""From a request's `fields` and `update` to checked values, and from values to records and changelog.

Creating, editing and moving along a transition share this: each has a screen, and a field that is not on it
is refused with the service's words. All refused fields are named at once, as the service does.
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
    """What a request wants of an issue: values by field id (None empties), comments and links to add."""

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
    """Read `fields` and `update` against a screen; what cannot be is collected in `problems`."""
    wish = Wish()
    fields, update = body.get("fields") or {}, body.get("update") or {}
    if not isinstance(fields, dict) or not isinstance(update, dict):
        raise error(400, "Can not deserialize instance of java.util.HashMap")
    for name in fields.keys() & update.keys():
        raise error(400, errors={name: f"Field '{name}' cannot appear in both 'fields' and 'update'"})
    for name, value in fields.items():
        _read_one(site, project, screen, wish, name, value, version)
    for name, verbs in update.items():
        _read_verbs(site, project, screen, wish, name, verbs, version, record)
    return wish


def _read_one(
    site: Site, project: Project, screen: Collection[str], wish: Wish, name: str, value: Any, version: int
) -> None:
    known = site.fields.get(name)
    if known is None or name not in screen:
        wish.problems[name] = not_on_screen(name)
        return
    try:
        wish.values[name] = read(site, project, known, value, version)
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
    known = site.fields.get(name)
    if known is None or name not in screen:
        wish.problems[name] = not_on_screen(name)
        return
    held = wish.values.get(name, record.values.get(name) if record else None)
    try:
        for verb in verbs:
            for word, value in verb.items():
                held = _after(site, project, known, held, word, value, version)
    except FieldProblem as problem:
        wish.problems[name] = str(problem)
        return
    wish.values[name] = held


def _after(
    site: Site, project: Project, known: FieldDef, held: Any, word: str, value: Any, version: int
) -> Any:
    if word == "set":
        return read(site, project, known, value, version)
    if known.kind not in ("labels", "components", "options") or word not in ("add", "remove"):
        raise FieldProblem(f"Field does not support operation '{word}'")
    if word == "add":
        one = read(site, project, known, [value], version) or ()
        return tuple(dict.fromkeys([*(held or ()), *one]))
    if known.kind == "labels":
        return tuple(label for label in held or () if label != value) or None
    gone = read(site, project, known, [value], version) or ()
    return tuple(row for row in held or () if row not in gone) or None


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
    """Return the changelog's items for the values that differ from a record's."""
    found = []
    for name, value in values.items():
        known, old = site.fields.get(name), record.values.get(name)
        if known is None or old == value:
            continue
        if known.kind == "components":
            found += _list_items(site, project, known, old or (), value or ())
            continue
        before, before_words = words(site, project, known, old)
        after, after_words = words(site, project, known, value)
        shown = known.name if known.custom else NAMES.get(name, name)
        found.append(Item(shown, name, before, before_words, after, after_words, known.custom))
    return found


def _list_items(site: Site, project: Project, known: FieldDef, old: Any, new: Any) -> list[Item]:
    shown = NAMES.get(known.id, known.id)
    left = [words(site, project, known, (one,)) for one in old if one not in new]
    come = [words(site, project, known, (one,)) for one in new if one not in old]
    gone = [Item(shown, known.id, id_, text, None, None) for id_, text in left]
    return gone + [Item(shown, known.id, None, None, id_, text) for id_, text in come]


def edit(site: Site, issue: Issue, values: Mapping[str, Any], by: str) -> None:
    """Lay `values` over an issue; nothing is dated if nothing differs."""
    project = site.projects[issue.now.project_id]
    made = items(site, project, issue.now, values)
    if made:
        site.revise(issue, by, made, values=values)


def follow(site: Site, issue: Issue, way: Transition, values: Mapping[str, Any], by: str) -> None:
    """Move an issue along a transition with the values of its screen, as one change."""
    project, record = site.projects[issue.now.project_id], issue.now
    workflow = site.workflow(record)
    source, target = workflow.status(record.status_id), workflow.status(way.to)
    laid = dict(values)
    if way.resolution is not None and "resolution" not in laid:
        laid["resolution"] = way.resolution or None
    made = items(site, project, record, laid)
    if "resolution" in laid and laid["resolution"] != record.values.get("resolution"):
        laid["resolutiondate"] = site.now() if laid["resolution"] else None
    if source.category != target.category:
        laid["statuscategorychangedate"] = site.now()
    made.append(Item("status", "status", source.id, source.name, target.id, target.name))
    site.revise(issue, by, made, values=laid, status_id=target.id)
