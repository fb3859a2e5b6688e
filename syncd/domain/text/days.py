"""Read a day from what people write; a text that may mean two days means none."""

from __future__ import annotations

import re
from datetime import date, datetime

_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_MARKUP = re.compile(r"[*_{}\[\]|]|^@")
_DAYS = ("%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d/%b/%Y")
"""Spellings that mean the same day everywhere; 12/05/2026 means two days, so syncd does not read it."""
_ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th)\b", re.IGNORECASE)


def date_in(cell: str) -> date | None:
    """Return the one day that a cell means, None where it is unclear."""
    iso = _ISO.findall(cell)
    if len(set(iso)) == 1:
        try:
            return date.fromisoformat(iso[0])
        except ValueError:
            return None
    text = " ".join(_ORDINAL.sub("", _MARKUP.sub(" ", cell)).replace(",", " ").split())
    for spelling in _DAYS:
        try:
            # a day has no zone
            return datetime.strptime(text, spelling).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None
