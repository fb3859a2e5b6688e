"""The parts of a Jira project that a mapping asks for, with names resolved to ids.

syncd resolves the names once at the start, and again when a write contradicts them. After that ids decide,
because people rename statuses and Jira translates their names.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, Value
from syncd.domain.field import FieldFacts
from syncd.domain.ticket import Status

Edition = Literal["cloud", "datacenter"]


class IssueTypeFacts(Value):
    """An issue type of the project with all statuses of its workflow."""

    id: str
    name: str
    untranslated: str | None = None
    subtask: bool = False
    statuses: tuple[Status, ...] = ()


class ProjectFacts(Value):
    """A project as Jira shows it to syncd's account."""

    id: str
    key: str
    kind: str = "software"
    types: tuple[IssueTypeFacts, ...] = ()
    components: tuple[Reference, ...] = ()
    priorities: tuple[Reference, ...] = ()
    link_types: tuple[Reference, ...] = ()


class PostmortemFacts(Value):
    """The project's type, statuses, fields and link for postmortems, resolved to ids.

    `completed` are the statuses of a completed postmortem: those that the mapping names, else all of category
    done. `fields` are the fields of the type's create screen by id, empty where syncd did not ask for them.
    `date_field` is the id of the field of the review date. `link_type` links ticket and postmortem, None
    where the site has no type that the mapping names. `lacking` lists what syncd replaces, for `syncd check`.
    """

    type: Reference
    completed: tuple[Status, ...] = ()
    fields: dict[str, FieldFacts] = Field(default_factory=dict)
    date_field: str = "duedate"
    link_type: str | None = None
    lacking: tuple[str, ...] = ()

    def offers(self, field_id: str) -> bool:
        """Return True if its create screen has a field, or if the screen is unknown: syncd then tries."""
        return not self.fields or field_id in self.fields


class ResolvedProject(Value):
    """A project with the mapping's names resolved to ids; None or a missing entry: the project lacks it.

    `statuses` maps each of the mapping's four words (triggered, acknowledged, resolved, closed) to the status
    that stands for it, `instead` to the further statuses that the mapping names, `path` to the statuses on
    the way to it. `priorities` maps a severity to a priority. `fields` are the fields of the incident type's
    create screen by id, and by the mapping's name. `security` maps names of security levels to the ids that
    syncd's account may set. `postmortem` is None where the project has no type for it, `sub_task` where the
    project has no sub-tasks.
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
        """True for a service project, where customers see every comment that is not internal."""
        return self.kind == "service_desk"

    @property
    def known_statuses(self) -> tuple[Status, ...]:
        """All statuses that the mapping names, each with its category."""
        others = (*self.instead.values(), *self.path.values())
        completed = self.postmortem.completed if self.postmortem is not None else ()
        return (*self.statuses.values(), *(status for some in others for status in some), *completed)

    def person(self, account_id: str) -> dict[str, JsonValue]:
        """Return a person field's value: the account id on Cloud, the user name on Data Center."""
        return {"accountId" if self.edition == "cloud" else "name": account_id}

    def offers(self, field_id: str) -> bool:
        """Return True if the create screen has a field, or if the screen is unknown: syncd then tries."""
        return not self.fields or field_id in self.fields

    def stands_for(self, status_id: str) -> str | None:
        """Return the first of the four words that a status stands for, None for every other status."""
        # The statuses that syncd uses win over the further ones that the mapping names.
        for word, status in self.statuses.items():
            if status.id == status_id:
                return word
        return _holding(self.instead, status_id)

    def word_for(self, status_id: str) -> str | None:
        """Return the word that a status stands for or leads to, None for a status that the mapping omits."""
        return self.stands_for(status_id) or _holding(self.path, status_id)


def _holding(statuses: dict[str, tuple[Status, ...]], status_id: str) -> str | None:
    ids = {word: {status.id for status in some} for word, some in statuses.items()}
    return next((word for word in ids if status_id in ids[word]), None)
