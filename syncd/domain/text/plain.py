"""Functions that make text safe for one line, a query, a spreadsheet's cell, a mail header or a terminal.

Every function takes any text that JSON can carry, lone surrogates included, and returns text that UTF-8 can
encode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# C0 and C1 control characters without tab and line feed. Marks that change the direction of text: with them a
# title can show its words in a false order. Byte order marks, interlinear marks and noncharacters: XML and
# Jira refuse them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]"
)
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")
_FORMULA_STARTS = "=+-@＝＋－＠"  # noqa: RUF001 - spreadsheets take the full-width signs for formulas too


def utf16_len(text: str) -> int:
    """Return the length in UTF-16 code units. Both services count their limits in them."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def strip_controls(text: str) -> str:
    """Remove control characters and direction marks, and turn every kind of line break into a line feed.

    Tabs stay. A lone surrogate becomes U+FFFD, because no encoding can carry it.
    """
    text = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return the text of `strip_controls` on one line, with single spaces and none at the ends."""
    return " ".join(strip_controls(text).split())


def terminal(text: str) -> str:
    """Return text that cannot move a cursor, colour a screen, or forge a second line of a table or log."""
    return one_line(text)


def header_line(text: str) -> str:
    """Return text for a mail header: one line that starts no new header and decodes to no other text."""
    # Mail programs decode an encoded word (`=?utf-8?q?...?=`), which could bring a line break back.
    return one_line(text).replace("=?", "= ?")


BYTE_ORDER_MARK = "\ufeff"
"""Begins a CSV file: without it Excel reads UTF-8 as the machine's old code page."""


def csv_cell(text: str) -> str:
    """Return text that no spreadsheet reads as a formula; the csv module adds quotes and separators.

    A cell that would start a formula gets an apostrophe before it. A plain number stays a number.
    """
    text = strip_controls(text)
    if text.lstrip().startswith(tuple(_FORMULA_STARTS)) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def counted(count: float, thing: str) -> str:
    """Return a number with its noun: `1 incident`, `2 incidents`, `3 searches`, `4 duties`, `1.5 hours`."""
    number = int(count) if count == int(count) else count
    return f"{number} {thing if number == 1 else _plural(thing)}"


def counts_words(counts: Mapping[Any, int]) -> str:
    """Return how many there are of each kind: `3 done, 1 parked`."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _plural(thing: str) -> str:
    if thing.endswith("y") and not thing.endswith(("ay", "ey", "oy", "uy")):
        return f"{thing[:-1]}ies"
    return f"{thing}es" if thing.endswith(("ch", "sh", "s", "x")) else f"{thing}s"


_ORDINALS = {1: "first", 2: "second", 3: "third"}


def ordinal(count: int) -> str:
    """Return which one in a row: `first`, `second`, `third`, `4th`; `count` is between 1 and 20."""
    return _ORDINALS.get(count, f"{count}th")
