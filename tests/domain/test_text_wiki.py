from __future__ import annotations

import pytest
from hostile_text import active_markup, hostile, seen, shown
from hypothesis import example, given, settings

from syncd.domain.text import escape_wiki, wiki_link, wiki_url

QUICK = settings(max_examples=400, deadline=None)


@QUICK
@given(hostile)
@example("\\")
@example("\\\\{html}\\")
@example("http://a.example/x!http://b.example/y.png!")
@example(" \t# x")
def test_hostile_text_is_no_markup_once_it_is_escaped(text: str) -> None:
    assert active_markup(escape_wiki(text)) == []


@QUICK
@given(hostile)
@example("C:\\temp\\new")
@example("\\\u2060*")
def test_escaped_text_shows_what_was_written(text: str) -> None:
    assert shown(escape_wiki(text)) == seen(text)


@QUICK
@given(hostile, hostile)
def test_two_escaped_texts_side_by_side_escape_nothing_of_each_other(left: str, right: str) -> None:
    both = escape_wiki(left) + escape_wiki(right)
    assert "\\\\" not in both
    assert shown(both) == shown(escape_wiki(left) + "\u2060" + escape_wiki(right))


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("in brackets:", "in brackets:\u2060"),
        ("p99-latency of snake_case", "p99-latency of snake_case"),
        ("Disk {full}!", "Disk \\{full\\}\\!"),
        ("[SEV1] Alipay", "\\[SEV1\\] Alipay"),
        ("[~bob] and a@b.example", "\\[\\~bob\\] and a\\@b.example"),
        ("a\n* b\n# c\n- d", "a\n\\* b\n\\# c\n\\- d"),
        ("h1. Big", "h1\u2060. Big"),
        ("why? why??", "why? why\\?\\?"),
        ("fine :) (!)", "fine :\\) \\(\\!)"),
        ("see http://a.example/x_y?a=b.", "see http://a.example/x_y?a=b."),
        ("http://a.example/_x_", "http://a.example/%5Fx%5F"),
        ("C:\\temp", "C:\\temp"),
    ],
)
def test_ordinary_text_stays_readable_in_the_source(text: str, markup: str) -> None:
    assert escape_wiki(text) == markup


def test_an_image_is_not_embedded_and_its_address_is_still_there_to_read() -> None:
    assert escape_wiki("!http://evil.example/x.png!") == "\\!http://evil.example/x.png\u2060\\!"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "http://", "//x.example", "x", "http://[", ""]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert wiki_url(url) == ""
    assert wiki_link("label", url) == "label"


@QUICK
@given(hostile, hostile)
def test_nothing_breaks_out_of_a_link(label: str, tail: str) -> None:
    link = wiki_link(label, "https://a.example/" + tail)
    assert link.startswith("[") and link.endswith("]")
    assert not set("[]{}|\n ") & set(link.rpartition("|")[2][:-1].removeprefix("["))
    shown_label = link[1:].rpartition("|")[0]
    assert not set("[]{}|\n") & set(shown_label)
    assert active_markup(shown_label) == []
