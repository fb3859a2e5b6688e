"""Operations: one frozen model per kind, and the function that turns a stored row back into its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter

from syncd.domain.base import JsonValue
from syncd.domain.operation.base import (
    OPEN_STATES,
    UNSENT_STATES,
    UNSURE_STATES,
    WORKING_STATES,
    Kind,
    ObjectKind,
    OperationBase,
    OperationClass,
    OperationState,
    Target,
    op_of,
    split_object,
)
from syncd.domain.operation.chat import PostChat, PostContent
from syncd.domain.operation.incident import ChangeIncident, LinkNote, WantedAssignee
from syncd.domain.operation.keys import postmortem_key, ticket_key
from syncd.domain.operation.mail import MailContent, SendMail
from syncd.domain.operation.postmortem import (
    CommentOnActionItem,
    CommentOnPostmortem,
    CreateActionItem,
    CreatePostmortem,
    CreateRecurring,
    EditActionItem,
    EditPostmortem,
    LinkActionItem,
    LinkPostmortem,
)
from syncd.domain.operation.texts import (
    CommentOnTicket,
    MirrorComment,
    MirrorNote,
    PostReadyTexts,
    RewriteComment,
    RewriteNote,
    RewriteReadyTexts,
)
from syncd.domain.operation.ticket import (
    CloseDuplicate,
    CreateTicket,
    EditTicket,
    FillRestrictedStub,
    LinkDuplicate,
    LinkTickets,
    MoveTicket,
    StatusBefore,
)

__all__ = [
    "OPEN_STATES",
    "UNSENT_STATES",
    "UNSURE_STATES",
    "WORKING_STATES",
    "ChangeIncident",
    "CloseDuplicate",
    "CommentOnActionItem",
    "CommentOnPostmortem",
    "CommentOnTicket",
    "CreateActionItem",
    "CreatePostmortem",
    "CreateRecurring",
    "CreateTicket",
    "EditActionItem",
    "EditPostmortem",
    "EditTicket",
    "FillRestrictedStub",
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
    "PostChat",
    "PostContent",
    "PostReadyTexts",
    "RewriteComment",
    "RewriteNote",
    "RewriteReadyTexts",
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

Operation = Annotated[
    CreateTicket
    | LinkNote
    | MoveTicket
    | EditTicket
    | FillRestrictedStub
    | LinkTickets
    | MirrorNote
    | MirrorComment
    | RewriteComment
    | RewriteNote
    | ChangeIncident
    | CommentOnTicket
    | PostReadyTexts
    | RewriteReadyTexts
    | LinkDuplicate
    | CloseDuplicate
    | CreatePostmortem
    | CreateActionItem
    | CreateRecurring
    | LinkPostmortem
    | LinkActionItem
    | EditPostmortem
    | EditActionItem
    | CommentOnPostmortem
    | CommentOnActionItem
    | SendMail
    | PostChat,
    Field(discriminator="kind"),
]
"""A decided write: its meaning and its reason, not the bytes of a request."""

_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation, config=ConfigDict(hide_input_in_errors=True))
_WITH_PARTS: dict[str, type[OperationBase]] = {
    Kind.SEND_MAIL: SendMail,
    Kind.POST_CHAT: PostChat,
    Kind.CHANGE_INCIDENT: ChangeIncident,
}
"""The models that store the fields of a part (content, assignee) beside their own."""


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
    """Return the typed operation of a stored row; raise `ValidationError` if it does not fit its kind."""
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
