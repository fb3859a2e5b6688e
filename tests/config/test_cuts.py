from __future__ import annotations

import pytest
import regex
from hostile_text import active_markup, hostile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.config.templates.text_limits import cut, slug_label, summary_line, wiki_within
from syncd.domain.text import escape_wiki, utf16_len

QUICK = settings(max_examples=300, deadline=None)
FAMILY = "👨‍👩‍👧‍👦"


@QUICK
@given(st.one_of(hostile, st.text()), st.integers(0, 80), st.sampled_from(["…", "", "..."]))
@example("ab\r\ncd", 4, "…")
@example(FAMILY * 3, 12, "…")
@example("e\u0301" * 5, 4, "")
def test_a_cut_keeps_the_limit_and_never_parts_a_grapheme(text: str, limit: int, ellipsis: str) -> None:
    short = cut(text, limit, ellipsis)
    assert utf16_len(short) <= limit
    if utf16_len(text) <= limit:
        assert short == text
    elif short:
        kept = short.removesuffix(ellipsis)
        assert text.startswith(kept)
        ends = {match.end() for match in regex.finditer(r"\X", text)} | {0}
        assert len(kept) in ends
    assert cut(short, limit, ellipsis) == short


@QUICK
@given(st.text(min_size=1), st.integers(1, 80))
def test_a_cut_keeps_as_much_as_fits(text: str, limit: int) -> None:
    kept = cut(text, limit, "")
    if kept != text:
        following = regex.match(r"\X", text[len(kept) :])
        assert following is not None
        assert utf16_len(kept + following.group()) > limit


@QUICK
@given(hostile.map(lambda text: text * 20))
def test_a_summary_is_one_line_that_jira_takes(text: str) -> None:
    line = summary_line(text)
    assert utf16_len(line) <= 255
    assert len(line.splitlines()) <= 1
    assert summary_line(line) == line
    line.encode("utf-8")


@QUICK
@given(hostile.map(lambda text: text * 20))
def test_a_label_is_a_slug_that_jira_takes(text: str) -> None:
    label = slug_label(text)
    assert utf16_len(label) <= 255
    assert not any(char.isspace() for char in label)
    assert not regex.search(r"[^\p{L}\p{M}\p{N}_.\-]", label)
    assert slug_label(label) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [("Core QRPay Web", "Core-QRPay-Web"), (" a / b ", "a-b"), ("Wójcik", "Wójcik"), ("{}", "")],
)
def test_a_label_reads_like_the_name_that_it_comes_from(text: str, label: str) -> None:
    assert slug_label(text) == label


@settings(max_examples=60, deadline=None)
@given(hostile.map(lambda text: text * 10), st.integers(0, 200))
def test_markup_that_must_be_short_is_cut_before_it_is_escaped(text: str, limit: int) -> None:
    markup = wiki_within(text, limit)
    assert utf16_len(markup) <= limit
    assert active_markup(markup) == []
    if utf16_len(escape_wiki(text)) <= limit:
        assert markup == escape_wiki(text)


def test_markup_that_must_be_short_keeps_most_of_what_fits() -> None:
    assert utf16_len(wiki_within("*" * 1000, 100)) >= 98
