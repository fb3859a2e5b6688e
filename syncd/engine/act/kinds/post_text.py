"""Comments on the ticket and notes on the incident: what people wrote on the other side, and our own words.

Every text of ours ends in its mark line, so that it can be found when nobody answered the request.
"""

from __future__ import annotations

from datetime import datetime

from syncd.config.templates.text_limits import cut, wiki_within
from syncd.domain.incident import Incident
from syncd.domain.operation import CommentOnTicket, MirrorComment, MirrorNote
from syncd.domain.operation.texts import Copy, Rewrite
from syncd.domain.text import escape_wiki, one_line
from syncd.engine.act.jira_write.internal_comments import may_comment, said_public, shown_to_customers
from syncd.engine.act.kind import BaseKind, Outcome, Rendered, mark_of, there, ticket_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, NewPair
from syncd.ledger.store.leaving import Basis
from syncd.policy.marks import mark_in, mark_line, text_hash

COMMENT_LIMIT = 32_000
"""UTF-16 units of a mirrored text as wiki markup; Jira's limit is 32,767 for the whole comment."""
AUTHOR_LIMIT = 300
"""UTF-16 units of the author's name as wiki markup."""
NOTE_LIMIT = 10_000
"""UTF-16 units; PagerDuty names no limit, so the text is kept modest."""


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "at a time unknown"


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


class CommentKind(BaseKind):
    """A comment on the ticket."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """The comment's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The comment in wiki markup, with its mark as the last line; `hidden`: its answer is judged."""
        ticket = there(basis.ticket)
        hidden = may_comment(context, operation, basis, ticket)
        body = f"{self.body(context, operation, basis)}\n\n{mark_line(operation.op)}"
        return {"issue": ticket.issue_id, "body": body, "hidden": hidden}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One comment."""
        issue = str(rendered["issue"])
        comment = context.services.jira.add_comment(
            issue, str(rendered["body"]), mark_of(context, operation), internal=True
        )
        public = shown_to_customers(context, issue, comment) if rendered.get("hidden") else None
        return Outcome(comment.id, {"hash": text_hash(comment.body), "public": public})

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
            comment_hash=str(outcome.data.get("hash") or "") or None,
        )
        return Confirmation(
            made=pair,
            ticket=lambda _ticket: Change({"written_seq": read_seq}),
            public=said_public(outcome),
        )

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """List the ticket's comments and adopt the one with our mark."""
        for comment in context.services.jira.comments(ticket_of(context, operation).issue_id):
            ours = comment.mark.op == operation.op if comment.mark else mark_in(comment.body) == operation.op
            if ours:
                public = comment.public if (operation.rendered or {}).get("hidden") else None
                return Outcome(comment.id, {"hash": text_hash(comment.body), "public": public})
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
        value = escape_wiki(_masked(context, basis, comment.value, 1000))
        return f"{comment.subject.capitalize()}: {comment.text} {value}".rstrip()


class NoteKind(BaseKind):
    """A note on the incident."""

    def text(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """The note's text without its mark."""
        raise CannotRender(f"{operation.kind} has no text")

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The note's text, with its mark as the last line."""
        return {"text": f"{self.text(context, operation, basis)}\n{mark_line(operation.op)}"}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One note."""
        note = context.services.pagerduty.add_note(operation.incident_id, str(rendered["text"]))
        return Outcome(note.id, {"hash": text_hash(note.text)})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The note is ours, and known by its id."""
        comment = operation.operation if isinstance(operation.operation, MirrorComment) else None
        pair = NewPair(
            origin="comment" if comment else "syncd",
            note_id=outcome.remote_id,
            comment_id=comment.comment if comment else None,
            note_hash=str(outcome.data.get("hash") or "") or None,
            comment_hash=text_hash(comment.text) if comment else None,
        )
        return Confirmation(made=pair)

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """List the incident's notes and adopt the one with our mark."""
        for note in context.services.pagerduty.notes(operation.incident_id):
            if mark_in(note.text) == operation.op:
                return Outcome(note.id, {"hash": text_hash(note.text)})
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
