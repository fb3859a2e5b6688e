"""Cut texts to the services' limits: between graphemes, counted in UTF-16 units.

A cut inside a grapheme changes a character (a family emoji into one person); a cut inside a surrogate pair
gives a text that cannot be sent. The `regex` library finds graphemes, and the domain may not import it.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

from syncd.config.masks import PATTERN_SECONDS, mask
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import escape_wiki, one_line, utf16_len

SUMMARY_LIMIT = 255
"""UTF-16 units of a Jira summary and of a label."""

DESCRIPTION_LIMIT = 32_767
"""UTF-16 units of a Jira description or comment."""

PATTERN_SEES = 1000
"""Characters of a title, on one line, in which a mapping's pattern is searched."""

_GRAPHEME = regex.compile(r"\X")
_NOT_FOR_LABELS = regex.compile(r"[^\p{L}\p{M}\p{N}_.\-]+")


def cut(text: str, limit: int, ellipsis: str = "…") -> str:
    """Return a text cut between graphemes to `limit` UTF-16 units, with the ellipsis at its end.

    A text that fits stays unchanged. If not even the ellipsis fits, the result is empty.
    """
    if utf16_len(text) <= limit:
        return text
    room = limit - utf16_len(ellipsis)
    if room < 0:
        return ""
    return text[: _fitting(text, room)] + ellipsis


def _fitting(text: str, room: int) -> int:
    """Return how many characters of the text make whole graphemes within `room` UTF-16 units."""
    # A character has at least one unit; two more characters show whether a grapheme ends at the limit.
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
    """Return a text escaped for wiki markup, cut to `limit` UTF-16 units, but never inside an escape."""
    escaped = escape_wiki(text)
    if utf16_len(escaped) <= limit:
        return escaped
    # escaping adds a varying number of characters, so search for the longest text that fits
    least, most = 0, limit
    while least < most:
        middle = (least + most + 1) // 2
        if utf16_len(escape_wiki(cut(text, middle))) <= limit:
            least = middle
        else:
            most = middle - 1
    return escape_wiki(cut(text, least))


def title_matches(pattern: str, title: str) -> bool | None:
    """Return True if the first characters of an incident's title contain a mapping's pattern, in any case.

    None: it took longer than `PATTERN_SECONDS`. Anybody may write a title, so each caller takes the safe
    answer then.
    """
    try:
        match = _compiled(pattern).search(one_line(title)[:PATTERN_SEES], timeout=PATTERN_SECONDS)
    except TimeoutError:
        return None
    return match is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE)


def summary_line(text: str) -> str:
    """Return a text as a summary: one line without control characters, at most 255 UTF-16 units."""
    return cut(one_line(text), SUMMARY_LIMIT)


def ticket_summary(incident: Incident, mapping: Mapping) -> str:
    """Return the ticket's summary: the masked title on one line, at most 255 UTF-16 units, never empty."""
    patterns = mapping.redact.patterns
    # a mapping's pattern that took too long on a busy machine is tried again
    line = summary_line(mask(one_line(incident.title), patterns)) if patterns else _masked(incident.title)
    return line or f"Incident #{incident.number}"


@lru_cache(maxsize=1024)
def _masked(title: str) -> str:
    # each decision compares the summary of the ticket twice
    return summary_line(mask(one_line(title)))


@lru_cache(maxsize=256)
def slug_label(text: str) -> str:
    """Return a text as a Jira label: letters, digits, `_`, `.` and `-`, at most 255 UTF-16 units.

    Each run of other characters becomes one hyphen, except at the ends. The label may be empty.
    """
    # NFC, so that "é" gives the same label whether it came as one character or as two
    composed = unicodedata.normalize("NFC", one_line(text))
    slug = _NOT_FOR_LABELS.sub("-", composed).strip("-")
    return cut(slug, SUMMARY_LIMIT, ellipsis="").rstrip("-")
