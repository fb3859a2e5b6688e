"""The results of reads and writes of the two services that are no values of the domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.incident import Incident, LogEntry
from syncd.domain.project import Edition
from syncd.domain.ticket import Issue, Mark
from syncd.remote.errors import NotDone


class LogPage(Value):
    """One page of log entries, newest first, without those seen before; `more` says that older ones follow.

    `unread` are the incidents of unreadable entries, by id, with the reason; an entry with only an unreadable
    incident keeps its reference.
    """

    entries: tuple[LogEntry, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)


class IncidentPage(Value):
    """One page of incidents; `more` says that others follow.

    `unread` are the unreadable incidents, by id, with the reason: they do not hold up the others. `same` are
    the times of creation of those that look as they did before, by id, and `looks` tell the looks of the
    others, where the reader knows how incidents looked before.
    """

    incidents: tuple[Incident, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)
    same: dict[str, datetime] = Field(default_factory=dict)
    looks: dict[str, str] = Field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """True if the page shows no incident at all."""
        return not (self.incidents or self.same or self.unread)

    def last_created(self) -> datetime | None:
        """Return the latest time of creation on the page (UTC), None where it shows none."""
        created = [incident.created_at for incident in self.incidents]
        return max([*created, *self.same.values()], default=None)


class Hit(Value):
    """A search result: it names an issue and its last change; its other values may be stale."""

    id: str
    key: str
    updated: str


class SearchPage(Value):
    """One page of hits and the token of the next, None on the last."""

    hits: tuple[Hit, ...]
    next_token: str | None = None


class Fetched(Value):
    """The result of a bulk read: the issues, and those that Jira could not read this time (ask again).

    `unread` are reasons by id. An id in neither is absent or invisible to us.
    """

    issues: tuple[Issue, ...]
    unread: dict[str, str] = Field(default_factory=dict)


class Created(Value):
    """Id and key from the answer to a create."""

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
    """The issues that a bulk create made, in no particular order, and its refusals by the item's number."""

    created: tuple[Created, ...]
    refused: dict[int, NotDone]


class ServerFacts(Value):
    """Address, edition and version of the Jira site."""

    base_url: str
    edition: Edition
    version: str = ""
