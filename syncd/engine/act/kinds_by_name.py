"""Which code carries out which kind of operation."""

from __future__ import annotations

from syncd.domain.operation import Kind
from syncd.engine.act.kind import OperationKind
from syncd.engine.act.kinds.change_incident import ChangeIncident
from syncd.engine.act.kinds.close_duplicate import CloseDuplicate, LinkDuplicate
from syncd.engine.act.kinds.comment_on_follow_up_issue import CommentOnDutyIssue
from syncd.engine.act.kinds.create_action_item import CreateActionItem
from syncd.engine.act.kinds.create_postmortem import CreatePostmortem
from syncd.engine.act.kinds.create_ticket import CreateTicket
from syncd.engine.act.kinds.edit_postmortem import EditDutyIssue
from syncd.engine.act.kinds.edit_ticket import EditTicket
from syncd.engine.act.kinds.fill_restricted_stub import FillRestrictedStub
from syncd.engine.act.kinds.link_postmortem import LinkDutyIssue
from syncd.engine.act.kinds.link_tickets import LinkTickets
from syncd.engine.act.kinds.move_ticket import MoveTicket
from syncd.engine.act.kinds.post_text import CommentOnTicket, LinkNote, MirrorComment, MirrorNote
from syncd.engine.act.kinds.rewrite_copy import RewriteComment, RewriteNote
from syncd.engine.act.kinds.send_mail import SendMail

KINDS: dict[str, OperationKind] = {
    Kind.CREATE_TICKET: CreateTicket(),
    Kind.MOVE_TICKET: MoveTicket(),
    Kind.EDIT_TICKET: EditTicket(),
    Kind.FILL_RESTRICTED_STUB: FillRestrictedStub(),
    Kind.LINK_NOTE: LinkNote(),
    Kind.LINK_TICKETS: LinkTickets(),
    Kind.MIRROR_NOTE: MirrorNote(),
    Kind.MIRROR_COMMENT: MirrorComment(),
    Kind.REWRITE_COMMENT: RewriteComment(),
    Kind.REWRITE_NOTE: RewriteNote(),
    Kind.CHANGE_INCIDENT: ChangeIncident(),
    Kind.COMMENT_ON_TICKET: CommentOnTicket(),
    Kind.CREATE_POSTMORTEM: CreatePostmortem(),
    Kind.LINK_POSTMORTEM: LinkDutyIssue(),
    Kind.LINK_ACTION_ITEM: LinkDutyIssue(),
    Kind.EDIT_POSTMORTEM: EditDutyIssue(),
    Kind.EDIT_ACTION_ITEM: EditDutyIssue(),
    Kind.COMMENT_ON_POSTMORTEM: CommentOnDutyIssue(),
    Kind.COMMENT_ON_ACTION_ITEM: CommentOnDutyIssue(),
    Kind.LINK_DUPLICATE: LinkDuplicate(),
    Kind.CLOSE_DUPLICATE: CloseDuplicate(),
    Kind.SEND_MAIL: SendMail(),
    Kind.CREATE_ACTION_ITEM: CreateActionItem(),
}
