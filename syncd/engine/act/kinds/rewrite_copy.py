"""Rewrites our copy of a note or comment that somebody edited or deleted.

The copy is read before it is written to: one that a person changed is theirs, and one that is gone stays
gone; both are left, on record. An original that seems deleted is asked for once more. The copy keeps the mark
of the operation that made it, by which a restored ledger finds it. What PagerDuty does not let us edit is
left, too.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from syncd.domain.operation import RewriteComment, RewriteNote, op_of
from syncd.domain.operation.keys import copies_a_note, copy_of_comment_key, copy_of_note_key
from syncd.domain.operation.rendered import RenderedComment, RenderedNote
from syncd.domain.operation.texts import Rewrite
from syncd.engine.act.jira_write.internal_comments import may_comment, shown_to_customers
from syncd.engine.act.kind import BaseKind, Outcome, there
from syncd.engine.act.kinds.post_text import copy_of_comment, copy_of_note
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
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
    """What a copy says whose original is gone, as of when that was seen; neither service says by whom."""
    return f"{DELETED}, {at:%H:%M} UTC"


class RewriteCommentKind(BaseKind[RenderedComment]):
    """Our comment says what its note says now."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedComment:
        """The whole comment; raises `DecideAgain` where nothing is to be written."""
        ticket, rewrite = there(basis.ticket), operation.typed(RewriteComment)
        hidden = may_comment(context, operation, basis, ticket)
        if rewrite.version == GONE:
            notes = context.services.pagerduty.notes(operation.incident_id)
            if rewrite.note in {note.id for note in notes}:
                _read_again(context, operation, notes=True)
        body = _whole(context, rewrite, basis, copy_of_note_key(rewrite.note), "\n\n")
        standing = {one.id: one.body for one in context.services.jira.comments(ticket.issue_id)}
        _ours_to_write(context, operation, standing.get(rewrite.comment), body)
        return RenderedComment(issue=ticket.issue_id, comment=rewrite.comment, body=body, hidden=hidden)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """One edit."""
        comment_id = rendered.comment
        try:
            comment = context.services.jira.edit_comment(rendered.issue, comment_id, rendered.body)
        except NotDone as error:
            if error.cause is not Cause.MISSING:
                raise
            return Outcome(comment_id, left=MISSING)
        public = shown_to_customers(context, rendered.issue, comment) if rendered.hidden else None
        return Outcome(comment_id, text_hash=text_hash(comment.body), public=public)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The copy says what the original says."""
        read_seq = context.ledger.logical_clock.next()
        return Confirmation(
            rewritten=_rewritten(operation, outcome),
            ticket=lambda _ticket: Change({"written_seq": read_seq}),
            public=outcome.public,
        )


class RewriteNoteKind(BaseKind[RenderedNote]):
    """Our note says what its comment says now."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedNote:
        """The whole note; raises `DecideAgain` where nothing is to be written."""
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
        """One edit."""
        try:
            note = context.services.pagerduty.edit_note(operation.incident_id, rendered.note, rendered.text)
        except NotDone as error:
            if error.cause not in (Cause.MISSING, Cause.REJECTED):
                raise
            return Outcome(rendered.note, left="PagerDuty does not let syncd edit the note")
        return Outcome(rendered.note, text_hash=text_hash(note.text))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The copy says what the original says."""
        return Confirmation(rewritten=_rewritten(operation, outcome))


def _whole(context: EngineContext, rewrite: Rewrite, basis: Basis, made_by: str, before_mark: str) -> str:
    """The copy as it ought to stand, with the mark of the operation that made it."""
    if basis.restricted:
        raise DecideAgain
    if rewrite.version == GONE:
        said = deleted_words(context.clock.now())
    else:
        copy = copy_of_note if copies_a_note(made_by) else copy_of_comment
        said = copy(context, rewrite, basis)
    return f"{said}{before_mark}{mark_line(op_of(made_by))}"


def _read_again(context: EngineContext, operation: OperationRecord, *, notes: bool) -> NoReturn:
    """Have an original read again that seemed deleted and is there; raise `DecideAgain`."""
    read_seq, why = context.ledger.logical_clock.next(), "a text that seemed deleted is there"
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
    context: EngineContext, operation: OperationRecord, standing: str | None, wanted: str
) -> None:
    """Raises `DecideAgain` where the copy is a person's by now, gone, or says already what it should."""
    version = operation.typed(Rewrite).version

    def judge(pair: MirrorPair) -> Rewritten | None:
        if standing is None:
            return Rewritten(version, left=MISSING)
        if standing.rstrip() == wanted or (version == GONE and standing.startswith(DELETED)):
            return Rewritten(version, text_hash(standing))
        known = pair.comment_hash if pair.origin == "note" else pair.note_hash
        if known is not None and text_hash(standing) != known:
            return Rewritten(version, left=CHANGED)
        return None

    if not store_copy(context.ledger, operation, judge, context.clock.now()):
        raise DecideAgain


def _rewritten(operation: OperationRecord, outcome: Outcome) -> Rewritten:
    """Which version of the original the copy stands for from now on, and how the copy reads."""
    version = operation.typed(Rewrite).version
    return Rewritten(version, copied=outcome.text_hash, left=outcome.left)
