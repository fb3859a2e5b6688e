"""What a transition's screen wants from us: a resolution on the way to done, and fields of the mapping.

A field that is demanded and that the mapping does not fill may stand on the issue already, where a person
filled it: then Jira takes the transition, so it is asked, and its refusal says which field is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.domain.base import JsonValue, Reference
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.ticket import Issue, Transition
from syncd.engine.act.jira_write.field_values import mapped_value, spec_for
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.policy.case import Rulebook


@dataclass(frozen=True)
class Filled:
    """A way with the values for its screen, and the demanded fields for which there is none."""

    way: Transition
    fields: dict[str, JsonValue]
    missing: tuple[FieldFacts, ...] = ()


def fill(context: EngineContext, way: Transition, issue: Issue, incident: Incident, book: Rulebook) -> Filled:
    """Given a way, return it with what its screen wants, as far as the mapping says it."""
    fields: dict[str, JsonValue] = {}
    missing: list[FieldFacts] = []
    for field in way.screen:
        if field.id == "resolution":
            if not _resolve(way, field, issue, book, fields):
                missing.append(field)
        elif field.demanded:
            spec = spec_for(book, field)
            if spec is not None:
                fields[field.id] = mapped_value(context, spec, field, incident, book)
            elif not _has(issue, field.id):
                missing.append(field)
    return Filled(way, fields, tuple(missing))


def _resolve(
    way: Transition, field: FieldFacts, issue: Issue, book: Rulebook, fields: dict[str, JsonValue]
) -> bool:
    """Set or clear the resolution; return whether what the screen demands is there."""
    if way.to.category != "done":
        if not field.demanded:
            fields["resolution"] = None
        return not field.demanded or issue.resolution is not None
    chosen = _allowed(field, book)
    if chosen is not None:
        fields["resolution"] = {"id": chosen.id}
    return chosen is not None or not field.demanded or issue.resolution is not None


def _allowed(field: FieldFacts, book: Rulebook) -> Reference | None:
    """The first of the mapping's resolutions that the screen allows, or the site where it does not say."""
    by_name = {one.name.casefold(): one for one in field.allowed or book.project.resolutions}
    wanted = (by_name.get(name.casefold()) for name in book.mapping.jira.resolution)
    return next((one for one in wanted if one is not None), None)


def _has(issue: Issue, field_id: str) -> bool:
    """Whether the issue, as it was read, holds a value in one of the fields that are always read."""
    shown = {
        "summary": issue.summary,
        "priority": issue.priority,
        "assignee": issue.assignee,
        "components": issue.components,
        "labels": issue.labels,
        "duedate": issue.due_date,
        "security": issue.security_level,
    }
    return bool(shown.get(field_id) or issue.fields.get(field_id))


def with_resolution(filled: Filled, book: Rulebook) -> Filled:
    """The same; raises `CannotRender` where a resolution is demanded and none of the mapping's allowed.

    Before the ticket is closed nobody has filled it in, so Jira need not be asked.
    """
    field = next((one for one in filled.missing if one.id == "resolution"), None)
    if field is not None:
        wanted = ", ".join(book.mapping.jira.resolution)
        allowed = ", ".join(one.name for one in field.allowed or book.project.resolutions) or "none"
        raise CannotRender(
            f"{filled.way.name} wants a resolution, and Jira has none of {wanted} (it has {allowed}):"
            " name one under jira.resolution"
        )
    return filled
