"""What a Jira project offers, as far as a mapping asks for it, with names resolved to ids.

Resolved once at the start and refreshed when a write contradicts it; from then on ids decide.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, Value
from syncd.domain.field import FieldFacts
from syncd.domain.ticket import Status

Edition = Literal["cloud", "datacenter"]


class IssueTypeFacts(Value):
    """An issue type of the project with its statuses (all of its workflow)."""

    id: str
    name: str
    untranslated: str | None = None
    subtask: bool = False
    statuses: tuple[Status, ...] = ()


class ProjectFacts(Value):
    """A project as Jira describes it to our account."""

    id: str
    key: str
    kind: str = "software"
    types: tuple[IssueTypeFacts, ...] = ()
    components: tuple[Reference, ...] = ()
    priorities: tuple[Reference, ...] = ()
    link_types: tuple[Reference, ...] = ()


class PostmortemFacts(Value):
    """What the project has for postmortems, with the mapping's names turned into ids.

    `completed` are the statuses in which one is completed: those that the mapping names, else all of
    category done. `fields` are those of the type's create screen by id, empty where it was not asked for.
    `date_field` is the id of the field of the review date. `link_type` stands between ticket and postmortem;
    None: the site has none that the mapping names. `lacking` says what was replaced, for `syncd check`.
    """

    type: Reference
    completed: tuple[Status, ...] = ()
    fields: dict[str, FieldFacts] = Field(default_factory=dict)
    date_field: str = "duedate"
    link_type: str | None = None
    lacking: tuple[str, ...] = ()

    def offers(self, field_id: str) -> bool:
        """Whether its create screen has a field; where the screen is not known, it is tried."""
        return not self.fields or field_id in self.fields


class ResolvedProject(Value):
    """A project with the mapping's names turned into ids; None or absence means the project lacks it.

    `statuses` maps each of the mapping's four words (triggered, acknowledged, resolved, closed) to the
    status that stands for it, `instead` to those that the mapping names after it, `path` to those that
    lie on the way to it. `priorities` maps a severity to a priority. `fields` are those of the incident
    type's create screen by id, and by the mapping's name. `security` maps names of security levels to the
    ids that our account may set. `postmortem` is None where the project has no type for one, `sub_task`
    where it has no sub-tasks.
    """

    id: str
    key: str
    edition: Edition = "cloud"
    kind: str = "software"
    incident_type: Reference
    statuses: dict[str, Status]
    instead: dict[str, tuple[Status, ...]] = Field(default_factory=dict)
    path: dict[str, tuple[Status, ...]] = Field(default_factory=dict)
    priorities: dict[str, Reference] = Field(default_factory=dict)
    components: dict[str, Reference] = Field(default_factory=dict)
    fields: dict[str, FieldFacts] = Field(default_factory=dict)
    resolutions: tuple[Reference, ...] = ()
    security: dict[str, str] = Field(default_factory=dict)
    link_types: tuple[Reference, ...] = ()
    postmortem: PostmortemFacts | None = None
    sub_task: Reference | None = None
    lacking: tuple[str, ...] = ()

    @property
    def service_desk(self) -> bool:
        """Whether customers see what is not marked as internal."""
        return self.kind == "service_desk"

    def person(self, account_id: str) -> dict[str, JsonValue]:
        """The value of a field that names a person: by account id on Cloud, by user name on Data Center."""
        return {"accountId" if self.edition == "cloud" else "name": account_id}

    def offers(self, field_id: str) -> bool:
        """Whether the create screen has a field; where the screen is not known, it is tried."""
        return not self.fields or field_id in self.fields

    def stands_for(self, status_id: str) -> str | None:
        """The first of the mapping's words that a status stands for; None for every other status."""
        for word, status in self.statuses.items():
            if status.id == status_id:
                return word
        return _holding(self.instead, status_id)

    def word_for(self, status_id: str) -> str | None:
        """The word that a status stands for or lies on the way to; None for people's own statuses."""
        return self.stands_for(status_id) or _holding(self.path, status_id)


def _holding(statuses: dict[str, tuple[Status, ...]], status_id: str) -> str | None:
    return next((word for word, some in statuses.items() if any(one.id == status_id for one in some)), None)
