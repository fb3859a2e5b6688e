"""Operations on the incident in PagerDuty, except copies of comments (`texts`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.operation.base import Kind, ObjectKind, OperationBase, OperationClass, Target


class LinkNote(OperationBase):
    """Write the note that names the ticket."""

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.PAGERDUTY
    about: ClassVar = (ObjectKind.INCIDENT, "incident")
    key_form: ClassVar = "link-note/{incident}"
    kind: Literal[Kind.LINK_NOTE] = Kind.LINK_NOTE


class WantedAssignee(Value):
    """The Jira account that a person assigned the ticket to."""

    account: str
    email: str | None
    name: str


class ChangeIncident(OperationBase):
    """Carry a person's change of the ticket to the incident; exactly one of the four changes is set.

    `before` is a hash of the incident's value before the change. `agree` is the value of both sides after it.
    """

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.PAGERDUTY
    about: ClassVar = (ObjectKind.INCIDENT, "incident")
    key_form: ClassVar = "incident/{incident}/{aspect}"
    kind: Literal[Kind.CHANGE_INCIDENT] = Kind.CHANGE_INCIDENT

    before: str = Field(validation_alias="from", serialization_alias="from")
    agree: dict[str, JsonValue]
    status: str | None = None
    assignee: WantedAssignee | None = None
    priority: str | None = None
    text: str | None = None

    @property
    def meaning(self) -> dict[str, JsonValue]:
        """As in every operation; the ledger stores the assignee's fields beside the others."""
        stored = super().meaning
        stored.pop("assignee", None)
        return {**stored, **self.assignee.model_dump()} if self.assignee is not None else stored

    @classmethod
    def fields_of(cls, meaning: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the fields from a stored meaning, with the assignee's fields gathered in `assignee`."""
        person = {name: value for name, value in meaning.items() if name in WantedAssignee.model_fields}
        if not person:
            return dict(meaning)
        return {"assignee": person} | {name: value for name, value in meaning.items() if name not in person}
