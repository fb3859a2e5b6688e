"""Text for plain places: one line, a query, a spreadsheet's cell, a mail header, a terminal.

Every function takes anything that JSON can carry, lone surrogates included, and returns text that can
be encoded as UTF-8.
"""

from __future__ import annotations

import re

# C0 and C1 without tab and line feed; marks that turn the direction of text around, with which a title
# can show another order than it has; byte order marks, interlinear marks and noncharacters, which XML
# and Jira refuse.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]"
)
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")
_FORMULA_STARTS = "=+-@＝＋－＠"  # noqa: RUF001 - spreadsheets take the full-width signs for formulas too


def utf16_len(text: str) -> int:
    """Length in UTF-16 code units, in which both services count their limits."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def strip_controls(text: str) -> str:
    """Without control characters and direction marks; every kind of line break becomes a line feed.

    Tabs stay. A lone surrogate, which no encoding can carry, becomes U+FFFD.
    """
    text = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """As `strip_controls`, on one line: runs of white space become one space, none at the ends."""
    return " ".join(strip_controls(text).split())


def terminal(text: str) -> str:
    """Text that cannot move a cursor, colour a screen or forge a second line of a table or a log."""
    return one_line(text)


def header_line(text: str) -> str:
    """Text for a mail header: one line that starts no header and is no encoded word in disguise."""
    return one_line(text).replace("=?", "= ?")


def jql_string(text: str) -> str:
    """Text as a quoted JQL string, quotes included."""
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def csv_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; quoting and separators are the csv module's work.

    A cell that would start a formula gets an apostrophe before it; a plain number stays a number.
    """
    text = strip_controls(text)
    if text.lstrip().startswith(tuple(_FORMULA_STARTS)) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def counted(count: int, thing: str) -> str:
    """A number of things: `1 incident`, `2 incidents`, `3 searches`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}{'es' if thing.endswith('ch') else 's'}"
