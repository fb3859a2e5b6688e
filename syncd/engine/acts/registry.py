"""Which code carries out which kind of operation."""

from __future__ import annotations

from syncd.domain.operation import Kind
from syncd.engine.acts.base import Act
from syncd.engine.acts.change_incident import ChangeIncident
from syncd.engine.acts.create_action_item import CreateActionItem
from syncd.engine.acts.create_postmortem import CreatePostmortem
from syncd.engine.acts.create_ticket import CreateTicket
from syncd.engine.acts.doubles import CloseDouble, LinkDouble
from syncd.engine.acts.edit_paper import EditPaper
from syncd.engine.acts.edit_ticket import EditTicket
from syncd.engine.acts.fill_stub import FillStub
from syncd.engine.acts.link_paper import LinkPaper
from syncd.engine.acts.link_tickets import LinkTickets
from syncd.engine.acts.move_ticket import MoveTicket
from syncd.engine.acts.rewrites import RewriteComment, RewriteNote
from syncd.engine.acts.say_on_paper import SayOnPaper
from syncd.engine.acts.send_mail import SendMail
from syncd.engine.acts.texts import LinkNote, MirrorComment, MirrorNote, SayOnTicket

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
