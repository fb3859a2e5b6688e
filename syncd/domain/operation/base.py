"""An operation: one write to a service. The ledger records it before it leaves and confirms it afterwards.

*Once* operations (create, comment, note, mail) happen once for each key, for ever. The key holds only ids of
the services and the rule's own time, so that a restored ledger derives the same key and the same mark.
*State* operations (status, fields, links) replace each other: at most one is open for an object and an
aspect, and a finished operation never blocks the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, model_validator

from syncd.domain.base import JsonValue, UtcTime, Value


class OperationClass(StrEnum):
    """How often an operation may happen: once for its key, or whenever the state differs."""

    ONCE = "once"
    STATE = "state"


class OperationState(StrEnum):
    """The state of an operation.

    The ledger commits `in_flight` before the request leaves. The outcome of `unknown` is unknown, and syncd
    looks it up until the settle time is over. `parked` waits for a person, `held` for a release.
    """

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    DONE = "done"
    PARKED = "parked"
    HELD = "held"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"


OPEN_STATES = (
    OperationState.PENDING,
    OperationState.IN_FLIGHT,
    OperationState.UNKNOWN,
    OperationState.PARKED,
    OperationState.HELD,
)
"""These may still write. At most one state-operation of an object and an aspect is in one of them."""
UNSURE_STATES = (OperationState.IN_FLIGHT, OperationState.UNKNOWN)
"""The service may or may not have carried the operation out."""
WORKING_STATES = (OperationState.PENDING, *UNSURE_STATES)
"""The operation goes on without a person."""
UNSENT_STATES = (OperationState.PENDING, OperationState.PARKED, OperationState.HELD)
"""No request of the operation is under way."""


class Target(StrEnum):
    """The service that an operation writes to. The operator can pause each one alone."""

    JIRA = "jira"
    PAGERDUTY = "pagerduty"
    MAIL = "mail"
    CHAT = "chat"


class Kind(StrEnum):
    """The kinds of operations."""

    CREATE_TICKET = "create_ticket"
    LINK_NOTE = "link_note"
    MOVE_TICKET = "move_ticket"
    EDIT_TICKET = "edit_ticket"
    FILL_RESTRICTED_STUB = "fill_restricted_stub"
    LINK_TICKETS = "link_tickets"
    MIRROR_NOTE = "mirror_note"
    MIRROR_COMMENT = "mirror_comment"
    REWRITE_COMMENT = "rewrite_comment"
    REWRITE_NOTE = "rewrite_note"
    CHANGE_INCIDENT = "change_incident"
    COMMENT_ON_TICKET = "comment_on_ticket"
    POST_READY_TEXTS = "post_ready_texts"
    REWRITE_READY_TEXTS = "rewrite_ready_texts"
    LINK_DUPLICATE = "link_duplicate"
    CLOSE_DUPLICATE = "close_duplicate"
    CREATE_POSTMORTEM = "create_postmortem"
    CREATE_ACTION_ITEM = "create_action_item"
    CREATE_RECURRING = "create_recurring_issue"
    LINK_POSTMORTEM = "link_postmortem"
    LINK_ACTION_ITEM = "link_action_item"
    EDIT_POSTMORTEM = "edit_postmortem"
    EDIT_ACTION_ITEM = "edit_action_item"
    COMMENT_ON_POSTMORTEM = "comment_on_postmortem"
    COMMENT_ON_ACTION_ITEM = "comment_on_action_item"
    SEND_MAIL = "send_mail"
    POST_CHAT = "post_chat"


class ObjectKind(StrEnum):
    """The kinds of objects that an operation changes; an object's name is `KIND:ID`."""

    TICKET = "ticket"
    POSTMORTEM = "postmortem"
    ACTION_ITEM = "action_item"
    INCIDENT = "incident"
    ISSUE = "issue"
    COMMENT = "comment"
    NOTE = "note"
    MAIL = "mail"
    CHAT = "chat"


def object_of(kind: ObjectKind, ident: str) -> str:
    """Return the name of an object, `KIND:ID`."""
    return f"{kind}:{ident}"


def object_of_ticket(incident_id: str) -> str:
    """Return the object of an incident's ticket."""
    return object_of(ObjectKind.TICKET, incident_id)


def split_object(name: str) -> tuple[str, str]:
    """Return kind and id of an object."""
    kind, _, ident = name.partition(":")
    return kind, ident


class OperationBase(Value):
    """The fields of every operation: the object that it changes, and the reason. Its meaning is in its model.

    `object` and `aspect` name the target (`ticket:PABC123`, `status`). `needs` holds the keys of the
    once-operations that must be done first; they may belong to another incident. The object, and the key of
    most kinds, follow from the other fields, so the rules do not give them.
    """

    model_config = ConfigDict(populate_by_name=True)

    op_class: ClassVar[OperationClass]
    """Once or state."""
    target: ClassVar[Target]
    """The service that it writes to."""
    about: ClassVar[tuple[ObjectKind, str]]
    """The kind of the object, and the name of the field that holds its id."""
    key_form: ClassVar[str] = ""
    """The key with fields in braces; where it is empty, the rule gives the key."""

    key: str = ""
    kind: Kind
    incident: str
    object: str = ""
    aspect: str = ""
    needs: tuple[str, ...] = ()
    reason: str

    @model_validator(mode="before")
    @classmethod
    def _name(cls, fields: Any) -> Any:
        """Return the fields with object and key."""
        # A stored operation has both already, perhaps by an older form of the key: they must not change.
        if not isinstance(fields, dict) or ("key" in fields and "object" in fields):
            return fields
        kind, holds_id = cls.about
        named = {"object": object_of(kind, fields[holds_id]), **fields}
        return {"key": cls.key_form.format_map(named), **named}

    @property
    def op(self) -> str:
        """The short name in the mark: the first 16 hex digits of the key's SHA-256."""
        return op_of(self.key)

    @property
    def meaning(self) -> dict[str, JsonValue]:
        """The model's own fields as the ledger stores them, without the optional fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_SHARED)

    @classmethod
    def fields_of(cls, meaning: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the model's own fields from a stored meaning: the reverse of `meaning`."""
        return dict(meaning)


_SHARED = set(OperationBase.model_fields)


class WithContent(OperationBase):
    """An operation with one model for the content of each kind of message.

    The ledger stores the content's fields beside the others; `content_named` is the field that tells its
    kind.
    """

    content_named: ClassVar[str]
    content: Any

    @property
    def meaning(self) -> dict[str, JsonValue]:
        """As in every operation, with the content's fields beside the others."""
        stored, content = super().meaning, self.content
        stored.pop("content")
        kind = str(getattr(content, self.content_named))
        return {self.content_named: kind, **stored, **content.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def fields_of(cls, meaning: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the fields from a stored meaning, with the content's fields gathered in `content`."""
        own = cls.model_fields.keys() - OperationBase.model_fields.keys()
        shared = {name: value for name, value in meaning.items() if name in own}
        return {**shared, "content": {name: value for name, value in meaning.items() if name not in shared}}


class RefusableFields(OperationBase):
    """An operation that fills fields of an issue; `refused` holds the ids of the fields that Jira refused.

    `demanded` are fields that Jira demanded although no screen told so: syncd fills them and drops none.
    """

    refused: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()


def op_of(key: str) -> str:
    """Return the short name that marks carry for an operation's key: 16 hex digits of its SHA-256."""
    return sha256(key.encode()).hexdigest()[:16]


def _iso_or_blank(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


IsoTime = Annotated[UtcTime, PlainSerializer(datetime.isoformat, return_type=str, when_used="json")]
"""A time that the ledger stores with its offset (`+00:00`)."""
IsoTimeOrBlank = Annotated[
    UtcTime | None,
    BeforeValidator(_blank_is_none),
    PlainSerializer(_iso_or_blank, return_type=str, when_used="json"),
]
"""As `IsoTime`; the ledger stores None as an empty text."""
