"""A copy follows its original: an edit rewrites it, and where the original was deleted, it says so.

Each copy is compared by the hash of the text that was copied last. A copy that a person changed or deleted is
theirs: that is found when it would be rewritten, and left (`kinds.rewrite_copy`). What never was read
whole says nothing, and neither does a text that was forgotten; what is absent is asked for once more before
its copy says that it was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from syncd.domain.incident import Responder
from syncd.domain.operation import RewriteComment, RewriteNote
from syncd.domain.ticket import Account
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.marks import mark_in, text_hash, was_forgotten

GONE = "deleted"
"""The version of a text that is not there any more."""
ASPECT = "text"
NOTE, COMMENT = "note", "comment"
"""Which side of a pair a person wrote on (`MirrorPair.origin`)."""


def decide_mirror_changes(case: Case, book: Rulebook) -> Decision:
    """Given a case with copies, return the rewriting of each whose original changed since it was copied."""
    if case.before_enforcement or case.restricted or case.ticket is None:
        return Decision()
    return Decision(operations=(*_changed(case, book, NOTE), *_changed(case, book, COMMENT)))


class _Original(NamedTuple):
    """A person's text, which a copy follows."""

    text: str
    author: Responder | Account | None
    at: datetime


def _originals(case: Case, book: Rulebook, origin: str) -> dict[str, _Original] | None:
    """Return notes or comments by id; None where nothing follows them, or they were not read whole."""
    two_way, issue = book.mapping.two_way, case.ticket.issue if case.ticket else None
    if origin == NOTE:
        if not two_way.notes or case.notes is None:
            return None
        return {note.id: _Original(note.text, note.author, note.created_at) for note in case.notes}
    if not two_way.comments or issue is None or issue.comments is None:
        return None
    return {
        comment.id: _Original(comment.body, comment.author, comment.created_at) for comment in issue.comments
    }


def _changed(case: Case, book: Rulebook, origin: str) -> Iterator[RewriteComment | RewriteNote]:
    originals, of_note = _originals(case, book, origin), origin == NOTE
    if originals is None:
        return
    for pair in case.pairs:
        if pair.origin != origin or pair.note_id is None or pair.comment_id is None:
            continue
        original = originals.get(pair.note_id if of_note else pair.comment_id)
        version = text_hash(original.text) if original else GONE
        copied = pair.note_hash if of_note else pair.comment_hash
        if copied in (None, version) or (original and _not_to_follow(original.text, original.author)):
            continue
        rewrite = RewriteComment if of_note else RewriteNote
        yield rewrite(
            incident=case.incident.id,
            aspect=ASPECT,
            author=original.author.name if original and original.author else "",
            text=original.text if original else "",
            at=original.at if original else None,
            note=pair.note_id,
            comment=pair.comment_id,
            version=version,
            reason=f"the {origin} was {'edited' if original else 'deleted'}",
        )


def _not_to_follow(text: str, author: object) -> bool:
    return mark_in(text) is not None or was_forgotten(text, author)
