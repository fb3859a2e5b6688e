"""A copy follows its original: an edit rewrites it, and where the original was deleted, it says so.

Each copy is compared by the hash of the text that was copied last. A copy that a person changed or deleted is
theirs: that is found when it would be rewritten, and left (`kinds.rewrite_copy`). What never was read
whole says nothing, and neither does a text that was forgotten; what is absent is asked for once more before
its copy says that it was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.operation import RewriteComment, RewriteNote
from syncd.domain.operation.keys import object_of_comment, object_of_note, rewrite_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.marks import mark_in, text_hash, was_forgotten

GONE = "deleted"
"""The version of a text that is not there any more."""
ASPECT = "text"


def decide_mirror_changes(case: Case, book: Rulebook) -> Decision:
    """Given a case with copies, return the rewriting of each whose original changed since it was copied."""
    if case.before_enforcement or case.restricted or case.ticket is None:
        return Decision()
    return Decision(operations=(*_changed_notes(case, book), *_changed_comments(case, book)))


def _changed_notes(case: Case, book: Rulebook) -> Iterator[RewriteComment]:
    if not book.mapping.two_way.notes or case.notes is None:
        return
    notes = {note.id: note for note in case.notes}
    for pair in case.pairs:
        if pair.origin != "note" or pair.note_id is None or pair.comment_id is None:
            continue
        note = notes.get(pair.note_id)
        version = text_hash(note.text) if note else GONE
        if pair.note_hash in (None, version) or (note and _not_to_follow(note.text, note.author)):
            continue
        copy = object_of_comment(pair.comment_id)
        yield RewriteComment(
            key=rewrite_key(copy),
            incident=case.incident.id,
            object=copy,
            aspect=ASPECT,
            author=note.author.name if note and note.author else "",
            text=note.text if note else "",
            at=note.created_at if note else None,
            note=pair.note_id,
            comment=pair.comment_id,
            version=version,
            reason=_reason("note", version),
        )


def _changed_comments(case: Case, book: Rulebook) -> Iterator[RewriteNote]:
    issue = case.ticket.issue if case.ticket else None
    if not book.mapping.two_way.comments or issue is None or issue.comments is None:
        return
    comments = {one.id: one for one in issue.comments}
    for pair in case.pairs:
        if pair.origin != "comment" or pair.note_id is None or pair.comment_id is None:
            continue
        one = comments.get(pair.comment_id)
        version = text_hash(one.body) if one else GONE
        if pair.comment_hash in (None, version) or (one and _not_to_follow(one.body, one.author)):
            continue
        copy = object_of_note(pair.note_id)
        yield RewriteNote(
            key=rewrite_key(copy),
            incident=case.incident.id,
            object=copy,
            aspect=ASPECT,
            author=one.author.name if one and one.author else "",
            text=one.body if one else "",
            at=one.created_at if one else None,
            note=pair.note_id,
            comment=pair.comment_id,
            version=version,
            reason=_reason("comment", version),
        )


def _not_to_follow(text: str, author: object) -> bool:
    return mark_in(text) is not None or was_forgotten(text, author)


def _reason(original: str, version: str) -> str:
    return f"the {original} was {'deleted' if version == GONE else 'edited'}"
