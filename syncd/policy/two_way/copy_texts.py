"""Copy each note to a comment and each comment to a note, once, and never a text by syncd.

QRPay runbook, "Roles": the scribe documents the timeline in the incident ticket. The ledger identifies
syncd's own texts: their ids stand in `mirror_link`, or they carry the mark of an operation whose outcome is
unknown. syncd copies nothing of a restricted incident.

More than 30 texts within 10 minutes come from a robot. syncd copies 30 of an incident within 10 minutes; the
others wait their turn, because a person's text may be among them, and syncd comments on the ticket once for
each such flood. The times of writing count, so that catching up after a day is no flood.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta

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
    turns = _turns(texts)
    new = [text for text in texts if (text.side, text.id) not in copied and text.key not in case.once]
    delayed = sorted((text for text in texts if turns[text.key] > text.at), key=_order)
    # without a present moment no rule waits
    now = case.now or max(turns.values(), default=case.incident.created_at)
    waits = {text.key for text in delayed if turns[text.key] > now} & {text.key for text in new}
    copies = tuple(_copy(case, text) for text in new if text.key not in waits)
    again = min(((turns[key] - now).total_seconds() for key in waits), default=None)
    return Decision(operations=(*copies, *_notices(case, delayed, waits)), again=again)


def _text(text: ForeignText) -> _Text:
    author = text.author.name if text.author else ""
    return _Text(side=text.source, id=text.id, author=author, text=text.text, at=text.at)


def _order(text: _Text) -> tuple[UtcTime, str]:
    return text.at, text.key


def _turns(texts: Sequence[_Text]) -> dict[str, datetime]:
    """Return when each text may be copied, by key: 10 minutes after the 30th before it, if it is written."""
    turns: dict[str, datetime] = {}
    times: list[datetime] = []
    for number, text in enumerate(sorted(texts, key=_order)):
        earliest = times[number - MOST_TEXTS] + WITHIN if number >= MOST_TEXTS else text.at
        times.append(max(text.at, earliest))
        turns[text.key] = times[-1]
    return turns


def _notices(case: Case, delayed: Sequence[_Text], waits: Container[str]) -> Iterator[CommentOnTicket]:
    """Return one comment for each flood of which a text waits, under the key of the first that had to."""
    for flood in _floods(delayed):
        keys = [comment_key(case.incident.id, "mirror", f"{text.side}-{text.id}") for text in flood]
        # an earlier text that syncd reads later may have become the first that had to wait
        if case.once.intersection(keys) or not any(text.key in waits for text in flood):
            continue
        yield CommentOnTicket(
            key=keys[0],
            incident=case.incident.id,
            needs=() if case.ticket else (ticket_key(case.incident.id),),
            subject="notes and comments",
            text=f"more than {MOST_TEXTS} texts within {WITHIN.seconds // 60} minutes are another tool's"
            " work. The others wait, and syncd copies them when fewer come.",
            value="",
            reason="so that people see that copying waits",
        )


def _floods(delayed: Sequence[_Text]) -> Iterator[list[_Text]]:
    """Yield the texts of each flood: less than 10 minutes lie between two that had to wait."""
    flood: list[_Text] = []
    for text in delayed:
        if flood and text.at - flood[-1].at >= WITHIN:
            yield flood
            flood = []
        flood.append(text)
    if flood:
        yield flood


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
