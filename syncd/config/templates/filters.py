"""The filters of templates: those of Jinja that stay within the limits, and our own for texts and links."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jinja2 import pass_environment
from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS
from jinja2.runtime import Undefined
from markupsafe import Markup, escape

from syncd.config.templates.limits import Anything
from syncd.config.templates.text_limits import cut
from syncd.domain.text import one_line, wiki_link, wiki_url

if TYPE_CHECKING:
    from syncd.config.templates.sandbox import Sandbox

FROM_JINJA = (
    *("abs", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last"),
    *("length", "list", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr"),
    *("sort", "unique"),
)


def known(value: Anything) -> Anything:
    """Return the value; raise `UndefinedError` with its name if the template does not have it."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


def text_of(value: object) -> str:
    """Return a value as text; raise `TemplateRuntimeError` if it is undefined, a list or a section."""
    if known(value) is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise TemplateRuntimeError("a list or section where a text is needed")
    return str(value)


def _textual(function: Callable[[str], str]) -> Callable[[object], str]:
    """Return a filter on plain text. It refuses markup: changing its letters can break its escapes."""

    def changed(value: object) -> str:
        return function(_plain(value))

    return changed


def _plain(value: object) -> str:
    if isinstance(value, Markup):
        raise TemplateRuntimeError(
            "this filter takes plain text, not markup; put it before the markup filter"
        )
    return text_of(value)


def _cut(value: object, limit: int) -> str:
    return cut(_plain(value), limit)


def _raw(value: object) -> Markup:
    return Markup(text_of(value))  # noqa: S704 - the purpose of this filter: the template trusts this text


@pass_environment
def _escape(sandbox: Sandbox, value: object) -> Markup:
    return sandbox.escaped(value)


@pass_environment
def _join(sandbox: Sandbox, values: Iterable[object], between: str = "") -> str:
    parts: list[object] = []
    for value in known(values):
        parts += [between, value] if parts else [value]
    return sandbox.concatenated(parts)


@pass_environment
def _link(sandbox: Sandbox, label: object, url: object) -> Markup:
    """Return a link with this label; only the label if the URL is not http(s)."""
    shown, target = one_line(text_of(label)), wiki_url(text_of(url))
    # a "javascript:" URL has become empty above
    if sandbox.target == "wiki":
        return Markup(wiki_link(shown, target))  # noqa: S704 - both parts are escaped there
    if not target:
        return sandbox.escaped(shown)
    if sandbox.target == "html":
        return Markup('<a href="{}">{}</a>').format(escape(target), escape(shown or target))
    return sandbox.escaped(f"{shown} <{target}>" if shown else target)


OURS: dict[str, Callable[..., Any]] = {
    "cut": _cut,
    "escape": _escape,
    "join": _join,
    "link": _link,
    "lower": _textual(str.lower),
    "one_line": _textual(one_line),
    "raw": _raw,
    "title": _textual(str.title),
    "trim": _textual(str.strip),
    "upper": _textual(str.upper),
}


def all_filters() -> dict[str, Callable[..., Any]]:
    """Return every filter that a template may use, by name."""
    return {name: FILTERS[name] for name in FROM_JINJA} | OURS
