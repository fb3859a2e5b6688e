"""Read people's texts, and the lines among them that tell syncd something: `update: traffic is rerouted`.

A line is the first line of a note or comment; it begins with a keyword and a colon. Only people write lines:
syncd's own texts, the copies that it made, apps, robots and texts with any syncd's mark never count. The
ledger knows syncd's texts (`mirror_link`); of a note and its copy only the original counts. The texts were
masked when syncd read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from syncd.domain.base import UtcTime, Value
from syncd.domain.incident import Responder
from syncd.domain.ticket import Account, Comment, is_person
from syncd.policy.case import Case
from syncd.policy.marks import is_persons, mark_in, was_forgotten

LONGEST_KEYWORD = 40
"""Characters before the colon; a longer beginning is a sentence."""
_WITHOUT_WORDS: dict[str, frozenset[str]] = {
    "update": frozenset(),
    "mitigation": frozenset(),
    "impact": frozenset({"customers", "none"}),
    "status page": frozenset({"posted"}),
}
"""The lines that the ledger knows of a restricted ticket, each with the words after it that it keeps."""
LONGEST_REFERENCE = 80
"""Characters of a filing's reference; what is longer is cut."""
_NO_REFERENCE = re.compile(r"[^A-Za-z0-9./_-]")
_FILED = re.compile(r"filed(-[a-z0-9]+)+")
"""The keyword of a line about a filing (`restricted.clocks.NAME.label`)."""
_WORD = re.compile(r"\w+")
_APPROVED = re.compile(r"approved(?: {1,3}#?(\d{1,6}))?[.!]?", re.IGNORECASE)

Source = Literal["note", "comment"]


class ForeignText(Value):
    """A note or comment that syncd did not write; `by_person` is False where no person is known to have.

    `edited_at` is when somebody last edited a comment; of notes it is not known.
    """

    source: Source
    id: str
    author: Responder | Account | None
    by_person: bool
    at: UtcTime
    text: str
    edited_at: UtcTime | None = None


class PersonLine(Value):
    """A person's line: its keyword in lower case, the `rest` of that line, and the whole `text` after it.

    `author` is a user of PagerDuty for a note, a Jira account for a comment. `at` is when they wrote it,
    `edited_at` when somebody last edited it.
    """

    source: Source
    id: str
    author: Responder | Account
    at: UtcTime
    keyword: str
    rest: str
    text: str
    edited_at: UtcTime | None = None

    @property
    def word(self) -> str:
        """Return the first word after the keyword, in lower case: `customers` of `impact: customers wait`."""
        return _first_word(self.rest)


class Approval(Value):
    """A person's comment that says `approved` and nothing else; `number` is the draft that it names."""

    author: Account
    at: UtcTime
    number: int | None


def foreign_notes(case: Case) -> Iterator[ForeignText]:
    """Yield the notes that no syncd wrote, in PagerDuty's order; none where syncd lacks them."""
    ours = {pair.note_id for pair in case.pairs if pair.origin != "note"}
    for note in case.notes or ():
        # A text that ends in a mark of any syncd is a copy already: two daemons would copy it for ever.
        if note.id not in ours and not mark_in(note.text) and not was_forgotten(note.text, note.author):
            yield ForeignText(
                source="note",
                id=note.id,
                author=note.author,
                by_person=note.author is not None and note.by_person,
                at=note.created_at,
                text=note.text,
            )


def foreign_comments(case: Case) -> Iterator[ForeignText]:
    """Yield the ticket's comments that no syncd wrote, in Jira's order; none where syncd lacks them."""
    issue = case.ticket.issue if case.ticket else None
    ours = {pair.comment_id for pair in case.pairs if pair.origin != "comment"}
    for comment in (issue.comments if issue else None) or ():
        body, forgotten = comment.body, was_forgotten(comment.body, comment.author)
        if comment.id not in ours and not comment.mark and not mark_in(body) and not forgotten:
            yield ForeignText(
                source="comment",
                id=comment.id,
                author=comment.author,
                by_person=is_person(comment.author),
                at=comment.created_at,
                text=body,
                edited_at=comment.updated_at if comment.edited else None,
            )


def texts_of_people(case: Case) -> tuple[ForeignText, ...]:
    """Return the notes and comments that people wrote, oldest first."""
    texts = (*foreign_notes(case), *foreign_comments(case))
    return tuple(
        sorted((text for text in texts if text.by_person), key=lambda text: (text.at, text.source, text.id))
    )


def lines_of(case: Case) -> tuple[PersonLine, ...]:
    """Return the lines of people on an incident and its ticket, oldest first."""
    return tuple(line for text in texts_of_people(case) if (line := _line(text)) is not None)


def _line(text: ForeignText) -> PersonLine | None:
    words = split_line(text.text)
    if text.author is None or words is None:
        return None
    keyword, rest, after = words
    return PersonLine(
        source=text.source,
        id=text.id,
        author=text.author,
        at=text.at,
        keyword=keyword,
        rest=rest,
        text=after,
        edited_at=text.edited_at,
    )


def split_line(text: str) -> tuple[str, str, str] | None:
    """Return a text's keyword, the rest of its first line, and all after the keyword; None: no keyword."""
    text = text.strip()
    # Only the beginning is searched for a colon: a hostile text has no say in how long that takes.
    before, colon, _ = text[: LONGEST_KEYWORD + 1].partition(":")
    keyword = " ".join(before.split()).casefold()
    if not colon or not keyword or "\n" in before or "\r" in before:
        return None
    after = text[len(before) + 1 :]
    return keyword, after.partition("\n")[0].strip(), after.strip()


def _first_word(rest: str) -> str:
    match = _WORD.match(rest)
    return match[0].casefold() if match is not None else ""


def reference_of(rest: str) -> str:
    """Return the reference of a filing: the first word of a line's rest if it has a digit, else nothing.

    `filed-gdpr: IC-2026-118 (by mail)` has the reference `IC-2026-118`, which a restricted incident's ledger
    may keep. The words behind it stay out.
    """
    word = _NO_REFERENCE.sub("", next(iter(rest.split(maxsplit=1)), "")).strip(".")[:LONGEST_REFERENCE]
    return word if any(sign.isdigit() for sign in word) else ""


def approvals_of(case: Case) -> tuple[Approval, ...]:
    """Return the comments of people that say `approved` or `approved N` and nothing else, oldest first.

    An edited comment does not count: nobody knows what its words were when the draft was read.
    """
    approvals = []
    for text in texts_of_people(case):
        match = _APPROVED.fullmatch(text.text.strip()) if text.source == "comment" else None
        if match is not None and isinstance(text.author, Account) and text.edited_at is None:
            number = int(match[1]) if match[1] else None
            approvals.append(Approval(author=text.author, at=text.at, number=number))
    return tuple(approvals)


def comments_without_words(comments: Iterable[Comment]) -> tuple[Comment, ...]:
    """Return the comments of a restricted ticket that are lines, without what people wrote of the incident.

    The ledger keeps no text of a restricted incident, but what a person's line starts or ends must count.
    """
    kept = ((comment, _without_words(comment)) for comment in comments if is_persons(comment))
    return tuple(comment.model_copy(update={"body": body}) for comment, body in kept if body)


def _without_words(comment: Comment) -> str:
    if _APPROVED.fullmatch(comment.body.strip()):
        return comment.body.strip()
    words = split_line(comment.body)
    if words is None:
        return ""
    keyword, rest, _ = words
    if keyword in _WITHOUT_WORDS:
        word = _first_word(rest)
        return f"{keyword}: {word if word in _WITHOUT_WORDS[keyword] else ''}"
    return f"{keyword}: {reference_of(rest)}" if _FILED.fullmatch(keyword) else ""
