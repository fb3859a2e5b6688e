"""A Jira issue as one answer described it: a ticket, a postmortem, an action item, or any other issue.

syncd identifies issues by their numeric id. Keys are for display, and they change when people move an issue.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import timedelta
from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, UtcTime, Value
from syncd.domain.field import FieldFacts

MARK_PROPERTY = "syncd"
"""The property of an issue or comment that names the operation that created it."""

StatusCategory = Literal["new", "indeterminate", "done", "undefined"]


class Status(Value):
    """A status of a workflow. Ids decide; `untranslated` is the name before Jira translates it."""

    id: str
    name: str
    untranslated: str | None = None
    category: StatusCategory = "undefined"


class Account(Value):
    """A Jira account: its account id on Cloud, its user name on Data Center.

    `human` is True for a person's account, None where Jira Cloud does not tell its type. As read from Jira it
    excludes apps and customers. In a case it also excludes syncd's own accounts and the team's
    `people.robots`.
    """

    id: str
    name: str = ""
    email: str | None = None
    active: bool = True
    human: bool | None = True

    def is_among(self, nobodies: Container[str]) -> bool:
        """Return True if ids and addresses of accounts name this one; Jira may hide its address."""
        return self.id in nobodies or (bool(self.email) and str(self.email).casefold() in nobodies)


def is_person(account: Account | None) -> bool:
    """Return True if a person acted. An act whose author Jira does not name meets no duty.

    It may be an act of syncd's own former account, of a robot or of a person who was deleted.
    """
    return account is not None and account.human is True


def may_be_person(account: Account | None) -> bool:
    """Return True unless it is known that no person acted: what a person may have done is left as it is."""
    return account is None or account.human is not False


TRIAL = "probe"
"""The kind in the mark of a trial ticket: no ledger has it on record."""


class Mark(Value):
    """The value of the property `syncd` on an issue or comment that syncd created.

    `facts` describe a duty (`postmortem.facts_in_comments`), so that a new ledger can rebuild it.
    """

    op: str
    kind: str
    """The kind of the operation that created it, or `TRIAL`."""
    incident: str
    instance: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)


UNEDITED = timedelta(seconds=2)
"""Jira sets both times of a new comment to about the same moment; a later update is an edit."""


class Comment(Value):
    """A comment; `mark` is syncd's property on it, None where a person or another tool wrote the comment.

    `public` is True where customers of a service project see it, None where the answer does not say.
    """

    id: str
    author: Account | None = None
    body: str
    created_at: UtcTime
    updated_at: UtcTime | None = None
    mark: Mark | None = None
    public: bool | None = None

    @property
    def edited(self) -> bool:
        """Return True if Jira says that somebody edited the comment after it was written."""
        return self.updated_at is not None and self.updated_at - self.created_at > UNEDITED


class Link(Value):
    """A link between two issues, seen from the issue that syncd read."""

    id: str
    type: str
    other_id: str
    other_key: str


class Issue(Value):
    """One issue as one answer described it.

    `updated` is Jira's own text, compared only for equality. `comments` is None where the answer holds only
    some of them. `fields` holds the custom fields that syncd asked for, as Jira sent them. `creator` is read
    by probes alone, and no snapshot keeps it.
    """

    id: str
    key: str
    project: str
    type_id: str
    type_name: str = ""
    status: Status
    summary: str = ""
    priority: Reference | None = None
    assignee: Account | None = None
    resolution: Reference | None = None
    components: tuple[Reference, ...] = ()
    labels: tuple[str, ...] = ()
    security_level: Reference | None = None
    due_date: str | None = None
    parent_id: str | None = None
    subtasks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    created_at: UtcTime | None = None
    updated: str = ""
    comments: tuple[Comment, ...] | None = None
    mark: Mark | None = None
    creator: Account | None = Field(default=None, exclude=True)
    fields: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number in the issue's key."""
        return int(self.key.rpartition("-")[2])


class Transition(Value):
    """A transition that Jira offers to syncd's account now, with the fields of its screen."""

    id: str
    name: str
    to: Status
    screen: tuple[FieldFacts, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """The ids of the fields that the screen demands and that have no default."""
        return tuple(field.id for field in self.screen if field.demanded)

    @property
    def offered(self) -> tuple[str, ...]:
        """The ids of all fields of the screen."""
        return tuple(field.id for field in self.screen)
