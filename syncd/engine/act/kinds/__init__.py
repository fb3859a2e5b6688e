"""The kinds of operations: each sends one write; `KINDS` names the code of each kind."""

from __future__ import annotations

from typing import Any

from syncd.domain.operation import Kind
from syncd.engine.act.kind import OperationKind
from syncd.engine.act.kinds.change_incident import ChangeIncidentKind
from syncd.engine.act.kinds.close_duplicate import CloseDuplicateKind
from syncd.engine.act.kinds.create_action_item import CreateActionItemKind
from syncd.engine.act.kinds.create_postmortem import CreatePostmortemKind
from syncd.engine.act.kinds.create_recurring import CreateRecurringKind
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.engine.act.kinds.edit_issue import EditDutyIssueKind, EditTicketKind
from syncd.engine.act.kinds.fill_restricted_stub import FillRestrictedStubKind
from syncd.engine.act.kinds.link_issues import LinkDuplicateKind, LinkDutyIssueKind, LinkTicketsKind
from syncd.engine.act.kinds.move_ticket import MoveTicketKind
from syncd.engine.act.kinds.post_chat import PostChatKind
from syncd.engine.act.kinds.post_text import (
    CommentOnDutyIssueKind,
    CommentOnTicketKind,
    LinkNoteKind,
    MirrorCommentKind,
    MirrorNoteKind,
)
from syncd.engine.act.kinds.ready_texts import PostReadyTextsKind, RewriteReadyTextsKind
from syncd.engine.act.kinds.rewrite_copy import RewriteCommentKind, RewriteNoteKind
from syncd.engine.act.kinds.send_mail import SendMailKind

KINDS: dict[str, OperationKind[Any]] = {
    Kind.CREATE_TICKET: CreateTicketKind(),
    Kind.MOVE_TICKET: MoveTicketKind(),
    Kind.EDIT_TICKET: EditTicketKind(),
    Kind.FILL_RESTRICTED_STUB: FillRestrictedStubKind(),
    Kind.LINK_NOTE: LinkNoteKind(),
    Kind.LINK_TICKETS: LinkTicketsKind(),
    Kind.MIRROR_NOTE: MirrorNoteKind(),
    Kind.MIRROR_COMMENT: MirrorCommentKind(),
    Kind.REWRITE_COMMENT: RewriteCommentKind(),
    Kind.REWRITE_NOTE: RewriteNoteKind(),
    Kind.CHANGE_INCIDENT: ChangeIncidentKind(),
    Kind.COMMENT_ON_TICKET: CommentOnTicketKind(),
    Kind.POST_READY_TEXTS: PostReadyTextsKind(),
    Kind.REWRITE_READY_TEXTS: RewriteReadyTextsKind(),
    Kind.CREATE_POSTMORTEM: CreatePostmortemKind(),
    Kind.LINK_POSTMORTEM: LinkDutyIssueKind(),
    Kind.LINK_ACTION_ITEM: LinkDutyIssueKind(),
    Kind.EDIT_POSTMORTEM: EditDutyIssueKind(),
    Kind.EDIT_ACTION_ITEM: EditDutyIssueKind(),
    Kind.COMMENT_ON_POSTMORTEM: CommentOnDutyIssueKind(),
    Kind.COMMENT_ON_ACTION_ITEM: CommentOnDutyIssueKind(),
    Kind.LINK_DUPLICATE: LinkDuplicateKind(),
    Kind.CLOSE_DUPLICATE: CloseDuplicateKind(),
    Kind.SEND_MAIL: SendMailKind(),
    Kind.POST_CHAT: PostChatKind(),
    Kind.CREATE_ACTION_ITEM: CreateActionItemKind(),
    Kind.CREATE_RECURRING: CreateRecurringKind(),
}
