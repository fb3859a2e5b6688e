"""The mark at the end of syncd's texts, the label of its issues, and the hash that detects an edit."""

from __future__ import annotations

import re
from hashlib import sha256

from syncd.config.templates.text_limits import slug_label
from syncd.domain.ticket import Comment, is_person, may_be_person

_MARK = re.compile(r"^syncd [0-9a-f]{16}$")


def mark_line(op: str) -> str:
    """Return the last line of a text by syncd: plain letters and digits, which no markup changes."""
    return f"syncd {op}"


def mark_in(text: str) -> str | None:
    """Return the operation (16 hex digits) in the mark at the end of a text, None without a mark."""
    lines = text.rstrip().rsplit("\n", 1)
    last = lines[-1].strip()
    return last.removeprefix("syncd ") if _MARK.match(last) else None


def incident_label(incident_id: str) -> str:
    """Return the label of all issues that syncd creates for an incident; people and searches use it."""
    return slug_label(f"pd-{incident_id}")


def ticket_labels(incident_id: str) -> list[str]:
    """Return the labels of each ticket: they are for people and decide nothing."""
    return ["syncd", incident_label(incident_id)]


def is_persons(comment: Comment) -> bool:
    """Return True if a person wrote a comment: not syncd, no app, no robot, no copy of a note."""
    # syncd empties only texts of people (`syncd forget`), with their names.
    return _is_unmarked(comment) and (
        is_person(comment.author) or was_forgotten(comment.body, comment.author)
    )


def may_be_persons(comment: Comment) -> bool:
    """Return True also for a comment whose author Jira does not name."""
    return _is_unmarked(comment) and may_be_person(comment.author)


def _is_unmarked(comment: Comment) -> bool:
    return comment.mark is None and mark_in(comment.body) is None


def text_hash(text: str) -> str:
    """Return the hash of a text, to compare it with its earlier version."""
    return sha256(text.encode()).hexdigest()[:32]


def was_forgotten(text: str, author: object) -> bool:
    """Return True if `syncd forget` emptied a text: it has no words and no author, as no service shows."""
    return not text and author is None
