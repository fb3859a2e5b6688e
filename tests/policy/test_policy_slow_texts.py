"""Follow-up tables that were written to be slow: a pattern that rereads a text at each letter never ends."""

from __future__ import annotations

import pytest

from syncd.engine.act.jira_write import row_owner
from syncd.policy.follow_ups.table_parser import _cells, follow_ups_in
from syncd.policy.follow_ups.table_rows import Row, edits_of, normalised

LETTERS = 300_000
PIECES = (
    "a",
    "|",
    "[",
    "]",
    "[~",
    "[a|",
    "[a|b",
    "*",
    "*a ",
    "_",
    "a@",
    "a.",
    "@",
    "\\",
    "\\|",
    "http://",
    " ",
)


@pytest.mark.parametrize("piece", PIECES)
def test_a_cell_of_many_letters_is_read_once(piece: str) -> None:
    text = piece * (LETTERS // len(piece))
    follow_ups_in(f"||Action||Owner||\n|{text}|x|\n")
    row_owner.plain(text)
    normalised(text)
    for pattern in (row_owner._MENTION, row_owner._ADDRESS, row_owner._LINK, row_owner._EMPHASIS):
        pattern.search(text)


def test_many_long_rows_are_compared_in_part() -> None:
    rows = [Row(text=f"{number} " + "ab" * 1000) for number in range(3000)]
    assert edits_of(rows, []) == []


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("|a|b|", ["a", "b"]),
        ("|see [the page|http://x.example/?a=1]|b|", ["see [the page|http://x.example/?a=1]", "b"]),
        (r"|a \| b|c|", ["a | b", "c"]),
        ("|[a|b|c]|d|", ["[a|b|c]", "d"]),
        ("|a [b|c|", ["a [b", "c"]),
        ("|a] |b|", ["a]", "b"]),
        ("|", [""]),
        ("||", [""]),
    ],
)
def test_a_row_is_split_at_its_bars_and_not_within_a_link(line: str, cells: list[str]) -> None:
    assert _cells(line) == cells
