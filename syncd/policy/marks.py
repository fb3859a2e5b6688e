"""The mark at the end of our texts, the label of our issues, and the hash that tells an edit."""

from __future__ import annotations

import re
from hashlib import sha256

from syncd.config.templates.text_limits import slug_label
from syncd.domain.ticket import Comment

_MARK = re.compile(r"^syncd [0-9a-f]{16}$")


def mark_line(op: str) -> str:
    """The last line of what we write: plain letters and digits, which no markup changes."""
    return f"syncd {op}"


def mark_in(text: str) -> str | None:
    """The operation that a text names in its last line, None where it ends in no mark."""
    lines = text.rstrip().rsplit("\n", 1)
    last = lines[-1].strip()
    return last.removeprefix("syncd ") if _MARK.match(last) else None


def incident_label(incident_id: str) -> str:
    """The label that all our issues of an incident bear, for people and for finding candidates."""
    return slug_label(f"pd-{incident_id}")


def is_persons(comment: Comment) -> bool:
    """Return True if a comment is a person's word: not ours, no app's, no robot's, no copy of a note.

    One of somebody of whom Jira keeps no more than a name is a person's.
    """
    unmarked = comment.mark is None and mark_in(comment.body) is None
    return unmarked and (comment.author is None or comment.author.human)


def text_hash(text: str) -> str:
    """The hash that a text is compared by with its own earlier version."""
    return sha256(text.encode()).hexdigest()[:32]


def was_forgotten(text: str, author: object) -> bool:
    """Whether this is what is kept of a forgotten text: nothing, by nobody; no service shows that."""
    return not text and author is None
