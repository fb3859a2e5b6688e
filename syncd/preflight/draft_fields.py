"""What a first mapping gives the fields that a create screen demands and nothing else fills.

A field that takes the names of the severities gets those, a list its first choice, a text the incident's
title. Each is told as an assumption. What cannot be guessed (a person, a date, a number) is named as open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.config.mapping.starter import FirstField
from syncd.domain.field import FieldFacts

OURS = frozenset(
    {"project", "issuetype", "summary", "description", "labels", "reporter", "priority", "components"}
)
"""What every ticket has anyway, or gets from its service and severity."""
_CHOSEN = ("option", "version", "resolution", "array:option", "array:version", "array:string")
_TITLE = "{{ incident.title }}"


def demanded_fields(
    screen: Iterable[FieldFacts], severities: Sequence[str]
) -> tuple[tuple[FirstField, ...], tuple[str, ...], tuple[str, ...]]:
    """The fields to fill, what was assumed of them, and what is left open with what to do."""
    fields = list(screen)
    names = [one.name for one in fields]
    found, assumed, open_ = [], [], []
    for field in fields:
        if not field.demanded or field.id in OURS:
            continue
        filled = _filled(field, severities)
        if filled is None:
            key = "people.fallback" if field.id == "assignee" else f"jira.fields.{field.name or field.id}"
            open_.append(
                f"the create screen demands {field.name or field.id}, and only you can say it: {key}"
            )
            continue
        # a name that two fields share means neither
        key = field.name if field.name and names.count(field.name) == 1 else field.id
        found.append(filled.model_copy(update={"name": key}))
        assumed.append(f"{field.name or field.id}, which the create screen demands, is {_told(filled)}")
    return tuple(found), tuple(assumed), tuple(open_)


def _filled(field: FieldFacts, severities: Sequence[str]) -> FirstField | None:
    offered = {one.name for one in field.allowed}
    if field.type in ("option", "string") and severities and offered.issuperset(severities):
        return FirstField(name=field.id, severity=True)
    if field.allowed:
        return FirstField(name=field.id, value=field.allowed[0].name) if field.type in _CHOSEN else None
    return FirstField(name=field.id, template=_TITLE) if field.type == "string" else None


def _told(field: FirstField) -> str:
    if field.severity:
        return "the severity"
    return f"always {field.value}" if field.value is not None else "the incident's title"
