"""Check the fields of screens: something fills what a screen requires, and each value fits its field.

The values are made by the same function as for a write (`policy.ticket.field_values`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import FieldValue
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.engine.act.jira_write.field_values import NOBODY
from syncd.policy.ticket.field_values import Unfit, fit, how_to_fill, spec_for
from syncd.preflight.checks.finding import Finding, ok, wrong
from syncd.preflight.checks.sight import Sight, place

_EVERY_ISSUE = frozenset({"project", "issuetype", "summary", "description", "labels", "parent"})
"""Fields that syncd fills in every issue that it creates."""
REPORTER = "reporter"


def create_screen(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that something fills each field that the create screen requires."""
    resolved, where = sight.resolved(mapping), place(mapping)
    screen = _screen(resolved)
    empty = list(unfilled(mapping, resolved, screen))
    for field in empty:
        message = f"the create screen requires {field.name} ({field.id}), and nothing always fills it"
        yield wrong("J07", where, message, how_to_fill([field], screen))
    if not empty:
        yield ok(
            "J07",
            where,
            "syncd fills every field that the create screen requires",
            _reporter(mapping, screen),
        )


def _reporter(mapping: Mapping, screen: list[FieldFacts]) -> str:
    """Return a hint if Jira may demand a reporter: most sites enter our account by themselves."""
    field = next((field for field in screen if field.id == REPORTER and field.demanded), None)
    if field is None or spec_for(mapping, field) is not None:
        return ""
    fill = how_to_fill([field], screen)
    return f"Jira enters our account as reporter; if it says that a reporter is required, {fill}"


def _screen(resolved: ResolvedProject) -> list[FieldFacts]:
    # the project holds a field under its id and under its name
    return list({field.id: field for field in resolved.fields.values()}.values())


def unfilled(
    mapping: Mapping, resolved: ResolvedProject, screen: Iterable[FieldFacts]
) -> Iterator[FieldFacts]:
    """Yield the fields that a create screen requires and nothing fills in every issue."""
    filled = set(_EVERY_ISSUE) | {REPORTER}
    # only a field that every issue fills satisfies a screen that requires it
    if set(mapping.severities) == set(resolved.priorities):
        filled.add("priority")
    if all(service.component in resolved.components for service in mapping.services.values()):
        filled.add("components")
    if mapping.people.fallback:
        filled.add("assignee")
    for field in screen:
        if field.demanded and field.id not in filled and spec_for(mapping, field) is None:
            yield field


def values(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that the fields accept the mapping's values, and that no two keys fill the same field."""
    resolved, where = sight.resolved(mapping), place(mapping)
    keys: dict[str, list[str]] = {}
    for name, spec in mapping.jira.fields.items():
        field = resolved.fields.get(name)
        if field is None:
            continue
        keys.setdefault(field.id, []).append(name)
        misfit = misfits(sight, mapping, field, spec)
        if misfit:
            yield wrong("J13", f"{where}, jira.fields.{name}", misfit, "add the value in Jira, or change it")
        else:
            yield ok("J13", f"{where}, jira.fields.{name}", f"fills {field.name}")
    for ident, names in keys.items():
        if len(names) > 1:
            message = f"{' and '.join(names)} are the same field ({ident})"
            yield wrong("J13", f"{where}, jira.fields", message, "remove one of these keys")


def misfits(sight: Sight, mapping: Mapping, field: FieldFacts, spec: FieldValue | None) -> str:
    """Return which values that syncd will surely send a field does not take, empty if it takes all."""
    if spec is None:
        return ""
    # what a template gives is not known before there is an incident
    given: list[JsonValue] = [*mapping.severities] if spec.severity else []
    given += [spec.value] if spec.value is not None else []
    errors = []
    for value in given:
        try:
            fit(value, field, partial(person, sight, mapping))
        except Unfit as error:
            errors.append(error)
    if not errors:
        return ""
    refused = ", ".join(str(error.value) for error in errors)
    return f"{field.name} does not take {refused} ({errors[0].takes})"


def person(sight: Sight, mapping: Mapping, words: str) -> JsonValue:
    """Return the value of a person field; raise `Unfit` where the words mean nobody."""
    account = sight.user(mapping.people.aliases.get(words, words))
    if account is None:
        raise Unfit(words, NOBODY)
    return sight.resolved(mapping).person(account.id)
