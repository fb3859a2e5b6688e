"""Copy each note to a comment and each comment to a note, once, and never a text by syncd.

QRPay runbook, "Roles": the scribe documents the timeline in the incident ticket. The ledger identifies
syncd's own texts: their ids stand in `mirror_link`, or they carry the mark of an operation whose outcome is
unknown. syncd copies nothing of a restricted incident.

More than 30 texts within 10 minutes come from a robot. syncd never copies the texts beyond these, and
comments on the ticket once for each such flood. It copies again when a text has fewer than 30 others in the
10 minutes before it. The times of writing count, so that catching up after a day is no flood.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.operation import CommentOnTicket, MirrorComment, MirrorNote
from syncd.domain.operation.keys import comment_key, copy_of_comment_key, copy_of_note_key, ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.lines import ForeignText, foreign_comments, foreign_notes

MOST_TEXTS = 30
"""syncd copies so many texts of an incident at most within `WITHIN`."""
WITHIN = timedelta(minutes=10)


class _Text(Value):
    """A text by a person or another tool; `side` is `note` or `comment`."""

    side: str
    id: str
    author: str
    text: str
    at: UtcTime

    @property
    def key(self) -> str:
        """The key of the operation that copies the text."""
        return copy_of_note_key(self.id) if self.side == "note" else copy_of_comment_key(self.id)


def decide_mirror(case: Case, book: Rulebook) -> Decision:
    """Return a comment for each new note and a note for each new comment."""
    if case.before_enforcement or case.restricted:
        return Decision()
    copied = {("note", pair.note_id) for pair in case.pairs}
    copied |= {("comment", pair.comment_id) for pair in case.pairs}
    notes = foreign_notes(case) if book.mapping.two_way.notes else ()
    comments = foreign_comments(case) if book.mapping.two_way.comments else ()
    texts = [_text(text) for text in (*notes, *comments)]
    flood = _beyond(texts)
    new = [text for text in texts if (text.side, text.id) not in copied and text.key not in case.once]
    held = sorted((text for text in new if text.key in flood), key=_order)
    copies = tuple(_copy(case, text) for text in new if text.key not in flood)
    return Decision(operations=(*copies, *_notices(case, held)))


def _text(text: ForeignText) -> _Text:
    author = text.author.name if text.author else ""
    return _Text(side=text.source, id=text.id, author=author, text=text.text, at=text.at)


def _order(text: _Text) -> tuple[UtcTime, str]:
    return text.at, text.key


def _beyond(texts: Sequence[_Text]) -> set[str]:
    """Return the keys of the texts that have 30 others in the 10 minutes before them."""
    ordered = sorted(texts, key=_order)
    times = [text.at for text in ordered]
    return {
        text.key
        for number, text in enumerate(ordered)
        if number - bisect_right(times, text.at - WITHIN) >= MOST_TEXTS
    }


def _notices(case: Case, held: Sequence[_Text]) -> Iterator[CommentOnTicket]:
    """Return one comment for each flood; less than 10 minutes lie between two held texts of a flood."""
    before: _Text | None = None
    for text in held:
        first = before is None or text.at - before.at >= WITHIN
        before = text
        if not first:
            continue
        key = comment_key(case.incident.id, "mirror", f"{text.side}-{text.id}")
        if key in case.once:
            continue
        yield CommentOnTicket(
            key=key,
            incident=case.incident.id,
            needs=() if case.ticket else (ticket_key(case.incident.id),),
            subject="notes and comments",
            text=f"more than {MOST_TEXTS} texts within {WITHIN.seconds // 60} minutes are another tool's"
            " work. syncd does not copy the texts beyond these. It copies again when fewer come.",
            value="",
            reason="so that people see that copying has stopped",
        )


def _copy(case: Case, text: _Text) -> MirrorNote | MirrorComment:
    if text.side == "note":
        return MirrorNote(
            key=text.key,
            incident=case.incident.id,
            needs=() if case.ticket else (ticket_key(case.incident.id),),
            note=text.id,
            author=text.author,
            text=text.text,
            at=text.at,
            reason="somebody wrote a note on the incident",
        )
    return MirrorComment(
        key=text.key,
        incident=case.incident.id,
        comment=text.id,
        author=text.author,
        text=text.text,
        at=text.at,
        reason="somebody commented on the ticket",
    )
