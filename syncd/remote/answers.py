"""What reads and writes of the two services give back beside the domain's own values."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.incident import Incident, LogEntry
from syncd.domain.project import Edition
from syncd.domain.ticket import Issue, Mark
from syncd.remote.errors import NotDone


class LogPage(Value):
    """One page of log entries, newest first; `more` says that older ones follow.

    `unread` are the incidents of entries that could not be read, by id, each with why; an entry whose
    incident alone cannot be read only refers to it.
    """

    entries: tuple[LogEntry, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)


class IncidentPage(Value):
    """One page of incidents; `more` says that others follow.

    `unread` are those that could not be read, by id, each with why: one of them does not hold up the others.
    """

    incidents: tuple[Incident, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)


class Hit(Value):
    """A search result: it names an issue and when it changed last, and is never a source of values."""

    id: str
    key: str
    updated: str


class SearchPage(Value):
    """One page of hits and the token of the next, None on the last."""

    hits: tuple[Hit, ...]
    next_token: str | None = None


class Fetched(Value):
    """A bulk read: what is there, and the ids that could not be read this time (unknown, ask again).

    An id that stands in neither is absent or invisible to us.
    """

    issues: tuple[Issue, ...]
    unread: tuple[str, ...] = ()


class Created(Value):
    """What the answer to a create names."""

    id: str
    key: str


@dataclass(frozen=True)
class BulkItem:
    """One issue of a bulk create: its fields, its mark, a transition to take at once."""

    fields: dict[str, JsonValue]
    mark: Mark
    transition: str | None = None


@dataclass(frozen=True)
class BulkAnswer:
    """What a bulk create made, in no particular order, and what it refused, by number of the item."""

    created: tuple[Created, ...]
    refused: dict[int, NotDone]


class ServerFacts(Value):
    """Whose Jira it is."""

    base_url: str
    edition: Edition
    version: str = ""
