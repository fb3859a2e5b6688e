"""What a project has for postmortems and action items: the mapping's names as ids, and their stand-ins.

Nothing here keeps a ticket from being made: what is lacking is replaced as the mapping's lists say, and
`syncd check` names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import IssueTypeFacts, PostmortemFacts, ProjectFacts
from syncd.domain.ticket import Status

_AN_ID = re.compile(r"customfield_\d+|[a-z]+")
DUE_DATE = "duedate"


def _by_name(names: Iterable[str], have: Iterable[IssueTypeFacts | Status]) -> list[IssueTypeFacts | Status]:
    """Those that are named, in the names' order, by their name or their name before localisation."""
    offered = list(have)
    return [
        one
        for name in names
        for one in offered
        if name.casefold() in (one.name.casefold(), (one.untranslated or "").casefold())
    ]


def postmortem_type(mapping: Mapping, facts: ProjectFacts) -> IssueTypeFacts | None:
    """The first of the mapping's types for postmortems that the project has."""
    plain = [one for one in facts.types if not one.subtask]
    found = _by_name(mapping.jira.issue_types.postmortem, plain)
    return next((one for one in found if isinstance(one, IssueTypeFacts)), None)


def sub_task_type(mapping: Mapping, facts: ProjectFacts) -> Reference | None:
    """The first of the mapping's sub-task types, else any that the project has."""
    types = [one for one in facts.types if one.subtask]
    found = [*_by_name(mapping.jira.issue_types.sub_task, types), *types]
    return Reference(id=found[0].id, name=found[0].name) if found else None


def postmortem_facts(
    mapping: Mapping, facts: ProjectFacts, screen: Iterable[FieldFacts]
) -> PostmortemFacts | None:
    """Given a project and the create screen of its postmortems, return what it has for them.

    None where it has none of the mapping's types.
    """
    kind = postmortem_type(mapping, facts)
    if kind is None:
        return None
    lacking: list[str] = []
    wanted = mapping.jira.issue_types.postmortem
    if kind.name.casefold() != wanted[0].casefold() and (kind.untranslated or "") != wanted[0]:
        lacking.append(f"issue type {wanted[0]}: postmortems are of type {kind.name}")
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
    wanted = mapping.postmortem.statuses
    found = [one for one in _by_name(wanted, kind.statuses) if isinstance(one, Status)]
    if not found:
        found = [one for one in kind.statuses if one.category == "done"]
        said = ", ".join(one.name for one in found) or "nothing"
        lacking.append(f"status {', '.join(wanted)} of {kind.name}: {said} counts as completed")
    return tuple(dict.fromkeys(found))


def _date_field(mapping: Mapping, fields: dict[str, FieldFacts], lacking: list[str]) -> str:
    wanted = mapping.postmortem.date_field
    for field in fields.values():
        if wanted in (field.id, field.name):
            return field.id
    # people may enter it on another screen than the one that makes the postmortem
    if _AN_ID.fullmatch(wanted):
        return wanted
    lacking.append(f"field {wanted}: the review date is read from the due date")
    return DUE_DATE


def _link_type(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> str | None:
    there = {one.name.casefold(): one.name for one in facts.link_types}
    wanted = mapping.postmortem.link_types
    found = next((there[name.casefold()] for name in wanted if name.casefold() in there), None)
    if found is None:
        lacking.append(f"link type {', '.join(wanted)}: ticket and postmortem name each other in their texts")
    return found
