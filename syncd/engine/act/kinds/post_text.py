"""Comments on our issues and notes on the incident: what people wrote on the other side, and our words.

Every text of ours ends in its mark line, so that it can be found when nobody answered the request.
"""

from __future__ import annotations

from datetime import datetime

from syncd.config.templates.text_limits import cut, wiki_within
from syncd.domain.clock import in_utc
from syncd.domain.incident import Incident
from syncd.domain.operation import CommentOnTicket, MirrorComment, MirrorNote
from syncd.domain.operation.postmortem import DutyIssueComment
from syncd.domain.operation.rendered import RenderedComment, RenderedNote
from syncd.domain.operation.texts import Copy, Rewrite
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.ticket import Mark
from syncd.engine.act.jira_write.internal_comments import may_comment, shown_to_customers
from syncd.engine.act.kind import (
    BaseKind,
    Outcome,
    duty_issue_for,
    incident_and_book,
    is_restricted,
    mark_of,
    there,
    ticket_of,
    written,
)
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, NewPair
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import IssueState
from syncd.policy.marks import mark_in, mark_line, text_hash
from syncd.policy.postmortem.facts_in_comments import SAID

COMMENT_LIMIT = 32_000
"""UTF-16 units of a mirrored text as wiki markup; Jira's limit is 32,767 for the whole comment."""
AUTHOR_LIMIT = 300
"""UTF-16 units of the author's name as wiki markup."""
VALUE_LIMIT = 1000
"""UTF-16 units of the value that a comment of ours speaks of."""
NOTE_LIMIT = 10_000
"""UTF-16 units; PagerDuty names no limit, so the text is kept modest."""


def _when(at: datetime | None) -> str:
    return in_utc(at) if at is not None else "at a time unknown"


def _masked(context: EngineContext, basis: Basis, text: str, limit: int) -> str:
    known = basis.incident
    book = context.book_of(Incident.model_validate(known.snapshot), known.team) if known else None
    if book is None:
        raise DecideAgain
    return cut(context.renderer.mask(text, book), limit)


def copy_of_note(context: EngineContext, copy: Copy | Rewrite, basis: Basis) -> str:
    """Who wrote the note that is meant, where and when, and its text, harmless in wiki markup."""
    if basis.restricted:
        raise DecideAgain
    text = wiki_within(_masked(context, basis, copy.text, COMMENT_LIMIT), COMMENT_LIMIT)
    author = wiki_within(one_line(copy.author) or "somebody", AUTHOR_LIMIT)
    return f"*{author}* on PagerDuty, {_when(copy.at)}{_edited(copy)}:\n{text}"


def copy_of_comment(context: EngineContext, copy: Copy | Rewrite, basis: Basis) -> str:
    """Who wrote the comment that is meant, where and when, and its text as it stands."""
    if basis.restricted:
        raise DecideAgain
    ticket = there(basis.ticket)
    text = _masked(context, basis, copy.text, NOTE_LIMIT)
    return f"{copy.author or 'somebody'} on {ticket.key}, {_when(copy.at)}{_edited(copy)}:\n{text}"


def _edited(copy: Copy | Rewrite) -> str:
    return ", edited" if isinstance(copy, Rewrite) and copy.version else ""


class CommentKind(BaseKind[RenderedComment]):
    """A comment of ours; in a service project it is internal, as everything that we write there."""

    def issue_of(
        self, context: EngineContext, operation: OperationRecord, basis: Basis | None = None
    ) -> IssueState:
        """The issue that is commented on: the ticket, as the basis has it."""
        return there(basis.ticket) if basis is not None else ticket_of(context, operation)

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """The comment's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def mark(self, context: EngineContext, operation: OperationRecord) -> Mark:
        """The mark that the comment bears as its property."""
        return mark_of(context, operation)

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedComment:
        """The comment in wiki markup, with its mark as the last line; `hidden`: its answer is judged."""
        issue = self.issue_of(context, operation, basis)
        hidden = may_comment(context, operation, basis, issue)
        body = f"{self.body(context, operation, basis)}\n\n{mark_line(operation.op)}"
        return RenderedComment(issue=issue.issue_id, body=body, hidden=hidden)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """One comment."""
        comment = context.services.jira.add_comment(
            rendered.issue, rendered.body, self.mark(context, operation), internal=True
        )
        public = shown_to_customers(context, rendered.issue, comment) if rendered.hidden else None
        return Outcome(comment.id, text_hash=text_hash(comment.body), public=public)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The comment is ours, and known by its id."""
        read_seq = context.ledger.logical_clock.next()
        note = operation.operation if isinstance(operation.operation, MirrorNote) else None
        pair = NewPair(
            origin="note" if note else "syncd",
            note_id=note.note if note else None,
            comment_id=outcome.remote_id,
            note_hash=text_hash(note.text) if note else None,
            comment_hash=outcome.text_hash,
        )
        return Confirmation(
            made=pair,
            ticket=lambda _ticket: Change({"written_seq": read_seq}),
            public=outcome.public,
        )

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """List the issue's comments and adopt the one with our mark."""
        rendered = operation.rendering
        hidden = isinstance(rendered, RenderedComment) and rendered.hidden
        for comment in context.services.jira.comments(self.issue_of(context, operation).issue_id):
            ours = comment.mark.op == operation.op if comment.mark else mark_in(comment.body) == operation.op
            if ours:
                public = comment.public if hidden else None
                return Outcome(comment.id, text_hash=text_hash(comment.body), public=public)
        return None


class MirrorNoteKind(CommentKind):
    """What somebody wrote on the incident, as a comment."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Who wrote it, where and when, and the text, harmless in wiki markup."""
        return copy_of_note(context, operation.typed(MirrorNote), basis)


class CommentOnTicketKind(CommentKind):
    """What people ought to know about something that the daemon did or left."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Our words, and the value they speak of, harmless in wiki markup."""
        comment = operation.typed(CommentOnTicket)
        if not comment.text and basis.restricted:
            raise DecideAgain
        return _with_value(context, basis, comment)


class CommentOnDutyIssueKind(CommentKind):
    """What is owed on a postmortem or an action item, what happened, what people can do.

    Comments on these issues travel nowhere, so a mark is all that tells ours from people's. Of a restricted
    incident our words are said, and never the value that they speak of.
    """

    def issue_of(
        self, context: EngineContext, operation: OperationRecord, basis: Basis | None = None
    ) -> IssueState:
        """The postmortem or action item."""
        return duty_issue_for(context, operation)

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Our words, and the value they speak of, harmless in wiki markup."""
        comment = operation.typed(DutyIssueComment)
        return _words(comment) if basis.restricted else _with_value(context, basis, comment)

    def mark(self, context: EngineContext, operation: OperationRecord) -> Mark:
        """The mark, with what the comment states of a duty; of a restricted incident no words of people."""
        mark, comment = mark_of(context, operation), operation.typed(DutyIssueComment)
        facts = comment.facts
        if facts is None:
            return mark
        if comment.said and not is_restricted(context, operation):
            _, book = incident_and_book(context, operation)
            facts = {**facts, SAID: context.renderer.mask(comment.said, book)}
        return mark.model_copy(update={"facts": facts})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The comment is there."""
        moment, comment = context.ledger.logical_clock.next(), outcome.remote_id
        return Confirmation(
            duty_issue=lambda issue: written(issue, moment, "commented", {"comment": comment}),
            public=outcome.public,
        )


def _words(comment: CommentOnTicket | DutyIssueComment) -> str:
    return f"{comment.subject.capitalize()}: {comment.text}"


def _with_value(context: EngineContext, basis: Basis, comment: CommentOnTicket | DutyIssueComment) -> str:
    value = escape_wiki(_masked(context, basis, comment.value, VALUE_LIMIT))
    return f"{_words(comment)} {value}".rstrip()


class NoteKind(BaseKind[RenderedNote]):
    """A note on the incident."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """The note's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedNote:
        """The note's text, with its mark as the last line."""
        return RenderedNote(text=f"{self.text(context, operation, basis)}\n{mark_line(operation.op)}")

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedNote) -> Outcome:
        """One note."""
        note = context.services.pagerduty.add_note(operation.incident_id, rendered.text)
        return Outcome(note.id, text_hash=text_hash(note.text))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The note is ours, and known by its id."""
        comment = operation.operation if isinstance(operation.operation, MirrorComment) else None
        pair = NewPair(
            origin="comment" if comment else "syncd",
            note_id=outcome.remote_id,
            comment_id=comment.comment if comment else None,
            note_hash=outcome.text_hash,
            comment_hash=text_hash(comment.text) if comment else None,
        )
        return Confirmation(made=pair)

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """List the incident's notes and adopt the one with our mark."""
        for note in context.services.pagerduty.notes(operation.incident_id):
            if mark_in(note.text) == operation.op:
                return Outcome(note.id, text_hash=text_hash(note.text))
        return None


class LinkNoteKind(NoteKind):
    """The one note that names the ticket."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """The ticket's key and its address."""
        ticket = there(basis.ticket)
        base = context.services.jira.server().base_url.rstrip("/")
        return f"Ticket {ticket.key}: {base}/browse/{ticket.key}"


class MirrorCommentKind(NoteKind):
    """What somebody wrote on the ticket, as a note."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Who wrote it, where and when, and the text as it stands."""
        return copy_of_comment(context, operation.typed(MirrorComment), basis)
