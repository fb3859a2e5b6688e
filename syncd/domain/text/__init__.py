"""Functions that escape hostile text for its target: a ticket, a line, a cell, a header, a terminal.

They are pure and need no library. `templates.text_limits` cuts texts between graphemes, and
`syncd.config.masks` matches patterns with a time limit.
"""

from __future__ import annotations

from syncd.domain.text.plain import (
    BYTE_ORDER_MARK,
    counted,
    counts_words,
    csv_cell,
    header_line,
    one_line,
    ordinal,
    strip_controls,
    terminal,
    utf16_len,
)
from syncd.domain.text.wiki import escape_wiki, wiki_link, wiki_url

__all__ = [
    "BYTE_ORDER_MARK",
    "counted",
    "counts_words",
    "csv_cell",
    "escape_wiki",
    "header_line",
    "one_line",
    "ordinal",
    "strip_controls",
    "terminal",
    "utf16_len",
    "wiki_link",
    "wiki_url",
]
