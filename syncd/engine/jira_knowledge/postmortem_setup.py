"""Resolve what a project has for postmortems and action items: the mapping's names as ids, or substitutes.

Nothing here prevents a ticket: if the project lacks something, syncd takes a substitute, and `syncd check`
names the gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import IssueTypeFacts, PostmortemFacts, ProjectFacts
from syncd.domain.ticket import Status
from syncd.policy.postmortem.fulfilment import DUE_DATE

_AN_ID = re.compile(r"customfield_\d+|[a-z]+")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Thing = TypeVar("Thing", bound=_Named)


def by_name(names: Iterable[str], things: Iterable[Thing]) -> list[Thing]:
    """Return the things that are named, in the order of the names, whatever their case.

    Jira shows statuses and types by a localised name; the name before localisation counts as well.
    """
    offered = list(things)
    return [thing for name in names for thing in offered if name.casefold() in _names_of(thing)]


def first_named(names: Iterable[str], things: Iterable[Thing]) -> Thing | None:
    """Return the thing with the first name that any of them has, None where none has one."""
    return next(iter(by_name(names, things)), None)


def _names_of(thing: _Named) -> set[str]:
    return {thing.name.casefold(), str(getattr(thing, "untranslated", None) or thing.name).casefold()}


def postmortem_type(mapping: Mapping, facts: ProjectFacts) -> IssueTypeFacts | None:
    """Return the first of the mapping's types for postmortems that the project has."""
    plain = [issue_type for issue_type in facts.types if not issue_type.subtask]
    return first_named(mapping.jira.issue_types.postmortem, plain)


def sub_task_type(mapping: Mapping, facts: ProjectFacts) -> Reference | None:
    """Return the first of the mapping's sub-task types, else any that the project has."""
    types = [issue_type for issue_type in facts.types if issue_type.subtask]
    chosen = first_named(mapping.jira.issue_types.sub_task, types) or next(iter(types), None)
    return Reference(id=chosen.id, name=chosen.name) if chosen is not None else None


def postmortem_facts(
    mapping: Mapping, facts: ProjectFacts, screen: Iterable[FieldFacts]
) -> PostmortemFacts | None:
    """Return what a project has for postmortems, given their create screen; None without a mapped type."""
    kind = postmortem_type(mapping, facts)
    if kind is None:
        return None
    lacking: list[str] = []
    names = mapping.jira.issue_types.postmortem
    if not by_name(names[:1], [kind]):
        lacking.append(f"issue type {names[0]}: postmortems are of type {kind.name}")
    fields = {field.id: field for field in screen}
    return PostmortemFacts(
        type=Reference(id=kind.id, name=kind.name),
        completed=_completed(mapping, kind, lacking),
        fields=fields,
        date_field=_date_field(mapping, fields, lacking),
        link_type=_link_type(mapping, facts, lacking),
        lacking=tuple(lacking),
    )


def _completed(mapping: Mapping, kind: IssueTypeFacts, lacking: list[str]) -> tuple[Status, ...]:
    mapped = mapping.postmortem.statuses
    completed = by_name(mapped, kind.statuses)
    # a project without the mapped status: any status of category done ends the postmortem
    if not completed:
        completed = [status for status in kind.statuses if status.category == "done"]
        names = ", ".join(status.name for status in completed) or "nothing"
        lacking.append(f"status {', '.join(mapped)} of {kind.name}: {names} counts as completed")
    return tuple(dict.fromkeys(completed))


def _date_field(mapping: Mapping, fields: dict[str, FieldFacts], lacking: list[str]) -> str:
    name = mapping.postmortem.date_field
    for field in fields.values():
        if name in (field.id, field.name):
            return field.id
    # an id needs no look-up: the edit screen may have the field that the create screen lacks
    if _AN_ID.fullmatch(name):
        return name
    lacking.append(f"field {name}: syncd reads the review date from the due date")
    return DUE_DATE


def _link_type(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> str | None:
    names = mapping.postmortem.link_types
    link_type = first_named(names, facts.link_types)
    if link_type is None:
        lacking.append(f"link type {', '.join(names)}: ticket and postmortem name each other in their texts")
        return None
    return link_type.name
