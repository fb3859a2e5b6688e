"""Operations on an incident's ticket, but for comments (`texts`)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.operation.base import (
    IsoTime,
    Kind,
    ObjectKind,
    OperationBase,
    OperationClass,
    RefusableFields,
    Target,
)
from syncd.domain.operation.keys import TICKET_FORM


class CreateTicket(RefusableFields):
    """Create the ticket; the text of a `restricted` incident is read when it leaves, and kept nowhere."""

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = TICKET_FORM
    kind: Literal[Kind.CREATE_TICKET] = Kind.CREATE_TICKET

    restricted: bool = False

    @property
    def is_plain(self) -> bool:
        """Return True if it means nothing but its incident."""
        return not self.restricted and not self.refused


class StatusBefore(Value):
    """The status at which a ticket stood before a person closed it."""

    id: str
    name: str


class MoveTicket(OperationBase):
    """Move the ticket from one status to another (ids), because the incident is in a state.

    `word` is the mapping's name of the status. `back` is the status to which a close is taken back. It
    does not leave before `not_before` (UTC), where that is set.
    """

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "status/{incident}"
    kind: Literal[Kind.MOVE_TICKET] = Kind.MOVE_TICKET

    word: str
    status: str
    state: str
    from_status: str = Field(validation_alias="from", serialization_alias="from")
    back: StatusBefore | None = None
    not_before: IsoTime | None = None


class EditTicket(RefusableFields):
    """Write fields of the ticket; `agree` is what both sides agree on then.

    `before` holds prints of what the ticket showed, by aspect.
    """

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "{aspect}/{incident}"
    kind: Literal[Kind.EDIT_TICKET] = Kind.EDIT_TICKET

    fields: dict[str, JsonValue]
    agree: dict[str, JsonValue]
    before: dict[str, str] = Field(default_factory=dict)


class FillRestrictedStub(OperationBase):
    """Give a restricted ticket its texts, once it stands under its security level."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "fill/{incident}"
    kind: Literal[Kind.FILL_RESTRICTED_STUB] = Kind.FILL_RESTRICTED_STUB


class LinkTickets(OperationBase):
    """Link the ticket to the ticket of another incident, `other_incident`."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "duplicate/{incident}"
    kind: Literal[Kind.LINK_TICKETS] = Kind.LINK_TICKETS

    other_incident: str = Field(validation_alias="target", serialization_alias="target")
    purpose: str


class Duplicate(OperationBase):
    """An issue that one operation made twice: ids of both, and the status at which the younger was found."""

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.ISSUE, "younger")

    older: str
    younger: str
    from_status: str = Field(validation_alias="from", serialization_alias="from")


class LinkDuplicate(Duplicate):
    """Link the younger issue to the older one."""

    key_form: ClassVar = "duplicate/{younger}/link"
    kind: Literal[Kind.LINK_DUPLICATE] = Kind.LINK_DUPLICATE


class CloseDuplicate(Duplicate):
    """Close the younger issue."""

    key_form: ClassVar = "duplicate/{younger}/close"
    kind: Literal[Kind.CLOSE_DUPLICATE] = Kind.CLOSE_DUPLICATE
