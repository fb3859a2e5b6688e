"""Jira's JSON as the domain's values: plain functions, one for each object, for Cloud and Data Center.

An id is always read as text (some lists hold numbers). A person is known by `accountId` on Cloud, by
`name` on Data Center. What another tool wrote into our property in another shape is nobody's mark.
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
"""The fields that every bulk read asks for."""
PROBE_FIELDS = ("project",)

INTERNAL_PROPERTY = "sd.public.comment"
"""The comment property that hides a comment from a service project's customers."""

_PERSON = ("accountId", "name", "key")
_CATEGORIES: tuple[str, ...] = get_args(StatusCategory)


def issue(raw: Wire, custom: Collection[str] = ()) -> Issue:
    """An issue with the usual fields, and `custom` ones raw where they have a value."""
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
        components=tuple(_reference(one) for one in fields.get("components") or ()),
        labels=tuple(fields.get("labels") or ()),
        security_level=reference(fields.get("security")),
        due_date=fields.get("duedate"),
        parent_id=ident(fields["parent"]) if fields.get("parent") else None,
        subtasks=tuple(ident(one) for one in fields.get("subtasks") or ()),
        links=tuple(found for one in fields.get("issuelinks") or () if (found := link(one))),
        created_at=maybe_moment(fields.get("created")),
        updated=fields.get("updated") or "",
        comments=embedded_comments(fields.get("comment")),
        mark=mark(raw.get("properties")),
        fields={name: fields[name] for name in custom if fields.get(name) is not None},
    )


def probed(raw: Wire) -> Issue:
    """An issue of which only existence, key, project and mark were asked; its status is empty."""
    return Issue(
        id=ident(raw),
        key=raw["key"],
        project=raw["fields"]["project"]["key"],
        type_id="",
        status=Status(id="", name=""),
        mark=mark(raw.get("properties")),
    )


def hit(raw: Wire) -> Hit:
    """A search result."""
    return Hit(id=ident(raw), key=raw["key"], updated=raw["fields"]["updated"])


def embedded_comments(raw: Any) -> tuple[Comment, ...] | None:
    """The comments within an issue; None where they are not there or not all of them."""
    if not isinstance(raw, dict) or raw.get("comments") is None:
        return None
    found = raw["comments"]
    total = raw.get("total")
    if total is not None and total > len(found):
        return None
    return in_order(tuple(comment(one) for one in found))


def comment(raw: Wire) -> Comment:
    """A comment; its mark is there only where the answer carried the comment's properties."""
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
    """Whether customers of a service project see a comment; None where the answer does not say.

    Cloud says so in `jsdPublic` (which is true in every other project, too); else the comment's property
    says it, where the answer carried the properties.
    """
    said = raw.get("jsdPublic")
    if isinstance(said, bool):
        return said
    properties = raw.get("properties")
    if not isinstance(properties, list):
        return None
    values = [one.get("value") for one in properties if one.get("key") == INTERNAL_PROPERTY]
    return not any(isinstance(value, dict) and value.get("internal") is True for value in values)


def in_order(comments: tuple[Comment, ...]) -> tuple[Comment, ...]:
    """Oldest first; ids decide within the same moment."""
    return tuple(sorted(comments, key=lambda one: (one.created_at, len(one.id), one.id)))


def mark(properties: Any) -> Mark | None:
    """Our mark among an issue's properties (an object by key) or a comment's (a list)."""
    if isinstance(properties, list):
        properties = {one.get("key"): one.get("value") for one in properties if isinstance(one, dict)}
    value = properties.get(MARK_PROPERTY) if isinstance(properties, dict) else None
    if not isinstance(value, dict):
        return None
    parts = [value.get(name) for name in ("op", "kind", "incident", "instance")]
    if not all(isinstance(part, str) for part in parts):
        return None
    op, kind, incident, instance = (str(part) for part in parts)
    facts = value.get("facts")
    known = facts if isinstance(facts, dict) else {}
    return Mark(op=op, kind=kind, incident=incident, instance=instance, facts=known)


def link(raw: Wire) -> Link | None:
    """A link of an issue; None where its other end is not visible to us."""
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
            # a change of old may lack the id
            field=item.get("fieldId") or item["field"],
            before=item.get("from"),
            after=item.get("to"),
            before_words=item.get("fromString"),
            after_words=item.get("toString"),
        )
        for item in raw["items"]
    )


def entry_number(raw: Wire) -> int:
    """The number of a changelog's entry: of entries of one moment the later one has the higher number."""
    number = str(raw.get("id") if isinstance(raw, dict) else "")
    return int(number) if number.isdecimal() else 0


def bulk_changes(raw: Wire) -> tuple[str, list[Change]]:
    """An issue's id and the changes that a bulk read of changelogs shows of it."""
    return str(raw["issueId"]), [one for entry in raw["changeHistories"] for one in changes(entry)]


def searched_changes(raw: Wire) -> tuple[str, tuple[Change, ...]]:
    """An issue's id and its changes, out of a search that carries changelogs."""
    histories = raw["changelog"]["histories"]
    return ident(raw), tuple(one for entry in histories for one in changes(entry))


def names_by_key(raw: Wire) -> dict[str, str]:
    """The user names by key of those whom an issue with its changelog shows (Data Center)."""
    people = [entry.get("author") for entry in raw["changelog"]["histories"]]
    people.append((raw.get("fields") or {}).get("assignee"))
    return {person["key"]: person["name"] for person in people if person and {"key", "name"} <= person.keys()}


def status(raw: Wire) -> Status:
    """A status with its category and its name before localisation, where the answer has them."""
    category = (raw.get("statusCategory") or {}).get("key")
    return Status(
        id=ident(raw),
        name=raw.get("name") or "",
        untranslated=raw.get("untranslatedName"),
        category=category if category in _CATEGORIES else "undefined",
    )


def account(raw: Wire) -> Account:
    """A person, an app, or a customer of a service desk; Data Center has only persons."""
    known_by = next((raw[key] for key in _PERSON if raw.get(key)), None)
    if not isinstance(known_by, str):
        raise UnreadableError("an account has neither accountId nor name")
    return Account(
        id=known_by,
        name=raw.get("displayName") or "",
        email=raw.get("emailAddress") or None,
        active=raw.get("active") is not False,
        human=raw.get("accountType") in (None, "atlassian"),
    )


def maybe_account(raw: Wire | None) -> Account | None:
    """As `account`, None for nobody and for people of whom Jira keeps no more than a name."""
    return account(raw) if raw and any(raw.get(key) for key in _PERSON) else None


def transition(raw: Wire) -> Transition:
    """A way out of a status, with the fields of its screen."""
    fields = raw.get("fields") or {}
    return Transition(
        id=ident(raw),
        name=raw.get("name") or "",
        to=status(raw["to"]),
        screen=tuple(create_field({"fieldId": name, **one}) for name, one in fields.items()),
    )


def issue_type(raw: Wire) -> IssueTypeFacts:
    """An issue type, with its statuses where the answer has them."""
    return IssueTypeFacts(
        id=ident(raw),
        name=raw.get("name") or "",
        untranslated=raw.get("untranslatedName"),
        subtask=bool(raw.get("subtask")),
        statuses=tuple(status(one) for one in raw.get("statuses") or ()),
    )


def project(raw: Wire, by_type: Any, priorities: Any, link_types: Any) -> ProjectFacts:
    """A project out of its own answer, its statuses by type, and the site's priorities and link types."""
    statuses = {ident(one): issue_type(one).statuses for one in by_type}
    types = (issue_type(one) for one in raw["issueTypes"])
    return ProjectFacts(
        id=ident(raw),
        key=raw["key"],
        kind=raw.get("projectTypeKey") or "software",
        types=tuple(one.model_copy(update={"statuses": statuses.get(one.id, ())}) for one in types),
        components=tuple(_reference(one) for one in raw.get("components") or ()),
        priorities=tuple(_reference(one) for one in priorities),
        link_types=tuple(_reference(one) for one in link_types),
    )


def create_field(raw: Wire) -> FieldFacts:
    """A field of a screen; allowed values may be objects or, rarely, plain texts."""
    return FieldFacts(
        id=raw.get("fieldId") or raw["key"],
        name=raw.get("name") or "",
        type=_field_type(raw.get("schema") or {}),
        required=bool(raw.get("required")),
        has_default=bool(raw.get("hasDefaultValue")),
        allowed=tuple(_allowed(one) for one in raw.get("allowedValues") or ()),
    )


def _field_type(schema: Wire) -> str:
    """Jira's type of a field; of a list also what it holds, as `array:option`."""
    kind = str(schema.get("type") or "string")
    return f"array:{schema['items']}" if kind == "array" and schema.get("items") else kind


def _allowed(raw: Any) -> Reference:
    if not isinstance(raw, dict):
        return Reference(id=str(raw), name=str(raw))
    name = raw.get("name") or raw.get("value") or raw.get("key") or ""
    known_by = raw.get("id") or raw.get("accountId") or name
    return Reference(id=str(known_by), name=str(name))


def reference(raw: Wire | str | None) -> Reference | None:
    """Anything with id and name, None for null; a security level was seen as its bare id."""
    if isinstance(raw, str) and raw:
        return Reference(id=raw)
    return _reference(raw) if isinstance(raw, dict) and raw else None


def _reference(raw: Wire) -> Reference:
    return Reference(id=ident(raw), name=raw.get("name") or "")


def ident(raw: Wire) -> str:
    """The id of an object as text; raises where it is missing."""
    value = raw["id"]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise UnreadableError("'id' is no id")
    return str(value)
