"""Text cut to the services' limits: between graphemes, counted in UTF-16 units.

A cut inside a grapheme turns a family into a stranger, and one inside a surrogate pair cannot be sent.
Where graphemes end is a question for the `regex` library, which the domain does not know.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

from syncd.config.masks import mask
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import escape_wiki, one_line, utf16_len

SUMMARY_LIMIT = 255
"""UTF-16 units of a Jira summary and of a label."""

DESCRIPTION_LIMIT = 32_767
"""UTF-16 units of a Jira description or comment."""

PATTERN_SECONDS = 0.2
"""How long one pattern of a mapping may work on one title."""

_GRAPHEME = regex.compile(r"\X")
_NOT_FOR_LABELS = regex.compile(r"[^\p{L}\p{M}\p{N}_.\-]+")


def cut(text: str, limit: int, ellipsis: str = "…") -> str:
    """Given text and a limit in UTF-16 units, return it cut between graphemes, the ellipsis at its end.

    Text that fits comes back as it is. Where not even the ellipsis fits, the result is empty.
    """
    if utf16_len(text) <= limit:
        return text
    room = limit - utf16_len(ellipsis)
    if room < 0:
        return ""
    return text[: _fitting(text, room)] + ellipsis


def _fitting(text: str, room: int) -> int:
    """How many characters of the text make whole graphemes within `room` UTF-16 units."""
    # A character is at least one unit, and two more say whether a grapheme ends where the room does.
    window = text[: room + 2]
    if window.isascii() and "\r" not in window:
        return room
    used = end = 0
    for match in _GRAPHEME.finditer(window):
        used += utf16_len(match.group())
        if used > room:
            break
        end = match.end()
    return end


def wiki_within(text: str, limit: int) -> str:
    """Text as harmless wiki markup of at most `limit` UTF-16 units: the text is cut, never its escapes."""
    escaped = escape_wiki(text)
    if utf16_len(escaped) <= limit:
        return escaped
    least, most = 0, limit
    while least < most:
        middle = (least + most + 1) // 2
        if utf16_len(escape_wiki(cut(text, middle))) <= limit:
            least = middle
        else:
            most = middle - 1
    return escape_wiki(cut(text, least))


def title_matches(pattern: str, title: str) -> bool:
    """Whether a mapping's pattern is found in an incident's title, without regard to case.

    Patterns are the operator's and titles are anybody's: one that takes too long does not match.
    """
    try:
        return _compiled(pattern).search(one_line(title), timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE)


def summary_line(text: str) -> str:
    """A ticket's summary: one line without control characters, at most 255 UTF-16 units."""
    return cut(one_line(text), SUMMARY_LIMIT)


def ticket_summary(incident: Incident, mapping: Mapping) -> str:
    """The ticket's summary: the title masked, on one line, at most 255 UTF-16 units, never empty."""
    title = mask(one_line(incident.title), mapping.redact.patterns)
    return summary_line(title) or f"Incident #{incident.number}"


def slug_label(text: str) -> str:
    """A Jira label: letters, digits, `_`, `.` and `-`, at most 255 UTF-16 units; may be empty.

    What else the text has becomes one hyphen; none stand at the ends.
    """
    composed = unicodedata.normalize("NFC", one_line(text))
    slug = _NOT_FOR_LABELS.sub("-", composed).strip("-")
    return cut(slug, SUMMARY_LIMIT, ellipsis="").rstrip("-")
