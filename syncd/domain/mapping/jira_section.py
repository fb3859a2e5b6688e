"""The section `jira` of a mapping: the project of the tickets, their look, and the owner of each field."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.mapping.value_types import Names, SomeNames, Text

STATUS_WORDS = ("triggered", "acknowledged", "resolved", "closed")
"""The four words for which a mapping names statuses: PagerDuty's three, and `closed` when nothing is owed."""

OWN_FIELDS = {
    "summary": "it comes from the incident's title",
    "description": "it comes from `template`",
    "project": "see `jira.project`",
    "issuetype": "see `jira.issue_types`",
    "issue type": "see `jira.issue_types`",
    "status": "see `jira.statuses`",
    "priority": "see `severities`",
    "labels": "see `jira.labels`",
    "component": "see a service's `component`",
    "components": "see a service's `component`",
    "assignee": "the responder; see `people`",
    "resolution": "see `jira.resolution`",
}
"""Fields that `jira.fields` cannot name, by id and by name in small letters, and where they come from."""


class Owner(StrEnum):
    """The side that decides the value of a field after the create."""

    PAGERDUTY = "pagerduty"
    JIRA = "jira"
    NOBODY = "nobody"


class IssueTypes(Value):
    """Names of the issue types, the preferred one first."""

    incident: SomeNames = Field(("Incident", "Bug", "Task"), description="Issue type of a ticket.")
    postmortem: SomeNames = Field(("Postmortem", "Task"), description="Issue type of a postmortem.")
    sub_task: SomeNames = Field(("Sub-task", "Subtask"), description="Issue type of a sub-task.")


class Statuses(Value):
    """The project's statuses for each state of the incident, the preferred one first."""

    triggered: SomeNames = Field(("To Do", "Open"), description="Nobody has acknowledged it yet.")
    acknowledged: SomeNames = Field(("In Progress",), description="Somebody is on it.")
    resolved: SomeNames = Field(
        ("In Review", "Resolved", "In Progress"), description="The incident is over, duties are open."
    )
    closed: SomeNames = Field(("Done", "Closed"), description="No duty is open.")

    def names(self, word: str) -> tuple[str, ...]:
        """Return the names of statuses for one of the four words."""
        names: tuple[str, ...] = getattr(self, word)
        return names


Way = Annotated[Names, Field(max_length=2)]
"""Statuses on the way, in order: two at most, so that a move takes three steps at most."""


class Path(Value):
    """The statuses on the way to each of the four words, for workflows without a direct transition."""

    triggered: Way = Field((), description="On the way to `triggered`.")
    acknowledged: Way = Field((), description="On the way to `acknowledged`.")
    resolved: Way = Field((), description="On the way to `resolved`.")
    closed: Way = Field((), description="On the way to `closed`.")

    def names(self, word: str) -> tuple[str, ...]:
        """Return the names of the statuses on the way to one of the four words."""
        names: tuple[str, ...] = getattr(self, word)
        return names


class FieldValue(Value):
    """The value of a further field of the ticket: a constant, a template or the severity's name.

    Exactly one of `value`, `template` and `severity` is set. `severity: true` also updates the field when the
    severity changes. With `required: false` syncd drops the field where a screen refuses it.
    """

    value: JsonValue = Field(
        None,
        description="A constant as people write it: a text, an option or a list of options, a number, a day,"
        " an address; or as Jira's REST API takes it.",
    )
    template: str | None = Field(
        None, description="A template of one line, with the variables of `templates/README.md`."
    )
    severity: bool = Field(
        False, description="`true`: the severity's name; syncd updates it when the severity changes."
    )
    required: bool = Field(
        False,
        description="`true`: syncd makes no ticket without this field; otherwise it drops a refused field.",
    )


class FieldOwners(Value):
    """The owner of each field after the create of the ticket.

    `pagerduty`: syncd carries each change of the incident over. `jira`: syncd writes the field at the create,
    and people own it then. `nobody`: syncd carries changes over until both sides changed; then it says so
    once and leaves the field alone. An assignee whom a person chose always stays.
    """

    summary: Owner = Field(Owner.PAGERDUTY, description="The title.")
    priority: Owner = Field(Owner.PAGERDUTY, description="Jira's priority.")
    severity: Owner = Field(Owner.PAGERDUTY, description="Fields that hold the severity's name.")
    component: Owner = Field(Owner.PAGERDUTY, description="The service's component.")
    assignee: Owner = Field(
        Owner.PAGERDUTY, description="The responder; an assignee whom a person chose in Jira always stays."
    )


class JiraSection(Value):
    """The project of the tickets, and their look."""

    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$", description="Key of the Jira project.")
    issue_types: IssueTypes = Field(
        IssueTypes(), description="Names of issue types, the preferred one first."
    )
    statuses: Statuses = Field(
        Statuses(),
        description="Which status stands for which state of the incident, the preferred one first.",
    )
    link_types: Names = Field(
        ("Duplicate", "Relates"),
        description="Link types for the ticket of a merged incident, the preferred one first.",
    )
    path: Path = Field(
        Path(),
        description="Statuses to pass through in this order, at most two, where Jira offers no direct way and"
        " none was learned; without it, only the statuses of `statuses` are passed through.",
    )
    resolution: Names = Field(
        ("Done", "Fixed"),
        description="The resolution that a close sets where the transition's screen has one.",
    )
    fields: dict[Text, FieldValue] = Field(
        default_factory=dict,
        description="Further fields of the ticket, by name or id, written at the create and where a"
        " transition's screen demands them: exactly one of `value`, `template` and `severity` each.",
    )
    owners: FieldOwners = Field(
        FieldOwners(),
        description="Whose word counts on a field after the create: `pagerduty` (a change of the incident"
        " is carried over), `jira` (people's from then on) or `nobody` (carried over until both sides"
        " changed; then said once and left for good).",
    )
    labels: tuple[Text, ...] = Field((), description="Further labels of every ticket.")
