"""Hostile text made harmless for where it goes: a ticket, a line, a query, a cell, a header, a terminal.

Pure functions without a library. What needs graphemes or a time limit is in `templates.text_limits` and
`syncd.config.masks`.
"""

from __future__ import annotations

from syncd.domain.text.plain import (
    counted,
    csv_cell,
    header_line,
    jql_string,
    one_line,
    strip_controls,
    terminal,
    utf16_len,
)
from syncd.domain.text.wiki import escape_wiki, wiki_link, wiki_url

__all__ = [
    "counted",
    "csv_cell",
    "escape_wiki",
    "header_line",
    "jql_string",
    "one_line",
    "strip_controls",
    "terminal",
    "utf16_len",
    "wiki_link",
    "wiki_url",
]
