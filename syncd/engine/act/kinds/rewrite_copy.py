"""Rewrites our copy of a note or comment that somebody edited or deleted.

The copy is read before it is written to: one that a person changed is theirs, and one that is gone stays
gone; both are left, on record. An original that seems deleted is asked for once more. The copy keeps the mark
of the operation that made it, by which a restored ledger finds it. What PagerDuty does not let us edit is
left, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.operation import op_of
from syncd.engine.act.jira_write.internal_comments import (
    keep_what_the_answer_said,
    may_comment,
    shown_to_customers,
)
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, is_restricted, ticket_row
from syncd.engine.act.kinds.post_text import copy_of_comment, copy_of_note
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import MirrorLinkRow, OperationRow, TicketRow
from syncd.policy.marks import mark_line, text_hash
from syncd.policy.two_way.update_copies import GONE
from syncd.remote.errors import Cause, NotDone

DELETED = "deleted"
CHANGED = "a person changed our copy, so it stays as it is"
MISSING = "our copy is not there any more"


def deleted_words(at: datetime) -> str:
    """What a copy says whose original is gone, as of when that was seen; neither service says by whom."""
    return f"{DELETED}, {at:%H:%M} UTC"


class RewriteComment(BaseAct):
    """Our comment says what its note says now."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The whole comment; raises `DecideAgain` where nothing is to be written."""
        ticket = ticket_row(desk, row)
        hidden = may_comment(desk, row, ticket)
        if row.meaning["version"] == GONE:
            _still_gone(
                desk, row, (note.id for note in desk.clients.pagerduty.notes(row.incident_id)), notes=True
            )
        body = _whole(desk, row, f"note/{row.meaning['note']}", "\n\n")
        standing = {one.id: one.body for one in desk.clients.jira.comments(ticket.issue_id)}
        _ours_to_write(desk, row, standing.get(str(row.meaning["comment"])), body)
        return {"issue": ticket.issue_id, "comment": row.meaning["comment"], "body": body, "hidden": hidden}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One edit."""
        issue, comment_id = str(rendered["issue"]), str(rendered["comment"])
        try:
            comment = desk.clients.jira.edit_comment(issue, comment_id, str(rendered["body"]))
        except NotDone as error:
            if error.cause is not Cause.MISSING:
                raise
            return Outcome(comment_id, {"left": MISSING})
        public = shown_to_customers(desk, issue, comment) if rendered.get("hidden") else None
        return Outcome(comment_id, {"hash": text_hash(comment.body), "public": public})

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The copy says what the original says."""
        _keep(session, desk, row, outcome)
        ticket = session.get(TicketRow, row.incident_id)
        if ticket is not None:
            ticket.written_moment = desk.ledger.moments.next()
            session.add(ticket)
            keep_what_the_answer_said(session, desk, row, ticket, outcome)


class RewriteNote(BaseAct):
    """Our note says what its comment says now."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The whole note; raises `DecideAgain` where nothing is to be written."""
        ticket = ticket_row(desk, row)
        if row.meaning["version"] == GONE:
            _still_gone(
                desk, row, (one.id for one in desk.clients.jira.comments(ticket.issue_id)), notes=False
            )
        text = _whole(desk, row, f"comment/{row.meaning['comment']}", "\n")
        standing = {note.id: note.text for note in desk.clients.pagerduty.notes(row.incident_id)}
        _ours_to_write(desk, row, standing.get(str(row.meaning["note"])), text)
        return {"note": row.meaning["note"], "text": text}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One edit."""
        note_id = str(rendered["note"])
        try:
            note = desk.clients.pagerduty.edit_note(row.incident_id, note_id, str(rendered["text"]))
        except NotDone as error:
            if error.cause not in (Cause.MISSING, Cause.REJECTED):
                raise
            return Outcome(note_id, {"left": "PagerDuty does not let us edit it"})
        return Outcome(note_id, {"hash": text_hash(note.text)})

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The copy says what the original says."""
        _keep(session, desk, row, outcome)


def _whole(desk: Desk, row: OperationRow, made_by: str, before_mark: str) -> str:
    """The copy as it ought to stand, with the mark of the operation that made it."""
    if is_restricted(desk, row):
        raise DecideAgain
    if row.meaning["version"] == GONE:
        said = deleted_words(desk.clock.now())
    else:
        said = copy_of_note(desk, row) if made_by.startswith("note/") else copy_of_comment(desk, row)
    return f"{said}{before_mark}{mark_line(op_of(made_by))}"


def _pair(session: Session, row: OperationRow) -> MirrorLinkRow | None:
    query = select(MirrorLinkRow).where(
        col(MirrorLinkRow.note_id) == row.meaning["note"],
        col(MirrorLinkRow.comment_id) == row.meaning["comment"],
    )
    return session.exec(query).first()


def _still_gone(desk: Desk, row: OperationRow, listed: Iterator[str], *, notes: bool) -> None:
    """Raises `DecideAgain` where an original that seemed deleted is there; it is read again then."""
    if str(row.meaning["note" if notes else "comment"]) not in set(listed):
        return
    with desk.ledger.db.write() as session:
        moment = desk.ledger.moments.next()
        why = "a text that seemed deleted is there"
        look_again(session, [row.incident_id], desk.clock.now(), moment, why, notes=notes, ticket=not notes)
    raise DecideAgain


def _ours_to_write(desk: Desk, row: OperationRow, standing: str | None, wanted: str) -> None:
    """Raises `DecideAgain` where the copy is a person's by now, gone, or says already what it should."""
    with desk.ledger.db.write() as session:
        pair = _pair(session, row)
        if pair is None:
            raise DecideAgain
        known = pair.comment_hash if pair.origin == "note" else pair.note_hash
        gone = row.meaning["version"] == GONE
        if standing is None:
            _leave(session, desk, row, MISSING)
        elif standing.rstrip() == wanted or (gone and standing.startswith(DELETED)):
            _keep(session, desk, row, Outcome("", {"hash": text_hash(standing)}))
        elif known is not None and text_hash(standing) != known:
            _leave(session, desk, row, CHANGED)
        else:
            return
    raise DecideAgain


def _leave(session: Session, desk: Desk, row: OperationRow, why: str) -> None:
    _keep(session, desk, row, Outcome("", {"left": why}))


def _keep(session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
    """Which version of the original the copy stands for from now on, and how the copy reads."""
    pair = _pair(session, row)
    if pair is None:
        return
    version, copied = str(row.meaning["version"]), outcome.data.get("hash")
    if pair.origin == "note":
        pair.note_hash, pair.comment_hash = version, str(copied) if copied else pair.comment_hash
    else:
        pair.comment_hash, pair.note_hash = version, str(copied) if copied else pair.note_hash
    session.add(pair)
    if outcome.data.get("left"):
        audit.append(
            session,
            desk.clock.now(),
            "left",
            incident=row.incident_id,
            operation=row.id,
            data={"rule": "mirror", "reason": outcome.data["left"]},
        )
