"""An operation: one write to a service, decided, on record before it leaves, confirmed after.

*Once* operations (create, comment, note, mail) are unique for ever by their key, which comes only
from the services' ids and the rule's own moment, so that a ledger that was restored derives the same
key and the same mark. *State* operations (status, fields, links) replace each other: at most one is
open for an object and an aspect, and a finished one never blocks the next.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from pydantic import Field

from syncd.domain.base import JsonValue, Value


class OperationClass(StrEnum):
    """Whether an operation may ever happen again."""

    ONCE = "once"
    STATE = "state"


class OperationState(StrEnum):
    """Where an operation stands.

    `in_flight` is committed before the request leaves. `settling` has an unknown outcome that is
    looked up until the settle time has passed. `parked` waits for a person, `held` for a release.
    """

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    SETTLING = "settling"
    DONE = "done"
    PARKED = "parked"
    HELD = "held"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"


OPEN_STATES = (
    OperationState.PENDING,
    OperationState.IN_FLIGHT,
    OperationState.SETTLING,
    OperationState.PARKED,
    OperationState.HELD,
)


class Target(StrEnum):
    """The service that an operation writes to; each can be paused alone."""

    JIRA = "jira"
    PAGERDUTY = "pagerduty"
    MAIL = "mail"
    CHAT = "chat"


class Kind(StrEnum):
    """What an operation does."""

    CREATE_TICKET = "create_ticket"
    LINK_NOTE = "link_note"
    MOVE_TICKET = "move_ticket"
    EDIT_TICKET = "edit_ticket"
    FILL_STUB = "fill_stub"
    LINK_TICKETS = "link_tickets"
    MIRROR_NOTE = "mirror_note"
    MIRROR_COMMENT = "mirror_comment"
    REWRITE_COMMENT = "rewrite_comment"
    REWRITE_NOTE = "rewrite_note"
    CHANGE_INCIDENT = "change_incident"
    SAY_ON_TICKET = "say_on_ticket"
    LINK_DOUBLE = "link_double"
    CLOSE_DOUBLE = "close_double"
    CREATE_POSTMORTEM = "create_postmortem"
    CREATE_ACTION_ITEM = "create_action_item"
    LINK_PAPER = "link_paper"
    EDIT_PAPER = "edit_paper"
    SAY_ON_PAPER = "say_on_paper"
    SEND_MAIL = "send_mail"


KIND_CLASS = {
    Kind.CREATE_TICKET: OperationClass.ONCE,
    Kind.LINK_NOTE: OperationClass.ONCE,
    Kind.MOVE_TICKET: OperationClass.STATE,
    Kind.EDIT_TICKET: OperationClass.STATE,
    Kind.FILL_STUB: OperationClass.STATE,
    Kind.LINK_TICKETS: OperationClass.STATE,
    Kind.MIRROR_NOTE: OperationClass.ONCE,
    Kind.MIRROR_COMMENT: OperationClass.ONCE,
    Kind.REWRITE_COMMENT: OperationClass.STATE,
    Kind.REWRITE_NOTE: OperationClass.STATE,
    Kind.CHANGE_INCIDENT: OperationClass.STATE,
    Kind.SAY_ON_TICKET: OperationClass.ONCE,
    Kind.LINK_DOUBLE: OperationClass.ONCE,
    Kind.CLOSE_DOUBLE: OperationClass.ONCE,
    Kind.CREATE_POSTMORTEM: OperationClass.ONCE,
    Kind.CREATE_ACTION_ITEM: OperationClass.ONCE,
    Kind.LINK_PAPER: OperationClass.STATE,
    Kind.EDIT_PAPER: OperationClass.STATE,
    Kind.SAY_ON_PAPER: OperationClass.ONCE,
    Kind.SEND_MAIL: OperationClass.ONCE,
}

KIND_TARGET = {
    Kind.CREATE_TICKET: Target.JIRA,
    Kind.LINK_NOTE: Target.PAGERDUTY,
    Kind.MOVE_TICKET: Target.JIRA,
    Kind.EDIT_TICKET: Target.JIRA,
    Kind.FILL_STUB: Target.JIRA,
    Kind.LINK_TICKETS: Target.JIRA,
    Kind.MIRROR_NOTE: Target.JIRA,
    Kind.MIRROR_COMMENT: Target.PAGERDUTY,
    Kind.REWRITE_COMMENT: Target.JIRA,
    Kind.REWRITE_NOTE: Target.PAGERDUTY,
    Kind.CHANGE_INCIDENT: Target.PAGERDUTY,
    Kind.SAY_ON_TICKET: Target.JIRA,
    Kind.LINK_DOUBLE: Target.JIRA,
    Kind.CLOSE_DOUBLE: Target.JIRA,
    Kind.CREATE_POSTMORTEM: Target.JIRA,
    Kind.CREATE_ACTION_ITEM: Target.JIRA,
    Kind.LINK_PAPER: Target.JIRA,
    Kind.EDIT_PAPER: Target.JIRA,
    Kind.SAY_ON_PAPER: Target.JIRA,
    Kind.SEND_MAIL: Target.MAIL,
}


class Operation(Value):
    """A decided write: what is meant and why, not the bytes of a request.

    `object` and `aspect` say what it touches (`ticket:PABC123`, `status`); `needs` holds the keys of
    once-operations that must be done first, also of another incident. `meaning` is plain data.
    """

    key: str
    kind: Kind
    incident: str
    object: str
    aspect: str = ""
    needs: tuple[str, ...] = ()
    meaning: dict[str, JsonValue] = Field(default_factory=dict)
    reason: str

    @property
    def op_class(self) -> OperationClass:
        """Once or state, by kind."""
        return KIND_CLASS[self.kind]

    @property
    def target(self) -> Target:
        """The service that it writes to, by kind."""
        return KIND_TARGET[self.kind]

    @property
    def op(self) -> str:
        """The short name that the mark carries: 16 hex digits of the key's SHA-256."""
        return op_of(self.key)


def op_of(key: str) -> str:
    """Given an operation's key, return the 16 hex digits that stand in marks."""
    return sha256(key.encode()).hexdigest()[:16]


def ticket_key(incident_id: str) -> str:
    """The key of the create of an incident's ticket, which everything on the ticket needs."""
    return f"ticket/{incident_id}"


def postmortem_key(incident_id: str) -> str:
    """The key of the create of an incident's postmortem, which everything on the postmortem needs."""
    return f"postmortem/{incident_id}"
