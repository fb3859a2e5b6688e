"""Notes become comments and comments become notes, each once, and never what we wrote ourselves.

What is ours is known by the ledger: a text whose id stands in `mirror_link`, or that carries the mark
of one of our operations whose outcome is unknown. A text that ends in anybody's syncd mark is not
mirrored: that is another syncd's copy (rules: "Two ways"). What is restricted travels nowhere, and neither
does a text that was forgotten (`syncd.ledger.store.forget`).

More than 30 people's texts within 10 minutes are another robot's: those beyond are not copied, then or later,
and the ticket says so once for each such flood. It ends by itself: the next text that finds fewer than 30 in
the 10 minutes before it is copied again. Texts count by when they were written, so that catching up after a
day is no flood.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.operation import CommentOnTicket, MirrorComment, MirrorNote
from syncd.domain.operation.keys import comment_key, copy_of_comment_key, copy_of_note_key, ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.marks import mark_in, was_forgotten

MOST_TEXTS = 30
WITHIN = timedelta(minutes=10)


class Said(Value):
    """A text of a person's or another tool's: `side` is where it stands, `note` or `comment`."""

    side: str
    id: str
    author: str
    text: str
    at: UtcTime

    @property
    def key(self) -> str:
        """The key of the operation that copies it."""
        return copy_of_note_key(self.id) if self.side == "note" else copy_of_comment_key(self.id)


def decide_mirror(case: Case, book: Rulebook) -> Decision:
    """Given a case, return a comment for each new note and a note for each new comment."""
    if case.before_enforcement or case.restricted:
        return Decision()
    known = {("note", pair.note_id) for pair in case.pairs}
    known |= {("comment", pair.comment_id) for pair in case.pairs}
    texts = [*_notes(case, book), *_comments(case, book)]
    flood = _beyond(texts)
    new = [one for one in texts if (one.side, one.id) not in known and one.key not in case.once]
    held = sorted((one for one in new if one.key in flood), key=_order)
    copies = tuple(_copy(case, one) for one in new if one.key not in flood)
    return Decision(operations=(*copies, *_notices(case, held)))


def _notes(case: Case, book: Rulebook) -> Iterator[Said]:
    if not book.mapping.two_way.notes:
        return
    ours = {pair.note_id for pair in case.pairs if pair.origin != "note"}
    for note in case.notes or ():
        if note.id not in ours and not mark_in(note.text) and not was_forgotten(note.text, note.author):
            author = note.author.name if note.author else ""
            yield Said(side="note", id=note.id, author=author, text=note.text, at=note.created_at)


def _comments(case: Case, book: Rulebook) -> Iterator[Said]:
    issue = case.ticket.issue if case.ticket else None
    if not book.mapping.two_way.comments or issue is None:
        return
    ours = {pair.comment_id for pair in case.pairs if pair.origin != "comment"}
    for one in issue.comments or ():
        forgotten = was_forgotten(one.body, one.author)
        if one.id not in ours and not one.mark and not mark_in(one.body) and not forgotten:
            author = one.author.name if one.author else ""
            yield Said(side="comment", id=one.id, author=author, text=one.body, at=one.created_at)


def _order(one: Said) -> tuple[UtcTime, str]:
    return one.at, one.key


def _beyond(texts: Sequence[Said]) -> set[str]:
    """The keys of those texts that have 30 others in the 10 minutes before them."""
    ordered = sorted(texts, key=_order)
    times = [one.at for one in ordered]
    return {
        one.key
        for number, one in enumerate(ordered)
        if number - bisect_right(times, one.at - WITHIN) >= MOST_TEXTS
    }


def _notices(case: Case, held: Sequence[Said]) -> Iterator[CommentOnTicket]:
    """One comment for each flood: held texts with less than 10 minutes between them are of one."""
    before: Said | None = None
    for one in held:
        first = before is None or one.at - before.at >= WITHIN
        before = one
        if not first:
            continue
        key = comment_key(case.incident.id, "mirror", f"{one.side}-{one.id}")
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
            reason="people see that copying has stopped",
        )


def _copy(case: Case, said: Said) -> MirrorNote | MirrorComment:
    if said.side == "note":
        return MirrorNote(
            key=said.key,
            incident=case.incident.id,
            needs=() if case.ticket else (ticket_key(case.incident.id),),
            note=said.id,
            author=said.author,
            text=said.text,
            at=said.at,
            reason="somebody wrote a note on the incident",
        )
    return MirrorComment(
        key=said.key,
        incident=case.incident.id,
        comment=said.id,
        author=said.author,
        text=said.text,
        at=said.at,
        reason="somebody commented on the ticket",
    )
