from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PosixPath
from typing import Any

import pytest

from syncd.config.problems import ConfigError
from syncd.config.templates.filters import all_filters
from syncd.config.templates.sandbox import Target
from syncd.config.templates.templates import TemplateError, Templates

CONTEXT: dict[str, Any] = {
    "title": "h1. {html} *x*",
    "none": None,
    "yes": True,
    "names": ["a|b", "c"],
    "links": [{"name": "Graf|ana", "url": "https://grafana.example/{x}"}],
    "section": {"items": "a key of its own", "number": 2},
}
ESCAPED = "h1\u2060. \\{html\\} \\*x\\*"


def wiki(templates: Templates, text: str) -> str:
    return templates.inline(text, CONTEXT, Target.WIKI)


def refused(templates: Templates, text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        wiki(templates, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ title }}", ESCAPED),
        ("*{{ title }}*", f"*{ESCAPED}*"),
        ("{{ '[x]' }}", "\\[x\\]"),
        ("{{ title | raw }}", "h1. {html} *x*"),
        ("{{ title | escape }}", ESCAPED),
        ("{{ title | upper }}", "H1\u2060. \\{HTML\\} \\*X\\*"),
        ("{{ title ~ '!' }}", ESCAPED + "\\!"),
        ("{{ title + '!' }}", ESCAPED + "\\!"),
        ("{{ ('*' | raw) ~ title }}", "*" + ESCAPED),
        ("{{ ('*' | raw) + title }}", "*" + ESCAPED),
        ("{{ names | join(', ') }}", "a\\|b, c"),
        ("{{ names | join('|' | raw) }}", "a\\|b|c"),
        ("{{ names | map('upper') | join }}", "A\\|BC"),
        ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(title) }}", f"[{ESCAPED}]"),
        ("{% set s %}<{{ title }}>{% endset %}{{ s }}", f"<{ESCAPED}>"),
        ("{% filter raw %}{{ title }}{% endfilter %}", ESCAPED),
        ("{% call(x) m() %}{{ title }}{% endcall %}{% macro m() %}{{ caller(1) }}{% endmacro %}", None),
        ("{% block b %}{{ title }}{% endblock %}{{ self.b() }}", ESCAPED * 2),
        ("{{ none }}|{{ yes }}|{{ section.number + 3 }}", "|yes|5"),
        ("{{ missing | default('-') }}", "\\-"),
        ("{{ section.items }}", "a key of its own"),
        ("{{ section['number'] }}{{ names[0] }}{{ title[:2] }}", "2a\\|bh1"),
        ("{{ links[0].name | link(links[0].url) }}", "[Graf/ana|https://grafana.example/%7Bx%7D]"),
        ("{{ 'x' | link('javascript:alert(1)') }}", "x"),
        ("{% for k, v in {'a': 1}.items() %}{{ loop.index }}{{ k }}{{ v }}{% endfor %}", "1a1"),
        ("{% for n in names %}{{ n }}{{ ', ' if not loop.last else '' }}{% endfor %}", "a\\|b, c"),
        ("{% for n in names %}{{ loop.length }}{% endfor %}", "22"),
    ],
)
def test_every_value_is_escaped_once_however_it_comes_to_be_printed(
    templates: Templates, text: str, expected: str | None
) -> None:
    if expected is None:
        refused(templates, text)
    else:
        assert wiki(templates, text) == expected


def test_html_and_plain_text_are_escaped_for_what_they_are(templates: Templates) -> None:
    text = "{{ '<b>' }} {{ 'a & b' | link('https://x.example/?a=\"') }}"
    assert templates.inline(text, {}, Target.HTML) == (
        '&lt;b&gt; <a href="https://x.example/?a=%22">a &amp; b</a>'
    )
    assert templates.inline(text, {}) == "<b> a & b <https://x.example/?a=%22>"


def test_a_field_of_plain_text_is_one_line_that_jira_takes(templates: Templates) -> None:
    value = templates.inline("{{ a }}\n{{ a }}", {"a": "x\x00y" * 200})
    assert len(value) == 255 and "\n" not in value and "\x00" not in value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ titel }}", "`titel` is not a variable of this template; did you mean `title`?"),
        ("{{ section.numbr }}", "there is no `numbr` here; did you mean `number`?"),
        ("{{ names }}", "prints a list or section; loop over it, or use `| join(', ')`"),
        ("{{ title | uper }}", "No filter named 'uper'; did you mean `upper`?"),
        ("{% if %}", "Expected an expression"),
        ("{{ 'a' if false }}", "the inline if-expression on line 1 evaluated to false"),
        ("{% include 'nope.j2' %}", "no such template: nope.j2"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ (title | raw) | cut(3) }}", "this filter takes plain text, not markup"),
        ("{% for c in title %}{% endfor %}", "a loop over a text; loop over a list"),
        ("{% autoescape false %}{{ title }}{% endautoescape %}", "`autoescape` is not supported"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(templates: Templates, text: str, words: str) -> None:
    assert f"<template>:1: {words}" in refused(templates, text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ title.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ section.update({'a': 1}) }}",
        "{{ names.append(1) }}",
        "{{ title.format(1) }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ title.encode() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ cycler }}",
        "{{ namespace(x=1) }}",
        "{{ lipsum() }}",
        "{{ title | attr('x') }}",
        "{{ title | format(1) }}",
        "{{ title | pprint }}",
        "{{ title | tojson }}",
        "{{ loop.__class__ }}",
        "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for i in [1] recursive %}{{ loop([i]) }}{% endfor %}",
    ],
)
def test_what_is_not_listed_is_out_of_reach(templates: Templates, text: str) -> None:
    refused(templates, text)


ENDLESS = {
    "a range": "{% for i in range(100000000) %}x{% endfor %}",
    "loops": "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "loops that print": "{% for i in range(9999) %}{% for j in range(9999) %}{{ i }}{% endfor %}{% endfor %}",
    "filters": "{% for i in range(9999) %}{{ range(9999) | sort | list | sort | list | length }}{% endfor %}",
    "macros": "{% macro f(n) %}{{ f(n - 1) ~ f(n - 1) if n else 'x' }}{% endmacro %}{{ f(200) }}",
    "a macro without end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "static text": "{% for i in range(9999) %}" + "y" * 60_000 + "{% endfor %}",
    "captured text": "{% set x %}{% for i in range(9999) %}" + "y" * 9_000 + "{% endfor %}{% endset %}",
    "multiplication": "{{ 'x' * 1000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 }}",
    "big numbers": "{% set a = 9999999999999999 %}{{ a * a }}",
    "doubling": "{% set a = 'x' * 1 %}",
    "doubled text": "{% set a = 'xxxxxxxx' %}" + "{% set a = a ~ a %}" * 40 + "{{ a | length }}",
    "doubled sum": "{% set a = 'xxxxxxxx' %}" + "{% set a = a + a %}" * 40 + "{{ a | length }}",
    "doubled lists": "{% set a = [1, 2] %}" + "{% set a = a + a %}" * 40 + "{{ a | length }}",
    "doubled joins": "{% set a = 'xxxxxxxx' %}" + "{% set a = [a, a] | join %}" * 40 + "{{ a | length }}",
    "doubled blocks": "{% set a = 'xxxxxxxx' %}"
    + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40
    + "{{ a | length }}",
    "width": "{{ '%999999999d' % 1 }}",
    "centre": "{{ 'x' | center(1000000000) }}",
    "ljust": "{{ 'x'.ljust(1000000000) }}",
}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renderings have less time, so that what only the time limit stops ends soon."""
    monkeypatch.setattr("syncd.config.templates.limits.MOST_SECONDS", 0.2)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_no_template_runs_or_grows_without_end(templates: Templates, text: str) -> None:
    refused(templates, text)


def test_the_limits_are_each_renderings_own(templates: Templates) -> None:
    text = "{% for i in range(5000) %}{{ i }} {% endfor %}"
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: templates.inline(text, {}, Target.WIKI), range(12)))
    assert len(set(results)) == 1 and results[0].endswith("4999 ")


@pytest.mark.usefixtures("hurried")
def test_a_rendering_that_went_too_far_leaves_the_next_one_alone(templates: Templates) -> None:
    refused(templates, ENDLESS["loops"])
    assert wiki(templates, "{{ yes }}") == "yes"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def test_a_file_of_ones_own_goes_before_the_shipped_one_and_the_rest_stays(own: Path) -> None:
    (own / "mine.j2").write_text('{% extends "ticket.j2" %}{% block people %}Mine{% endblock %}')
    templates = Templates(own)
    assert {"mine.j2", "ticket.j2", "qrpay/ticket.j2"} <= set(templates.names())
    templates.check("mine.j2")
    (own / "ticket.j2").write_text("Only {{ title }}")
    assert Templates(own).render("ticket.j2", {"title": "this"}) == "Only this"


def test_an_error_names_the_file_and_line_even_of_an_included_one(own: Path) -> None:
    (own / "outer.j2").write_text("one\n{% include 'inner.j2' %}\n")
    (own / "inner.j2").write_text("one\n\n{{ titel }}\n")
    with pytest.raises(TemplateError) as caught:
        Templates(own).render("outer.j2", CONTEXT)
    assert caught.value.problem.where == f"{own}/inner.j2:3"
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{% endif %}", r"bad\.j2:1: Encountered unknown tag"),
        (b"\xff", "not UTF-8"),
        (b"x" * 70_000, "larger than 65536 characters"),
        (b"{% include 'bad.j2' %}", "calls itself"),
    ],
)
def test_a_file_that_is_no_template_is_named(own: Path, content: bytes, words: str) -> None:
    (own / "bad.j2").write_bytes(content)
    with pytest.raises(TemplateError, match=words):
        Templates(own).render("bad.j2", {})


def test_no_template_is_found_outside_of_its_folder(own: Path) -> None:
    (own.parent / "secret.j2").write_text("secret")
    with pytest.raises(TemplateError, match="no such template"):
        Templates(own).check("../secret.j2")
    with pytest.raises(TemplateError, match=r"did you mean `ticket\.j2`"):
        Templates(own).check("tickets.j2")


def test_what_was_compiled_stays_until_the_templates_are_loaded_anew(own: Path) -> None:
    (own / "a.j2").write_text("old")
    templates = Templates(own)
    assert templates.render("a.j2", {}) == "old"
    (own / "a.j2").write_text("new")
    assert templates.render("a.j2", {}) == "old"
    assert Templates(own).render("a.j2", {}) == "new"


def test_the_target_is_read_from_the_name(own: Path) -> None:
    for name in ("a.j2", "a.html.j2", "a.txt.j2"):
        (own / name).write_text("{{ title }}")
    templates = Templates(own)
    context = {"title": "<b> [x]"}
    assert [templates.render(name, context) for name in ("a.j2", "a.html.j2", "a.txt.j2")] == [
        *("<b> \\[x\\]", "&lt;b&gt; [x]", "<b> [x]"),
    ]


def test_templates_take_plain_data_alone(templates: Templates) -> None:
    with pytest.raises(TypeError, match="plain data, not PosixPath"):
        templates.inline("x", {"path": PosixPath()})  # type: ignore[dict-item] # what is tested


def test_the_readme_names_every_filter() -> None:
    readme = (Path(__file__).parents[2] / "templates" / "README.md").read_text()
    missing = [name for name in all_filters() if f"`{name}`" not in readme and f"`{name}(" not in readme]
    assert missing == []
