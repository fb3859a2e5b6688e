"""Notes become comments and comments become notes, each once, and never what we wrote ourselves.

What is ours is known by the ledger: a text whose id stands in `mirror_link`, or that carries the mark
of one of our operations whose outcome is unknown. A text that ends in anybody's syncd mark is not
mirrored: that is another syncd's copy (rules: "Two ways"). What is restricted travels nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from syncd.domain.operation import Kind, Operation, ticket_key
from syncd.policy.case import Case, Decision, Rulebook

_MARK = re.compile(r"^syncd [0-9a-f]{16}$")


def mark_line(op: str) -> str:
    """The last line of what we write: plain letters and digits, which no markup changes."""
    return f"syncd {op}"


def mark_in(text: str) -> str | None:
    """The operation that a text names in its last line, None where it ends in no mark."""
    lines = text.rstrip().rsplit("\n", 1)
    last = lines[-1].strip()
    return last.removeprefix("syncd ") if _MARK.match(last) else None


def decide_mirror(case: Case, book: Rulebook) -> Decision:
    """Given a case, return a comment for each new note and a note for each new comment."""
    if case.silent or case.restricted:
        return Decision()
    return Decision(operations=(*_comments_for_notes(case, book), *_notes_for_comments(case, book)))


def _comments_for_notes(case: Case, book: Rulebook) -> Iterator[Operation]:
    if not book.mapping.two_way.notes:
        return
    known = {pair.note_id for pair in case.pairs}
    for note in case.notes or ():
        key = f"note/{note.id}"
        if note.id in known or key in case.once or mark_in(note.text):
            continue
        yield Operation(
            key=key,
            kind=Kind.MIRROR_NOTE,
            incident=case.incident.id,
            object=f"ticket:{case.incident.id}",
            needs=() if case.ticket else (ticket_key(case.incident.id),),
            meaning={
                "note": note.id,
                "author": note.author.name if note.author else "",
                "text": note.text,
                "at": note.created_at.isoformat(),
            },
            reason="somebody wrote a note on the incident",
        )


def _notes_for_comments(case: Case, book: Rulebook) -> Iterator[Operation]:
    issue = case.ticket.issue if case.ticket else None
    if not book.mapping.two_way.comments or issue is None:
        return
    known = {pair.comment_id for pair in case.pairs}
    for comment in issue.comments or ():
        key = f"comment/{comment.id}"
        if comment.id in known or key in case.once or comment.mark or mark_in(comment.body):
            continue
        yield Operation(
            key=key,
            kind=Kind.MIRROR_COMMENT,
            incident=case.incident.id,
            object=f"incident:{case.incident.id}",
            meaning={
                "comment": comment.id,
                "author": comment.author.name if comment.author else "",
                "text": comment.body,
                "at": comment.created_at.isoformat(),
            },
            reason="somebody commented on the ticket",
        )
