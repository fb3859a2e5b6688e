"""Rewrite our copy of a note or comment after a person edited or deleted the original.

syncd reads the copy before it writes: a copy that a person changed belongs to that person, and a deleted copy
stays deleted; the ledger records both. syncd reads an original once more before it believes the deletion. The
copy keeps the mark of the operation that created it, so that a restored ledger finds it. If PagerDuty does
not let us edit the note, syncd leaves it and records that.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from syncd.domain.operation import RewriteComment, RewriteNote, op_of
from syncd.domain.operation.keys import copies_a_note, copy_of_comment_key, copy_of_note_key
from syncd.domain.operation.rendered import RenderedComment, RenderedNote
from syncd.domain.operation.texts import Rewrite
from syncd.engine.act.jira_write.internal_comments import may_comment
from syncd.engine.act.kind import BaseKind, Outcome, there
from syncd.engine.act.kinds.post_text import copy_of_comment, copy_of_note, edit_comment, outcome_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain, OutOfSight
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.change_queue import notice_changes
from syncd.ledger.store.confirmation import Change, Confirmation, Rewritten
from syncd.ledger.store.confirming import store_copy
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import MirrorPair
from syncd.policy.marks import mark_line, text_hash
from syncd.policy.two_way.update_copies import GONE
from syncd.remote.errors import Cause, NotDone

DELETED = "deleted"
CHANGED = "a person changed syncd's copy, so syncd leaves it as it is"
MISSING = "syncd's copy was deleted"


def deleted_words(at: datetime) -> str:
    """Return the text of a copy whose original was deleted, with the time when syncd saw that (UTC).

    Neither service tells who deleted a text.
    """
    return f"{DELETED}, {at:%H:%M} UTC"


class RewriteCommentKind(BaseKind[RenderedComment]):
    """The rewrite of a comment that copies a note."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedComment:
        """Return the whole comment; raise `DecideAgain` where nothing is to be written, and `OutOfSight`."""
        ticket, rewrite = there(basis.ticket), operation.typed(RewriteComment)
        hidden = may_comment(context, operation, basis, ticket)
        if rewrite.version == GONE:
            notes = context.services.pagerduty.notes(operation.incident_id)
            # a list that was cut or lagged made the note look deleted
            if rewrite.note in {note.id for note in notes}:
                _read_again(context, operation, notes=True)
        body = _whole(context, rewrite, basis, copy_of_note_key(rewrite.note), "\n\n")
        try:
            comments = context.services.jira.comments(ticket.issue_id)
        except NotDone as error:
            if not error.absent:
                raise
            # tried again when the ticket is seen again; a deleted one takes no text any more
            raise OutOfSight(f"Jira does not show {ticket.key}: {error.describe()}") from error
        standing = {comment.id: comment.body for comment in comments}
        _ours_to_write(context, operation, standing.get(rewrite.comment), body)
        return RenderedComment(issue=ticket.issue_id, comment=rewrite.comment, body=body, hidden=hidden)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """Send one edit."""
        comment = edit_comment(context, rendered)
        if comment is None:
            return Outcome(rendered.comment, left=MISSING)
        return outcome_of(context, rendered, comment)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store which version of the original the copy shows."""
        read_seq = context.ledger.logical_clock.next()
        return Confirmation(
            rewritten=_rewritten(operation, outcome),
            ticket=lambda _ticket: Change({"written_seq": read_seq}),
            public=outcome.public,
        )


class RewriteNoteKind(BaseKind[RenderedNote]):
    """The rewrite of a note that copies a comment."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedNote:
        """Return the whole note; raise `DecideAgain` where nothing is to be written."""
        ticket, rewrite = there(basis.ticket), operation.typed(RewriteNote)
        if rewrite.version == GONE:
            comments = context.services.jira.comments(ticket.issue_id)
            if rewrite.comment in {comment.id for comment in comments}:
                _read_again(context, operation, notes=False)
        text = _whole(context, rewrite, basis, copy_of_comment_key(rewrite.comment), "\n")
        standing = {note.id: note.text for note in context.services.pagerduty.notes(operation.incident_id)}
        _ours_to_write(context, operation, standing.get(rewrite.note), text)
        return RenderedNote(note=rewrite.note, text=text)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedNote) -> Outcome:
        """Send one edit."""
        try:
            note = context.services.pagerduty.edit_note(operation.incident_id, rendered.note, rendered.text)
        except NotDone as error:
            if not error.absent and error.cause is not Cause.REJECTED:
                raise
            return Outcome(rendered.note, left="PagerDuty does not let syncd edit the note")
        return Outcome(rendered.note, text_hash=text_hash(note.text))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store which version of the original the copy shows."""
        return Confirmation(rewritten=_rewritten(operation, outcome))


def _whole(context: EngineContext, rewrite: Rewrite, basis: Basis, made_by: str, before_mark: str) -> str:
    """Return the copy's new text with the mark of the operation that created the copy."""
    if basis.restricted:
        raise DecideAgain
    if rewrite.version == GONE:
        text = deleted_words(context.clock.now())
    else:
        copy = copy_of_note if copies_a_note(made_by) else copy_of_comment
        text = copy(context, rewrite, basis)
    return f"{text}{before_mark}{mark_line(op_of(made_by))}"


def _read_again(context: EngineContext, operation: OperationRecord, *, notes: bool) -> NoReturn:
    """Have an original read again that seemed deleted and exists; raise `DecideAgain`."""
    read_seq, why = context.ledger.logical_clock.next(), "a text that seemed deleted exists"
    notice_changes(
        context.ledger,
        [operation.incident_id],
        context.clock.now(),
        read_seq,
        why,
        notes=notes,
        ticket=not notes,
    )
    raise DecideAgain


def _ours_to_write(
    context: EngineContext, operation: OperationRecord, standing: str | None, target: str
) -> None:
    """Raise `DecideAgain` if a person changed the copy, it is gone, or it has the target text already."""
    version = operation.typed(Rewrite).version

    def judge(pair: MirrorPair) -> Rewritten | None:
        if standing is None:
            return Rewritten(version, left=MISSING)
        # a copy that says "deleted" keeps the time at which it said so first
        if standing.rstrip() == target or (version == GONE and standing.startswith(DELETED)):
            return Rewritten(version, text_hash(standing))
        our_hash = pair.comment_hash if pair.origin == "note" else pair.note_hash
        if our_hash is not None and text_hash(standing) != our_hash:
            return Rewritten(version, left=CHANGED)
        return None

    if not store_copy(context.ledger, operation, judge, context.clock.now()):
        raise DecideAgain


def _rewritten(operation: OperationRecord, outcome: Outcome) -> Rewritten:
    """Return which version of the original the copy shows from now on, and the copy's hash."""
    version = operation.typed(Rewrite).version
    return Rewritten(version, copied=outcome.text_hash, left=outcome.left)
