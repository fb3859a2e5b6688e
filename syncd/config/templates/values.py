"""How values become text in a template."""

from __future__ import annotations

from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Undefined

from syncd.config.templates.limits import Anything


def known(value: Anything) -> Anything:
    """Return the value; raises `UndefinedError` with the name if it is one that is not there."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


def text_of(value: object) -> str:
    """A value as text; raises for one that is unknown, or that is no text."""
    if known(value) is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise TemplateRuntimeError("a list or section stands where a text belongs")
    return str(value)
