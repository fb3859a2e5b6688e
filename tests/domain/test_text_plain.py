from __future__ import annotations

import csv
import io
import unicodedata
from email.message import EmailMessage

import pytest
from hostile_text import hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.domain.text import (
    counted,
    csv_cell,
    header_line,
    one_line,
    strip_controls,
    terminal,
    utf16_len,
)

QUICK = settings(max_examples=300, deadline=None)
DIRECTION_MARKS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@QUICK
@given(hostile)
def test_text_without_controls_can_be_encoded_and_turns_no_direction(text: str) -> None:
    clean = strip_controls(text)
    clean.encode("utf-8")
    assert not DIRECTION_MARKS & set(clean)
    assert all(char in "\n\t" or unicodedata.category(char) != "Cc" for char in clean)
    assert strip_controls(clean) == clean


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\u2028", "\u2029", "\x85"])
def test_every_kind_of_line_break_becomes_one_line_feed(line_break: str) -> None:
    assert strip_controls(f"a{line_break}b") == "a\nb"
    assert one_line(f"a{line_break}b") == "a b"


@QUICK
@given(hostile)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert one_line(line) == line


@QUICK
@given(st.text())
def test_length_is_counted_as_java_and_javascript_count_it(text: str) -> None:
    assert utf16_len(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_an_emoji_counts_twice() -> None:
    assert utf16_len("a👍") == 3


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "＝", "＋", "＠"])  # noqa: RUF001 - on purpose
def test_no_cell_starts_a_formula(start: str) -> None:
    cell = csv_cell(f'{start}HYPERLINK("http://evil.example")')
    assert cell.startswith("'")
    assert csv_cell(cell) == cell


@pytest.mark.parametrize("number", ["-5", "+3.5", "-12.5%", "42"])
def test_a_number_stays_a_number_in_a_cell(number: str) -> None:
    assert csv_cell(number) == number


@QUICK
@given(hostile)
def test_a_cell_survives_being_written_and_read(text: str) -> None:
    cell = csv_cell(text)
    out = io.StringIO()
    csv.writer(out).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(out.getvalue()))) == [cell, "next"]


@QUICK
@given(hostile)
def test_no_title_starts_a_mail_header(text: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = header_line(text)
    assert mail.keys() == ["Subject"]
    assert "=?" not in header_line(text)


def test_a_title_cannot_move_the_cursor_or_forge_a_line() -> None:
    assert terminal("a\x1b[2Jb\nERROR c\r\x07d") == "a[2Jb ERROR c d"


@pytest.mark.parametrize(
    ("count", "thing", "words"),
    [
        (1, "duty", "1 duty"),
        (2, "duty", "2 duties"),
        (0, "row", "0 rows"),
        (2, "day", "2 days"),
        (2, "search", "2 searches"),
    ],
)
def test_a_number_stands_with_its_noun_in_the_right_form(count: int, thing: str, words: str) -> None:
    assert counted(count, thing) == words
