"""Comments on the ticket and notes on the incident: what people wrote on the other side, and our own words.

Every text of ours ends in its mark line, so that it can be found when nobody answered the request.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from syncd.config.templates.text_limits import cut, wiki_within
from syncd.domain.incident import Incident
from syncd.domain.text import escape_wiki, one_line
from syncd.engine.act.jira_write.internal_comments import (
    keep_what_the_answer_said,
    may_comment,
    shown_to_customers,
)
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, is_restricted, mark_of, ticket_row
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store.tables import IncidentRow, MirrorLinkRow, OperationRow, TicketRow
from syncd.policy.marks import mark_in, mark_line, text_hash

COMMENT_LIMIT = 32_000
"""UTF-16 units of a mirrored text as wiki markup; Jira's limit is 32,767 for the whole comment."""
AUTHOR_LIMIT = 300
"""UTF-16 units of the author's name as wiki markup."""
NOTE_LIMIT = 10_000
"""UTF-16 units; PagerDuty names no limit, so the text is kept modest."""


def _when(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC"


def _masked(desk: Desk, row: OperationRow, text: str, limit: int) -> str:
    with desk.ledger.db.read() as session:
        known = session.get(IncidentRow, row.incident_id)
    book = desk.book_of(Incident.model_validate(known.snapshot), known.team) if known else None
    if book is None:
        raise DecideAgain
    return cut(desk.renderer.mask(text, book), limit)


def copy_of_note(desk: Desk, row: OperationRow) -> str:
    """Who wrote the note that is meant, where and when, and its text, harmless in wiki markup."""
    if is_restricted(desk, row):
        raise DecideAgain
    text = wiki_within(_masked(desk, row, str(row.meaning["text"]), COMMENT_LIMIT), COMMENT_LIMIT)
    author = wiki_within(one_line(str(row.meaning["author"])) or "somebody", AUTHOR_LIMIT)
    return f"*{author}* on PagerDuty, {_when(str(row.meaning['at']))}{_edited(row)}:\n{text}"


def copy_of_comment(desk: Desk, row: OperationRow) -> str:
    """Who wrote the comment that is meant, where and when, and its text as it stands."""
    if is_restricted(desk, row):
        raise DecideAgain
    ticket = ticket_row(desk, row)
    text = _masked(desk, row, str(row.meaning["text"]), NOTE_LIMIT)
    author = str(row.meaning["author"]) or "somebody"
    return f"{author} on {ticket.key}, {_when(str(row.meaning['at']))}{_edited(row)}:\n{text}"


def _edited(row: OperationRow) -> str:
    return ", edited" if row.meaning.get("version") else ""


class CommentAct(BaseAct):
    """A comment on the ticket."""

    def body(self, desk: Desk, row: OperationRow) -> str:
        """The comment's text without its mark."""
        raise CannotRender(f"{row.kind} has no text")

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The comment in wiki markup, with its mark as the last line; `hidden`: its answer is judged."""
        ticket = ticket_row(desk, row)
        hidden = may_comment(desk, row, ticket)
        body = f"{self.body(desk, row)}\n\n{mark_line(row.op)}"
        return {"issue": ticket.issue_id, "body": body, "hidden": hidden}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One comment."""
        issue = str(rendered["issue"])
        comment = desk.clients.jira.add_comment(
            issue, str(rendered["body"]), mark_of(desk, row), internal=True
        )
        public = shown_to_customers(desk, issue, comment) if rendered.get("hidden") else None
        return Outcome(comment.id, {"hash": text_hash(comment.body), "public": public})

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The comment is ours, and known by its id."""
        note = row.meaning.get("note")
        session.add(
            MirrorLinkRow(
                incident_id=row.incident_id,
                origin="note" if note else "syncd",
                note_id=note,
                comment_id=outcome.remote_id,
                note_hash=text_hash(str(row.meaning.get("text", ""))) if note else None,
                comment_hash=str(outcome.data.get("hash") or "") or None,
            )
        )
        ticket = session.get(TicketRow, row.incident_id)
        if ticket is not None:
            ticket.written_moment = desk.ledger.moments.next()
            session.add(ticket)
            keep_what_the_answer_said(session, desk, row, ticket, outcome)

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """List the ticket's comments and adopt the one with our mark."""
        for comment in desk.clients.jira.comments(ticket_row(desk, row).issue_id):
            ours = comment.mark.op == row.op if comment.mark else mark_in(comment.body) == row.op
            if ours:
                public = comment.public if (row.rendered or {}).get("hidden") else None
                return Outcome(comment.id, {"hash": text_hash(comment.body), "public": public})
        return None


class MirrorNote(CommentAct):
    """What somebody wrote on the incident, as a comment."""

    def body(self, desk: Desk, row: OperationRow) -> str:
        """Who wrote it, where and when, and the text, harmless in wiki markup."""
        return copy_of_note(desk, row)


class SayOnTicket(CommentAct):
    """What people ought to know about something that the daemon did or left."""

    def body(self, desk: Desk, row: OperationRow) -> str:
        """Our words, and the value they speak of, harmless in wiki markup."""
        if not row.meaning.get("text") and is_restricted(desk, row):
            raise DecideAgain
        value = escape_wiki(_masked(desk, row, str(row.meaning.get("value", "")), 1000))
        return f"{str(row.meaning['subject']).capitalize()}: {row.meaning['text']} {value}".rstrip()


class NoteAct(BaseAct):
    """A note on the incident."""

    def text(self, desk: Desk, row: OperationRow) -> str:
        """The note's text without its mark."""
        raise CannotRender(f"{row.kind} has no text")

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The note's text, with its mark as the last line."""
        return {"text": f"{self.text(desk, row)}\n{mark_line(row.op)}"}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One note."""
        note = desk.clients.pagerduty.add_note(row.incident_id, str(rendered["text"]))
        return Outcome(note.id, {"hash": text_hash(note.text)})

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The note is ours, and known by its id."""
        comment = row.meaning.get("comment")
        session.add(
            MirrorLinkRow(
                incident_id=row.incident_id,
                origin="comment" if comment else "syncd",
                note_id=outcome.remote_id,
                comment_id=comment,
                note_hash=str(outcome.data.get("hash") or "") or None,
                comment_hash=text_hash(str(row.meaning.get("text", ""))) if comment else None,
            )
        )

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """List the incident's notes and adopt the one with our mark."""
        for note in desk.clients.pagerduty.notes(row.incident_id):
            if mark_in(note.text) == row.op:
                return Outcome(note.id, {"hash": text_hash(note.text)})
        return None


class LinkNote(NoteAct):
    """The one note that names the ticket."""

    def text(self, desk: Desk, row: OperationRow) -> str:
        """The ticket's key and its address."""
        ticket = ticket_row(desk, row)
        base = desk.clients.jira.server().base_url.rstrip("/")
        return f"Ticket {ticket.key}: {base}/browse/{ticket.key}"


class MirrorComment(NoteAct):
    """What somebody wrote on the ticket, as a note."""

    def text(self, desk: Desk, row: OperationRow) -> str:
        """Who wrote it, where and when, and the text as it stands."""
        return copy_of_comment(desk, row)
