"""The shapes of request bodies, as far as Jira refuses a body for its shape alone.

`fields` is checked later, field by field, with Jira's words for each. Like Jira, the sandbox ignores keys
that are not named here.
"""

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

Verbs = dict[str, list[dict[str, Any]]]


class Property(TypedDict, total=False):
    """The value of a property that comes with an issue or a comment."""

    value: Any


class KeyedProperty(Property):
    """A property with its key."""

    key: str


class Named(TypedDict, total=False):
    """A reference by id, key or name."""

    id: str | int | None
    key: str | None
    name: str | None


class IssueBody(TypedDict, total=False):
    """A create, an edit, or a transition."""

    fields: dict[str, Any] | None
    update: Verbs | None
    properties: list[KeyedProperty] | None
    transition: Named | None


class BulkBody(TypedDict, total=False):
    """Many creates."""

    issueUpdates: list[Any] | None


class FetchBody(TypedDict, total=False):
    """A bulk fetch of issues."""

    issueIdsOrKeys: list[str | int] | None
    fields: list[str] | None
    properties: list[str] | None
    expand: list[str] | None


class ChangelogBody(TypedDict, total=False):
    """A bulk fetch of changelogs."""

    issueIdsOrKeys: list[str | int] | None
    fieldIds: list[str] | None
    maxResults: int | None
    nextPageToken: str | None


class SearchBody(TypedDict, total=False):
    """A search, old or new; a list may come as one text with commas."""

    jql: str | None
    fields: list[str] | str | None
    properties: list[str] | str | None
    expand: list[str] | str | None
    reconcileIssues: list[int | str] | None
    maxResults: int | str | None
    startAt: int | str | None
    nextPageToken: str | None


class CommentBody(TypedDict, total=False):
    """A comment; its body is a text or a document, by the version of the API."""

    body: Any
    properties: list[KeyedProperty] | None
    visibility: dict[str, Any] | None


class LinkBody(TypedDict, total=False):
    """A link between two issues."""

    type: Named | None
    inwardIssue: Named | None
    outwardIssue: Named | None


ISSUE = TypeAdapter(IssueBody)
BULK = TypeAdapter(BulkBody)
FETCH = TypeAdapter(FetchBody)
CHANGELOG = TypeAdapter(ChangelogBody)
SEARCH = TypeAdapter(SearchBody)
COMMENT = TypeAdapter(CommentBody)
LINK = TypeAdapter(LinkBody)


def values(rows: list[KeyedProperty] | None) -> dict[str, Any]:
    """Return properties by key."""
    return {row["key"]: row.get("value") for row in rows or []}
