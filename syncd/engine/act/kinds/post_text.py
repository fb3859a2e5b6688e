"""Write comments on our issues and notes on the incident: copies of people's texts, and syncd's own texts.

Each text ends in its mark line, so that syncd finds it when nobody answered the request.
"""

from __future__ import annotations

from datetime import datetime

from syncd.config.templates.text_limits import cut, wiki_within
from syncd.domain.clock import in_utc
from syncd.domain.operation import CommentOnTicket, MirrorComment, MirrorNote
from syncd.domain.operation.postmortem import DutyIssueComment
from syncd.domain.operation.rendered import RenderedComment, RenderedNote
from syncd.domain.operation.texts import Copy, Rewrite
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.ticket import Comment, Mark
from syncd.engine.act.jira_write.internal_comments import is_shown, may_comment, shown_to_customers
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
from syncd.engine.observe.notes_and_comments import keep_notes
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, NewPair
from syncd.ledger.store.leaving import Basis
from syncd.ledger.store.loading import read
from syncd.policy.case import IssueState
from syncd.policy.marks import mark_in, mark_line, text_hash
from syncd.policy.postmortem.facts_in_comments import SAID
from syncd.remote.errors import NotDone

COMMENT_LIMIT = 32_000
"""UTF-16 units of a mirrored text as wiki markup; Jira's limit is 32,767 for the whole comment."""
AUTHOR_LIMIT = 300
"""UTF-16 units of the author's name as wiki markup."""
VALUE_LIMIT = 1000
"""UTF-16 units of the value that a comment of ours quotes."""
NOTE_LIMIT = 10_000
"""UTF-16 units of a note; PagerDuty documents no limit, so this one is modest."""


def _when(at: datetime | None) -> str:
    return in_utc(at) if at is not None else "at a time unknown"


def _masked(context: EngineContext, basis: Basis, text: str, limit: int) -> str:
    incident = basis.incident
    book = context.book_of(incident.as_read, incident.team) if incident else None
    if book is None:
        raise DecideAgain
    return cut(context.renderer.mask(text, book), limit)


def copy_of_note(context: EngineContext, copy: Copy | Rewrite, basis: Basis) -> str:
    """Return a note as a comment: author, place, time and text, harmless in wiki markup.

    Raise `DecideAgain` for a restricted incident: its texts are copied nowhere.
    """
    if basis.restricted:
        raise DecideAgain
    text = wiki_within(_masked(context, basis, copy.text, COMMENT_LIMIT), COMMENT_LIMIT)
    author = wiki_within(one_line(copy.author) or "somebody", AUTHOR_LIMIT)
    return f"*{author}* on PagerDuty, {_when(copy.at)}{_edited(copy)}:\n{text}"


def copy_of_comment(context: EngineContext, copy: Copy | Rewrite, basis: Basis) -> str:
    """Return a comment as a note: author, place, time and text.

    Raise `DecideAgain` for a restricted incident: its texts are copied nowhere.
    """
    if basis.restricted:
        raise DecideAgain
    ticket = there(basis.ticket)
    text = _masked(context, basis, copy.text, NOTE_LIMIT)
    return f"{copy.author or 'somebody'} on {ticket.key}, {_when(copy.at)}{_edited(copy)}:\n{text}"


def _edited(copy: Copy | Rewrite) -> str:
    return ", edited" if isinstance(copy, Rewrite) and copy.version else ""


def outcome_of(context: EngineContext, rendered: RenderedComment, comment: Comment) -> Outcome:
    """Return what Jira's answer tells of a comment that was written or edited."""
    public = shown_to_customers(context, rendered.issue, comment) if rendered.hidden else None
    return Outcome(comment.id, text_hash=text_hash(comment.body), public=public)


def edit_comment(context: EngineContext, rendered: RenderedComment) -> Comment | None:
    """Edit one comment; return it, or None where a person deleted it."""
    try:
        return context.services.jira.edit_comment(rendered.issue, rendered.comment, rendered.body)
    except NotDone as error:
        if not error.absent:
            raise
        return None


class CommentKind(BaseKind[RenderedComment]):
    """A comment of ours; it is internal, because customers read the public comments of a service project."""

    def issue_of(
        self, context: EngineContext, operation: OperationRecord, basis: Basis | None = None
    ) -> IssueState:
        """Return the issue that gets the comment: the ticket, as the basis has it."""
        return there(basis.ticket) if basis is not None else ticket_of(context, operation)

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return the comment's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def mark(self, context: EngineContext, operation: OperationRecord) -> Mark:
        """Return the mark that the comment carries as its property."""
        return mark_of(context, operation)

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedComment:
        """Return the comment in wiki markup with its mark as the last line.

        `hidden`: the answer must show the comment as internal.
        """
        issue = self.issue_of(context, operation, basis)
        hidden = may_comment(context, operation, basis, issue)
        body = f"{self.body(context, operation, basis)}\n\n{mark_line(operation.op)}"
        return RenderedComment(issue=issue.issue_id, body=body, hidden=hidden)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """Send one comment."""
        mark = self.mark(context, operation)
        comment = context.services.jira.add_comment(rendered.issue, rendered.body, mark)
        return outcome_of(context, rendered, comment)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the comment's id as ours, so that syncd never copies it to the incident."""
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
        """Return the comment with our mark among the issue's comments."""
        rendered = operation.rendering
        hidden = isinstance(rendered, RenderedComment) and rendered.hidden
        for comment in context.services.jira.comments(self.issue_of(context, operation).issue_id):
            # Jira may have kept the text and lost the property: then the last line tells
            ours = comment.mark.op == operation.op if comment.mark else mark_in(comment.body) == operation.op
            if ours:
                public = is_shown(comment) if hidden else None
                return Outcome(comment.id, text_hash=text_hash(comment.body), public=public)
        return None


class MirrorNoteKind(CommentKind):
    """A person's note on the incident, copied to the ticket as a comment."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return the note's author, place, time and text, harmless in wiki markup."""
        return copy_of_note(context, operation.typed(MirrorNote), basis)


class CommentOnTicketKind(CommentKind):
    """A comment of syncd's own that tells people what it did or left, and why."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return our words and the quoted value, harmless in wiki markup."""
        comment = operation.typed(CommentOnTicket)
        # a comment of nothing but the incident's text says nothing without it
        if not comment.text and basis.restricted:
            raise DecideAgain
        return _with_value(context, basis, comment)


class CommentOnDutyIssueKind(CommentKind):
    """A comment on a postmortem or action item: what is owed, what happened, what people can do.

    syncd copies no comments of these issues, so the mark alone tells ours from people's. For a restricted
    incident the comment holds our words without the quoted value.
    """

    def issue_of(
        self, context: EngineContext, operation: OperationRecord, basis: Basis | None = None
    ) -> IssueState:
        """Return the postmortem or action item."""
        return duty_issue_for(context, operation)

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return our words and the quoted value, harmless in wiki markup."""
        comment = operation.typed(DutyIssueComment)
        return _words(comment) if basis.restricted else _with_value(context, basis, comment)

    def mark(self, context: EngineContext, operation: OperationRecord) -> Mark:
        """Return the mark with the comment's facts of a duty; without people's words if restricted.

        A later ledger rebuilds duties from these facts if this one is lost.
        """
        mark, comment = mark_of(context, operation), operation.typed(DutyIssueComment)
        facts = comment.facts
        # only comments about duties state facts
        if facts is None:
            return mark
        if comment.said and not is_restricted(context, operation):
            _, book = incident_and_book(context, operation)
            facts = {**facts, SAID: context.renderer.mask(comment.said, book)}
        return mark.model_copy(update={"facts": facts})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Record that syncd commented."""
        moment, comment = context.ledger.logical_clock.next(), outcome.remote_id
        return Confirmation(
            duty_issue=lambda issue: written(issue, moment, "commented", {"comment": comment}),
            public=outcome.public,
        )


def _words(comment: CommentOnTicket | DutyIssueComment) -> str:
    if not comment.subject:
        return comment.text
    subject = comment.subject.capitalize()
    return f"{subject}: {comment.text}" if comment.text else f"{subject}."


def _with_value(context: EngineContext, basis: Basis, comment: CommentOnTicket | DutyIssueComment) -> str:
    # a comment on a recurring duty's issue belongs to no incident, and quotes nothing
    if not comment.value:
        return _words(comment)
    value = escape_wiki(_masked(context, basis, comment.value, VALUE_LIMIT))
    return f"{_words(comment)} {value}"


class NoteKind(BaseKind[RenderedNote]):
    """A note on the incident."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return the note's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedNote:
        """Return the note's text with its mark as the last line."""
        return RenderedNote(text=f"{self.text(context, operation, basis)}\n{mark_line(operation.op)}")

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedNote) -> Outcome:
        """Send one note."""
        note = context.services.pagerduty.add_note(operation.incident_id, rendered.text)
        return Outcome(note.id, text_hash=text_hash(note.text), at=note.created_at)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the note's id as ours, so that syncd never copies it to the ticket."""
        comment = operation.operation if isinstance(operation.operation, MirrorComment) else None
        pair = NewPair(
            origin="comment" if comment else "syncd",
            note_id=outcome.remote_id,
            comment_id=comment.comment if comment else None,
            note_hash=outcome.text_hash,
            comment_hash=text_hash(comment.text) if comment else None,
        )
        return Confirmation(made=pair, noted_at=outcome.at)

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the note with our mark among the incident's notes; store what the list shows.

        It may show notes of people that are older than syncd's first look at the incident.
        """
        read_seq = context.ledger.logical_clock.next()
        notes = context.services.pagerduty.notes(operation.incident_id)
        incident = read(context.ledger, IncidentRecord, operation.incident_id)
        if incident is not None and not incident.restricted:
            keep_notes(context, incident, notes, read_seq, news="its notes were listed for one of syncd's")
        for note in notes:
            if mark_in(note.text) == operation.op:
                return Outcome(note.id, text_hash=text_hash(note.text), at=note.created_at)
        return None


class LinkNoteKind(NoteKind):
    """The one note that names the ticket."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return the ticket's key and address."""
        ticket = there(basis.ticket)
        base = context.facts.server().base_url.rstrip("/")
        return f"Ticket {ticket.key}: {base}/browse/{ticket.key}"


class MirrorCommentKind(NoteKind):
    """A person's comment on the ticket, copied to the incident as a note."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return the comment's author, place, time and text."""
        return copy_of_comment(context, operation.typed(MirrorComment), basis)
