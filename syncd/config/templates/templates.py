"""Find templates by name, compile each once, and render it from plain data within limits.

A template's name decides its target: `.html.j2` is HTML, `.txt.j2` is plain text, any other `.j2` is Jira's
wiki markup. The operator's folder goes before the shipped one, file by file. A compiled template stays
unchanged until somebody makes a new `Templates`, so that a reload is all or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import FileSystemLoader, Template
from jinja2.environment import Environment
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

from syncd.config.problems import ConfigError, Place, Problem, did_you_mean
from syncd.config.shipped import shipped
from syncd.config.templates.filters import all_filters
from syncd.config.templates.limits import LimitReached, limited
from syncd.config.templates.sandbox import Sandbox, Target
from syncd.config.templates.text_limits import summary_line
from syncd.domain.base import JsonValue

LARGEST_TEMPLATE = 65_536
"""Characters."""

_INLINE = "<template>"
_MOST_INLINE = 512


class TemplateError(ConfigError):
    """A template is unusable; `problem` says which one, where, what is wrong and how to fix it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__([problem])
        self.problem = problem


def target_of(name: str) -> Target:
    """Return the target of a template, by its name."""
    if name.endswith(".html.j2"):
        return Target.HTML
    return Target.TEXT if name.endswith(".txt.j2") else Target.WIKI


class Templates:
    """The templates of a folder, then the shipped ones. Several threads may use it at once."""

    def __init__(self, folder: Path | None = None) -> None:
        folders = [folder] if folder is not None else []
        self.folders = (*folders, shipped("templates"))
        loader = _Loader(self.folders)
        self._sandboxes = {target: Sandbox(target, loader, all_filters()) for target in Target}
        self._inline: dict[tuple[Target, str], Template] = {}

    def names(self) -> list[str]:
        """Return the names of all templates."""
        names = {str(path.relative_to(folder)) for folder in self.folders for path in folder.rglob("*.j2")}
        return sorted(names)

    def check(self, name: str) -> None:
        """Compile a template; raise `TemplateError` if it is missing or wrong."""
        self._named(name)

    def render(self, name: str, context: Mapping[str, JsonValue]) -> str:
        """Return the text of a template, rendered from plain data; raise `TemplateError`."""
        return self._render(self._named(name), context, name)

    def inline(self, text: str, context: Mapping[str, JsonValue], target: Target = Target.TEXT) -> str:
        """Return the value of a field, rendered from the template text that a mapping holds.

        Plain text (the default) is one line of at most 255 UTF-16 units, which every text field of Jira
        accepts. Raise `TemplateError`.
        """
        compiled = self._inline.get((target, text))
        if compiled is None:
            try:
                compiled = self._sandboxes[target].from_string(text)
            except TemplateSyntaxError as error:
                raise TemplateError(_syntax(error, _INLINE)) from None

            if len(self._inline) >= _MOST_INLINE:
                self._inline.clear()
            self._inline[target, text] = compiled
        rendered = self._render(compiled, context, _INLINE)
        return summary_line(rendered) if target is Target.TEXT else rendered

    def _named(self, name: str) -> Template:
        try:
            return self._sandboxes[target_of(name)].get_template(name)
        except TemplateNotFound as error:
            hint = did_you_mean(name, self.names()) or "the templates are " + ", ".join(self.names())
            if error.name != name:
                name, hint = (
                    f"{name}, which includes {error.name}",
                    did_you_mean(str(error.name), self.names()),
                )
            raise TemplateError(Problem(name, "", "no such template", hint)) from None
        except TemplateSyntaxError as error:
            raise TemplateError(_syntax(error, error.filename or name)) from None
        except OSError as error:
            raise TemplateError(Problem(name, "", error.strerror or "cannot be read")) from None
        except (UnicodeDecodeError, _TooLarge) as error:
            message = str(error) if isinstance(error, _TooLarge) else "not UTF-8"
            raise TemplateError(Problem(name, "", message)) from None

    def _render(self, template: Template, context: Mapping[str, JsonValue], name: str) -> str:
        data = _plain_section(context)
        try:
            with limited():
                return template.render(data)
        except TemplateError:
            raise
        # a template can fail with any exception of Python; each is a problem of the template
        except Exception as error:  # noqa: BLE001 - see above
            raise TemplateError(_problem(error, name, data)) from None


class _TooLarge(Exception):
    """A template is larger than `LARGEST_TEMPLATE`."""


class _Loader(FileSystemLoader):
    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Any]:
        source, filename, current = super().get_source(environment, template)
        if len(source) > LARGEST_TEMPLATE:
            raise _TooLarge(f"larger than {LARGEST_TEMPLATE} characters")
        return source, filename, current


def _plain_section(data: Mapping[str, JsonValue]) -> dict[str, Any]:
    return {str(key): _plain(value) for key, value in data.items()}


def _plain(value: object) -> Any:
    """Return a copy of plain dicts, lists, texts and numbers, without subclasses that have methods."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, Mapping):
        return _plain_section(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    raise TypeError(f"templates take plain data, not {type(value).__name__}")


def _syntax(error: TemplateSyntaxError, where: str) -> Problem:
    place = Place(where, error.lineno)
    filter_name = re.search(r"No filter named '([^']+)'", error.message or "")
    hint = did_you_mean(filter_name[1], all_filters()) if filter_name else ""
    return Problem(
        str(place), "", (error.message or "not a template").rstrip("."), hint or "see templates/README.md"
    )


def _problem(error: Exception, name: str, data: dict[str, Any]) -> Problem:
    """Return the problem of a rendering, with the template and its line."""
    place = _place(error.__traceback__) or Place(name)
    message, _, hint = str(error).partition("; ")
    unknown_name = re.match(r"`(\w+)` is not a variable", message)
    if unknown_name:
        hint = did_you_mean(unknown_name[1], data) or "it has " + ", ".join(data)
    elif isinstance(error, LimitReached):
        hint = "loop over less; see templates/README.md for the limits"
    elif isinstance(error, TemplateSyntaxError):
        return _syntax(error, error.filename or name)
    elif isinstance(error, TemplateNotFound):
        message, hint = f"no such template: {error.name}", "name a file of the templates' folder"
    elif isinstance(error, RecursionError):
        message, hint = "a macro or template calls itself without end", "add a condition that ends it"
    elif not isinstance(error, JinjaError):
        message = f"{type(error).__name__}: {message}"
    return Problem(str(place), "", message[:300], hint[:300] or "see templates/README.md")


def _place(trace: TracebackType | None) -> Place | None:
    """Return the innermost place in a template of a traceback."""
    place = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == _INLINE or file.endswith(".j2"):
            place = Place(file, trace.tb_lineno)
        trace = trace.tb_next
    return place


__all__ = ["Target", "TemplateError", "Templates", "target_of"]
