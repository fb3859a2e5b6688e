"""Turn Jira's JSON into the domain's values: one function for each object, for Cloud and Data Center.

Ids become text, although some lists hold numbers. A person is identified by `accountId` on Cloud, by `name`
on Data Center. A value of another shape in our property comes from another tool and is no mark.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, get_args

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.history import Change
from syncd.domain.project import IssueTypeFacts, ProjectFacts
from syncd.domain.ticket import (
    MARK_PROPERTY,
    Account,
    Comment,
    Issue,
    Link,
    Mark,
    Status,
    StatusCategory,
    Transition,
)
from syncd.remote.answers import Hit
from syncd.remote.http.wire import UnreadableError, Wire, maybe_moment, moment

USUAL_FIELDS = (
    "summary",
    "status",
    "priority",
    "assignee",
    "resolution",
    "components",
    "labels",
    "security",
    "duedate",
    "parent",
    "issuelinks",
    "created",
    "updated",
    "issuetype",
    "project",
    "comment",
    "subtasks",
)
"""The fields that each bulk read asks for."""
PROBE_FIELDS = ("project", "creator", "created")

INTERNAL_PROPERTY = "sd.public.comment"
"""The comment property that hides a comment from a service project's customers."""

_PERSON = ("accountId", "name", "key")
_CATEGORIES: tuple[str, ...] = get_args(StatusCategory)


def issue(raw: Wire, custom: Collection[str] = ()) -> Issue:
    """Return an issue with the usual fields, and raw values of the `custom` ones."""
    fields = raw["fields"]
    kind = fields["issuetype"]
    return Issue(
        id=ident(raw),
        key=raw["key"],
        project=fields["project"]["key"],
        type_id=ident(kind),
        type_name=kind.get("name") or "",
        status=status(fields["status"]),
        summary=fields.get("summary") or "",
        priority=reference(fields.get("priority")),
        assignee=maybe_account(fields.get("assignee")),
        resolution=reference(fields.get("resolution")),
        components=tuple(_reference(component) for component in fields.get("components") or ()),
        labels=tuple(fields.get("labels") or ()),
        security_level=reference(fields.get("security")),
        due_date=fields.get("duedate"),
        parent_id=ident(fields["parent"]) if fields.get("parent") else None,
        subtasks=tuple(ident(sub_task) for sub_task in fields.get("subtasks") or ()),
        links=tuple(end for raw_link in fields.get("issuelinks") or () if (end := link(raw_link))),
        created_at=maybe_moment(fields.get("created")),
        updated=fields.get("updated") or "",
        comments=embedded_comments(fields.get("comment")),
        mark=mark(raw.get("properties")),
        fields={name: fields[name] for name in custom if fields.get(name) is not None},
    )


def probed(raw: Wire) -> Issue:
    """Return an issue with key, project, creator, birth and mark, as a probe asks for it; no status."""
    return Issue(
        id=ident(raw),
        key=raw["key"],
        project=raw["fields"]["project"]["key"],
        type_id="",
        status=Status(id="", name=""),
        creator=maybe_account(raw["fields"].get("creator")),
        created_at=maybe_moment(raw["fields"].get("created")),
        mark=mark(raw.get("properties")),
    )


def hit(raw: Wire) -> Hit:
    """Return a search result."""
    return Hit(id=ident(raw), key=raw["key"], updated=raw["fields"]["updated"])


def embedded_comments(raw: Any) -> tuple[Comment, ...] | None:
    """Return the comments within an issue, None where the answer lacks some or all of them."""
    if not isinstance(raw, dict) or raw.get("comments") is None:
        return None
    items = raw["comments"]
    total = raw.get("total")
    # Jira cuts a long list: half a list must not look like deleted comments
    if total is not None and total > len(items):
        return None
    return in_order(tuple(comment(item) for item in items))


def comment(raw: Wire) -> Comment:
    """Return a comment; it has its mark only if the answer carried the comment's properties."""
    return Comment(
        id=ident(raw),
        author=maybe_account(raw.get("author")),
        body=raw.get("body") or "",
        created_at=moment(raw["created"]),
        updated_at=maybe_moment(raw.get("updated")),
        mark=mark(raw.get("properties")),
        public=public(raw),
    )


def public(raw: Wire) -> bool | None:
    """Return True if customers of a service project see a comment, None where the answer does not tell.

    Cloud tells it in `jsdPublic` (which is true in each other project too); else the comment's property tells
    it, if the answer carried the properties.
    """
    shown = raw.get("jsdPublic")
    if isinstance(shown, bool):
        return shown
    properties = raw.get("properties")
    if not isinstance(properties, list):
        return None
    values = [item.get("value") for item in properties if item.get("key") == INTERNAL_PROPERTY]
    return not any(isinstance(value, dict) and value.get("internal") is True for value in values)


def in_order(comments: tuple[Comment, ...]) -> tuple[Comment, ...]:
    """Return the comments oldest first; ids decide within the same time."""
    return tuple(sorted(comments, key=lambda entry: (entry.created_at, len(entry.id), entry.id)))


def mark(properties: Any) -> Mark | None:
    """Return our mark among an issue's properties (an object by key) or a comment's (a list)."""
    if isinstance(properties, list):
        properties = {item.get("key"): item.get("value") for item in properties if isinstance(item, dict)}
    value = properties.get(MARK_PROPERTY) if isinstance(properties, dict) else None
    if not isinstance(value, dict):
        return None
    parts = [value.get(name) for name in ("op", "kind", "incident", "instance")]
    if not all(isinstance(part, str) for part in parts):
        return None
    op, kind, incident, instance = (str(part) for part in parts)
    facts = value.get("facts")
    stated = facts if isinstance(facts, dict) else {}
    return Mark(op=op, kind=kind, incident=incident, instance=instance, facts=stated)


def link(raw: Wire) -> Link | None:
    """Return a link of an issue, None where Jira does not show its other end to us."""
    for side in ("outwardIssue", "inwardIssue"):
        other = raw.get(side)
        if other and other.get("id"):
            return Link(
                id=ident(raw),
                type=raw["type"]["name"],
                other_id=ident(other),
                other_key=other["key"],
            )
    return None


def changes(raw: Wire) -> tuple[Change, ...]:
    """One entry of a changelog: the fields that one act changed."""
    author, created = maybe_account(raw.get("author")), raw["created"]
    # a bulk read may date them in milliseconds
    at = datetime.fromtimestamp(created / 1000, UTC) if isinstance(created, int) else moment(created)
    return tuple(
        Change(
            at=at,
            author=author,
            # changes from before Jira had field ids lack the id
            field=item.get("fieldId") or item["field"],
            before=item.get("from"),
            after=item.get("to"),
            before_words=item.get("fromString"),
            after_words=item.get("toString"),
        )
        for item in raw["items"]
    )


def entry_number(raw: Wire) -> int:
    """Return the number of a changelog's entry; of two entries at one moment the later has the higher."""
    number = str(raw.get("id") if isinstance(raw, dict) else "")
    return int(number) if number.isdecimal() else 0


def bulk_changes(raw: Wire) -> tuple[str, list[Change]]:
    """Return an issue's id and its changes, from a bulk read of changelogs."""
    return str(raw["issueId"]), [change for entry in raw["changeHistories"] for change in changes(entry)]


def searched_changes(raw: Wire) -> tuple[str, tuple[Change, ...]]:
    """Return an issue's id and its changes, from a search that carries changelogs."""
    histories = raw["changelog"]["histories"]
    return ident(raw), tuple(change for entry in histories for change in changes(entry))


def names_by_key(raw: Wire) -> dict[str, str]:
    """Return user names by user key, of the people in an issue's changelog (Data Center)."""
    people = [entry.get("author") for entry in raw["changelog"]["histories"]]
    people.append((raw.get("fields") or {}).get("assignee"))
    return {person["key"]: person["name"] for person in people if person and {"key", "name"} <= person.keys()}


def status(raw: Wire) -> Status:
    """Return a status with its category and its name before localisation, if the answer has them."""
    category = (raw.get("statusCategory") or {}).get("key")
    return Status(
        id=ident(raw),
        name=raw.get("name") or "",
        untranslated=raw.get("untranslatedName"),
        category=category if category in _CATEGORIES else "undefined",
    )


def account(raw: Wire) -> Account:
    """Return a person, an app, or a customer of a service desk; Data Center has only persons."""
    known_by = next((raw[key] for key in _PERSON if raw.get(key)), None)
    if not isinstance(known_by, str):
        raise UnreadableError("an account has neither accountId nor name")
    return Account(
        id=known_by,
        name=raw.get("displayName") or "",
        email=raw.get("emailAddress") or None,
        active=raw.get("active") is not False,
        human=_is_human(raw),
    )


def _is_human(raw: Wire) -> bool | None:
    kind = raw.get("accountType")
    if kind is None:
        # Cloud's accounts have an account id and a type; Data Center has neither
        return None if raw.get("accountId") else True
    return bool(kind == "atlassian")


def maybe_account(raw: Wire | None) -> Account | None:
    """Return as `account` does; None for nobody, and for people of whom Jira keeps only a name."""
    return account(raw) if raw and any(raw.get(key) for key in _PERSON) else None


def transition(raw: Wire) -> Transition:
    """Return a transition out of a status with the fields of its screen."""
    fields = raw.get("fields") or {}
    return Transition(
        id=ident(raw),
        name=raw.get("name") or "",
        to=status(raw["to"]),
        screen=tuple(create_field({"fieldId": name, **field}) for name, field in fields.items()),
    )


def issue_type(raw: Wire) -> IssueTypeFacts:
    """Return an issue type with its statuses, if the answer has them."""
    return IssueTypeFacts(
        id=ident(raw),
        name=raw.get("name") or "",
        untranslated=raw.get("untranslatedName"),
        subtask=bool(raw.get("subtask")),
        statuses=tuple(status(raw_status) for raw_status in raw.get("statuses") or ()),
    )


def project(raw: Wire, by_type: Any, priorities: Any, link_types: Any) -> ProjectFacts:
    """Return a project from four answers: its own, its statuses by type, site priorities, link types."""
    statuses = {ident(raw_type): issue_type(raw_type).statuses for raw_type in by_type}
    types = [issue_type(raw_type) for raw_type in raw["issueTypes"]]
    return ProjectFacts(
        id=ident(raw),
        key=raw["key"],
        kind=raw.get("projectTypeKey") or "software",
        types=tuple(kind.model_copy(update={"statuses": statuses.get(kind.id, ())}) for kind in types),
        components=tuple(_reference(component) for component in raw.get("components") or ()),
        priorities=tuple(_reference(priority) for priority in priorities),
        link_types=tuple(_reference(link_type) for link_type in link_types),
    )


def create_field(raw: Wire) -> FieldFacts:
    """Return a field of a screen; allowed values may be objects or, rarely, plain texts."""
    options = [value for value in raw.get("allowedValues") or () if isinstance(value, dict)]
    return FieldFacts(
        id=raw.get("fieldId") or raw["key"],
        name=raw.get("name") or "",
        type=_field_type(raw.get("schema") or {}),
        required=bool(raw.get("required")),
        has_default=bool(raw.get("hasDefaultValue")),
        allowed=tuple(_allowed(value) for value in raw.get("allowedValues") or ()),
        children={
            str(value["id"]): tuple(_allowed(child) for child in value["children"])
            for value in options
            if value.get("children") and value.get("id")
        },
    )


def _field_type(schema: Wire) -> str:
    """Return Jira's type of a field; for a list with the type of its items, as `array:option`."""
    kind = str(schema.get("type") or "string")
    return f"array:{schema['items']}" if kind == "array" and schema.get("items") else kind


def _allowed(raw: Any) -> Reference:
    if not isinstance(raw, dict):
        return Reference(id=str(raw), name=str(raw))
    name = raw.get("name") or raw.get("value") or raw.get("key") or ""
    known_by = raw.get("id") or raw.get("accountId") or name
    return Reference(id=str(known_by), name=str(name))


def reference(raw: Wire | str | None) -> Reference | None:
    """Return an object with id and name, None for null; Jira was seen to send a security level's bare id."""
    if isinstance(raw, str) and raw:
        return Reference(id=raw)
    return _reference(raw) if isinstance(raw, dict) and raw else None


def _reference(raw: Wire) -> Reference:
    return Reference(id=ident(raw), name=raw.get("name") or "")


def issue_error(raw: Wire) -> tuple[str, str]:
    """Return the id of an issue that a bulk read could not read, and Jira's words."""
    return ident(raw), str(raw.get("errorMessage") or "Jira could not read it")


def ident(raw: Wire) -> str:
    """Return the id of an object as text; raise where it is missing."""
    value = raw["id"]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise UnreadableError("'id' is no id")
    return str(value)
