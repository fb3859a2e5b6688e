"""Operations on an incident's ticket, except comments (`texts`)."""

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
from syncd.domain.role import Role, RoleHolder


class CreateTicket(RefusableFields):
    """Create the ticket. syncd reads a `restricted` incident's texts when it leaves, and stores none.

    `roles` are the people whom the description names.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = TICKET_FORM
    kind: Literal[Kind.CREATE_TICKET] = Kind.CREATE_TICKET

    restricted: bool = False
    roles: dict[Role, RoleHolder] = Field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """True if the create carries nothing but its incident, so that it can be part of a batch."""
        return not self.restricted and not self.refused and not self.demanded


class StatusBefore(Value):
    """The status of a ticket before a person closed it."""

    id: str
    name: str


class MoveTicket(OperationBase):
    """Move the ticket from one status to another (their ids), because the incident has a state.

    `word` is the mapping's word for the status. `back` is the status before a close that syncd takes back.
    The move does not leave before `not_before` (UTC). `demanded` are fields that Jira demanded although the
    transition's screen did not tell so.
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
    demanded: tuple[str, ...] = ()


class EditTicket(RefusableFields):
    """Write fields of the ticket; `agree` holds the values that both sides agree on after it.

    `before` holds hashes of the ticket's values before the edit, by aspect. `marks`: it also gives the ticket
    the mark of a created one.
    """

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "{aspect}/{incident}"
    kind: Literal[Kind.EDIT_TICKET] = Kind.EDIT_TICKET

    fields: dict[str, JsonValue]
    agree: dict[str, JsonValue]
    before: dict[str, str] = Field(default_factory=dict)
    marks: bool = False


class FillRestrictedStub(OperationBase):
    """Write the texts of a restricted ticket once it has its security level; `roles` as in `CreateTicket`."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "fill/{incident}"
    kind: Literal[Kind.FILL_RESTRICTED_STUB] = Kind.FILL_RESTRICTED_STUB

    roles: dict[Role, RoleHolder] = Field(default_factory=dict)


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
    """Two issues (their ids) that one operation created, and the status of the younger one."""

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
