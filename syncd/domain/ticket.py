"""A Jira issue as it was read once: the ticket of an incident, or a neighbour in its project.

Issues are known by their numeric id; keys are for display and change when an issue is moved.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, UtcTime, Value
from syncd.domain.field import FieldFacts

MARK_PROPERTY = "syncd"
"""The issue and comment property that says which operation made it."""

StatusCategory = Literal["new", "indeterminate", "done", "undefined"]


class Status(Value):
    """A status of a workflow. Ids decide; `untranslated` is the name before localisation."""

    id: str
    name: str
    untranslated: str | None = None
    category: StatusCategory = "undefined"


class Account(Value):
    """A Jira account: its account id on Cloud, its user name on Data Center.

    `human` says that it is a person's (rules: "A person"): as it was read, that it is no app's and no
    customer's; in a case also that it is neither ours nor one of the team's `people.robots`.
    """

    id: str
    name: str = ""
    email: str | None = None
    active: bool = True
    human: bool = True


class Mark(Value):
    """What `syncd` wrote into the property of a thing that it made.

    `facts` are what a comment states of a duty (`postmortem.facts_in_comments`), for a ledger that lost it.
    """

    op: str
    kind: str
    incident: str
    instance: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)


class Comment(Value):
    """A comment; `mark` is our own property on it, None where a person or another tool wrote it.

    `public` says whether customers of a service project see it, None where the answer did not say.
    """

    id: str
    author: Account | None = None
    body: str
    created_at: UtcTime
    updated_at: UtcTime | None = None
    mark: Mark | None = None
    public: bool | None = None


class Link(Value):
    """A link between two issues, seen from the issue that was read."""

    id: str
    type: str
    other_id: str
    other_key: str


class Issue(Value):
    """One issue as one answer told it.

    `updated` is Jira's own text, compared only for equality. `comments` is None where the answer
    held fewer than there are. `fields` holds the custom fields that were asked for, raw.
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
    fields: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def number(self) -> int:
        """The running number in its project, from the key."""
        return int(self.key.rpartition("-")[2])


class Transition(Value):
    """A way out of the present status that Jira offers to our account, with the fields of its screen."""

    id: str
    name: str
    to: Status
    screen: tuple[FieldFacts, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """The ids of the fields that its screen demands and that have no default."""
        return tuple(field.id for field in self.screen if field.demanded)

    @property
    def offered(self) -> tuple[str, ...]:
        """The ids of all fields of its screen."""
        return tuple(field.id for field in self.screen)
