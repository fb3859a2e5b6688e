"""Rewrite the copy of a note or comment after a person edited or deleted the original.

syncd compares the original with the hash of the text that it copied last. If a person changed or deleted the
copy, `kinds.rewrite_copy` leaves it alone. It also asks once more for an absent original before the copy says
that it was deleted.
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
"""The version of a text that was deleted."""
ASPECT = "text"
NOTE, COMMENT = "note", "comment"
"""The values of `MirrorPair.origin`: the side on which a person wrote."""


def decide_mirror_changes(case: Case, book: Rulebook) -> Decision:
    """Return the rewrite of each copy whose original changed since syncd copied it."""
    if case.before_enforcement or case.restricted or case.ticket is None:
        return Decision()
    return Decision(operations=(*_changed(case, book, NOTE), *_changed(case, book, COMMENT)))


class _Original(NamedTuple):
    """A person's text that has a copy on the other side."""

    text: str
    author: Responder | Account | None
    at: datetime


def _originals(case: Case, book: Rulebook, origin: str) -> dict[str, _Original] | None:
    """Return notes or comments by id; None if copying is off or syncd read only some of them."""
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
        # Without a hash (None) nobody knows which text was copied, so no difference shows.
        copied = pair.note_hash if of_note else pair.comment_hash
        # A marked or forgotten text is no person's words, so the copy keeps the last ones.
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
