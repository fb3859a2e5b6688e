"""Turn the values that a mapping gives to Jira's fields into the form that each type of field takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.mapping.jira_section import FieldValue
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.policy.case import Rulebook
from syncd.policy.severity import decide_severity
from syncd.policy.ticket.fields import severity_value

_KEYS = {
    "option": "value",
    "priority": "name",
    "version": "name",
    "component": "name",
    "resolution": "name",
    "group": "name",
}
"""The key under which Jira takes a plain text, by type of field; other types take the text itself."""


def spec_for(book: Rulebook, field: FieldFacts) -> FieldValue | None:
    """Return the mapping's value of a field, by the field's id or name, None where it gives none."""
    named = {name.casefold(): spec for name, spec in book.mapping.jira.fields.items()}
    return named.get(field.id.casefold()) or named.get(field.name.casefold())


def mapped_value(
    context: EngineContext, spec: FieldValue, field: FieldFacts, incident: Incident, book: Rulebook
) -> JsonValue:
    """Return the mapping's value of a field; raise `CannotRender` where the type refuses it."""
    if spec.severity:
        return severity_value(decide_severity(incident, book.mapping, book.section).name, field.type)
    if spec.template is not None:
        return typed_value(context.renderer.inline(spec.template, incident, book), field.type)
    return typed_value(spec.value, field.type)


def demanded_values(
    context: EngineContext, screen: Iterable[FieldFacts], incident: Incident, book: Rulebook
) -> dict[str, JsonValue]:
    """Return the fields that a create screen demands of postmortems and action items.

    The values come from the mapping and the service; a field that neither gives is left out.
    """
    values: dict[str, JsonValue] = {}
    for field in screen:
        if not field.demanded:
            continue
        spec = spec_for(book, field)
        if spec is not None:
            values[field.id] = mapped_value(context, spec, field, incident, book)
        elif field.id == "components" and book.section.component in book.project.components:
            values[field.id] = [{"id": book.project.components[book.section.component].id}]
    return values


def typed_value(value: JsonValue, field_type: str) -> JsonValue:
    """Return a plain value as a field of this type takes it; a structured value stays as it is.

    Raise `CannotRender` where the field takes a number and the value is none.
    """
    if isinstance(value, dict | None):
        return value
    outer, _, inner = field_type.partition(":")
    if outer == "array":
        return [_typed(item, inner) for item in (value if isinstance(value, list) else [value])]
    return _typed(value, field_type)


def _typed(value: JsonValue, field_type: str) -> JsonValue:
    if isinstance(value, dict):
        return value
    if field_type in _KEYS:
        return {_KEYS[field_type]: str(value)}
    if field_type == "number" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise CannotRender(f"{value!r} is no number, but the field takes only numbers") from None
    return value


def key_to_add(fields: Sequence[FieldFacts]) -> str:
    """Return the words that tell people which keys of the mapping would fill these fields."""
    named = [f"{field.name or field.id} ({field.id})" for field in fields]
    keys = [f"jira.fields.{field.name or field.id}" for field in fields]
    return f"nothing fills {', '.join(named)}: add {' and '.join(keys)} to the mapping" if named else ""
