"""Which code carries out which kind of operation."""

from __future__ import annotations

from syncd.domain.operation import Kind
from syncd.engine.act.kind import Act
from syncd.engine.act.kinds.change_incident import ChangeIncident
from syncd.engine.act.kinds.close_duplicate import CloseDouble, LinkDouble
from syncd.engine.act.kinds.comment_on_follow_up_issue import SayOnPaper
from syncd.engine.act.kinds.create_action_item import CreateActionItem
from syncd.engine.act.kinds.create_postmortem import CreatePostmortem
from syncd.engine.act.kinds.create_ticket import CreateTicket
from syncd.engine.act.kinds.edit_postmortem import EditPaper
from syncd.engine.act.kinds.edit_ticket import EditTicket
from syncd.engine.act.kinds.fill_restricted_stub import FillStub
from syncd.engine.act.kinds.link_postmortem import LinkPaper
from syncd.engine.act.kinds.link_tickets import LinkTickets
from syncd.engine.act.kinds.move_ticket import MoveTicket
from syncd.engine.act.kinds.post_text import LinkNote, MirrorComment, MirrorNote, SayOnTicket
from syncd.engine.act.kinds.rewrite_copy import RewriteComment, RewriteNote
from syncd.engine.act.kinds.send_mail import SendMail

ACTS: dict[str, Act] = {
    Kind.CREATE_TICKET: CreateTicket(),
    Kind.MOVE_TICKET: MoveTicket(),
    Kind.EDIT_TICKET: EditTicket(),
    Kind.FILL_STUB: FillStub(),
    Kind.LINK_NOTE: LinkNote(),
    Kind.LINK_TICKETS: LinkTickets(),
    Kind.MIRROR_NOTE: MirrorNote(),
    Kind.MIRROR_COMMENT: MirrorComment(),
    Kind.REWRITE_COMMENT: RewriteComment(),
    Kind.REWRITE_NOTE: RewriteNote(),
    Kind.CHANGE_INCIDENT: ChangeIncident(),
    Kind.SAY_ON_TICKET: SayOnTicket(),
    Kind.CREATE_POSTMORTEM: CreatePostmortem(),
    Kind.LINK_PAPER: LinkPaper(),
    Kind.EDIT_PAPER: EditPaper(),
    Kind.SAY_ON_PAPER: SayOnPaper(),
    Kind.LINK_DOUBLE: LinkDouble(),
    Kind.CLOSE_DOUBLE: CloseDouble(),
    Kind.SEND_MAIL: SendMail(),
    Kind.CREATE_ACTION_ITEM: CreateActionItem(),
}
