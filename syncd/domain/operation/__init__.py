"""Operations: one frozen model per kind, and the way from a stored meaning back to its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Tag, TypeAdapter

from syncd.domain.base import JsonValue
from syncd.domain.operation.base import (
    OPEN_STATES,
    Kind,
    OperationBase,
    OperationClass,
    OperationState,
    Target,
    op_of,
)
from syncd.domain.operation.incident import ChangeIncident, LinkNote, WantedAssignee
from syncd.domain.operation.keys import ObjectKind, postmortem_key, split_object, ticket_key
from syncd.domain.operation.mail import MailContent, SendMail
from syncd.domain.operation.postmortem import (
    CommentOnActionItem,
    CommentOnPostmortem,
    CreateActionItem,
    CreatePostmortem,
    EditActionItem,
    EditPostmortem,
    LinkActionItem,
    LinkPostmortem,
)
from syncd.domain.operation.texts import (
    CommentOnTicket,
    MirrorComment,
    MirrorNote,
    RewriteComment,
    RewriteNote,
)
from syncd.domain.operation.ticket import (
    CloseDuplicate,
    CreateTicket,
    EditTicket,
    FillStub,
    LinkDuplicate,
    LinkTickets,
    MoveTicket,
    StatusBefore,
)

__all__ = [
    "OPEN_STATES",
    "ChangeIncident",
    "CloseDuplicate",
    "CommentOnActionItem",
    "CommentOnPostmortem",
    "CommentOnTicket",
    "CreateActionItem",
    "CreatePostmortem",
    "CreateTicket",
    "EditActionItem",
    "EditPostmortem",
    "EditTicket",
    "FillStub",
    "Kind",
    "LinkActionItem",
    "LinkDuplicate",
    "LinkNote",
    "LinkPostmortem",
    "LinkTickets",
    "MailContent",
    "MirrorComment",
    "MirrorNote",
    "MoveTicket",
    "ObjectKind",
    "Operation",
    "OperationBase",
    "OperationClass",
    "OperationState",
    "RewriteComment",
    "RewriteNote",
    "SendMail",
    "StatusBefore",
    "Target",
    "WantedAssignee",
    "op_of",
    "parse_operation",
    "postmortem_key",
    "split_object",
    "ticket_key",
]

_OF_TWO = frozenset({Kind.EDIT_PAPER, Kind.LINK_PAPER, Kind.SAY_ON_PAPER})
"""Kinds with one model for postmortems and one for action items."""


def _tag(kind: str, name: str) -> str:
    return f"{kind}:{split_object(name)[0]}" if kind in _OF_TWO else kind


def _tag_of(value: Any) -> str:
    if isinstance(value, OperationBase):
        return _tag(value.kind, value.object)
    return _tag(str(value.get("kind")), str(value.get("object")))


Operation = Annotated[
    Annotated[CreateTicket, Tag("create_ticket")]
    | Annotated[LinkNote, Tag("link_note")]
    | Annotated[MoveTicket, Tag("move_ticket")]
    | Annotated[EditTicket, Tag("edit_ticket")]
    | Annotated[FillStub, Tag("fill_stub")]
    | Annotated[LinkTickets, Tag("link_tickets")]
    | Annotated[MirrorNote, Tag("mirror_note")]
    | Annotated[MirrorComment, Tag("mirror_comment")]
    | Annotated[RewriteComment, Tag("rewrite_comment")]
    | Annotated[RewriteNote, Tag("rewrite_note")]
    | Annotated[ChangeIncident, Tag("change_incident")]
    | Annotated[CommentOnTicket, Tag("say_on_ticket")]
    | Annotated[LinkDuplicate, Tag("link_double")]
    | Annotated[CloseDuplicate, Tag("close_double")]
    | Annotated[CreatePostmortem, Tag("create_postmortem")]
    | Annotated[CreateActionItem, Tag("create_action_item")]
    | Annotated[LinkPostmortem, Tag("link_paper:postmortem")]
    | Annotated[LinkActionItem, Tag("link_paper:action_item")]
    | Annotated[EditPostmortem, Tag("edit_paper:postmortem")]
    | Annotated[EditActionItem, Tag("edit_paper:action_item")]
    | Annotated[CommentOnPostmortem, Tag("say_on_paper:postmortem")]
    | Annotated[CommentOnActionItem, Tag("say_on_paper:action_item")]
    | Annotated[SendMail, Tag("send_mail")],
    Discriminator(_tag_of),
]
"""A decided write: what is meant and why, not the bytes of a request."""

_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation, config=ConfigDict(hide_input_in_errors=True))
_WITH_PARTS: dict[str, type[OperationBase]] = {
    Kind.SEND_MAIL: SendMail,
    Kind.CHANGE_INCIDENT: ChangeIncident,
}
"""The models whose stored meaning is flatter than their fields."""


def parse_operation(
    kind: str,
    key: str,
    incident: str,
    object: str,
    aspect: str,
    needs: Iterable[str],
    reason: str,
    meaning: Mapping[str, JsonValue],
) -> Operation:
    """Return the typed operation of a stored row; raises `ValidationError` where the row is none."""
    model = _WITH_PARTS.get(kind, OperationBase)
    return _OPERATION.validate_python(
        {
            **model.fields_of(meaning),
            "kind": kind,
            "key": key,
            "incident": incident,
            "object": object,
            "aspect": aspect,
            "needs": tuple(needs),
            "reason": reason,
        }
    )
