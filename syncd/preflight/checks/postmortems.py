"""What is asked for the sake of postmortems: their issue type and screen in Jira, commanders in PagerDuty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.project import ResolvedProject
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, wrong
from syncd.preflight.checks.jira import filled_fields
from syncd.preflight.checks.sight import Sight, place

_FILLED = frozenset(
    {"project", "issuetype", "summary", "description", "labels", "assignee", "reporter", "parent"}
)


def postmortems(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether the project has what postmortems need, and what stands in for what it lacks."""
    if mapping.postmortem.mode is Mode.OFF:
        return
    found, where = sight.resolved(mapping), f"{place(mapping)}, postmortems"
    facts = found.postmortem
    if facts is None:
        wanted = ", ".join(mapping.jira.issue_types.postmortem)
        said = f"the project has none of the issue types {wanted}: no postmortem is made"
        yield wrong("J15", where, said, "name one under jira.issue_types.postmortem", JIRA_ADMIN)
        return
    yield ok("J15", where, f"are of type {facts.type.name}, their review date is {facts.date_field}")
    for name in facts.lacking:
        yield ok(
            "J15", where, f"the project lacks: {name}", "name what it has, or add it in Jira", JIRA_ADMIN
        )
    if found.sub_task is None:
        hint = "action items are issues that are linked to the postmortem"
        yield ok("J15", where, "the project lacks: sub-tasks", hint, JIRA_ADMIN)
    elif mapping.follow_ups.mode is not Mode.OFF:
        screen = sight.screen(found.key, found.sub_task.id)
        yield from _unfilled(where, mapping, found, found.sub_task.name, screen)
    if facts.fields and facts.date_field not in facts.fields:
        said = f"{facts.date_field} is not on the create screen of {facts.type.name}"
        yield ok("J15", where, said, "see that people find it on the edit screen: it says when the review is")
    yield from _unfilled(where, mapping, found, facts.type.name, facts.fields.values())


def _unfilled(
    where: str, mapping: Mapping, found: ResolvedProject, kind: str, screen: Iterable[FieldFacts]
) -> Iterator[Finding]:
    filled = _FILLED | (filled_fields(found, mapping) & {"components"})
    for field in screen:
        if field.demanded and field.id not in filled and _unnamed(mapping, field):
            said = f"the create screen of {kind} requires {field.name} ({field.id}), and nothing fills it"
            yield wrong("J15", where, said, f"add jira.fields.{field.name or field.id} to the mapping")


def _unnamed(mapping: Mapping, field: FieldFacts) -> bool:
    """Whether the mapping says nothing about a field, by its id or its name."""
    named = {name.casefold() for name in mapping.jira.fields}
    return named.isdisjoint({field.id.casefold(), field.name.casefold()})


def commanders(sight: Sight) -> Iterator[Finding]:
    """Whether the schedules of the mappings' commanders are there, each asked for once."""
    for mapping in sight.mappings:
        for name in dict.fromkeys(one.commander for one in mapping.services.values() if one.commander):
            where = f"{mapping.team}, commander {name}"
            found = [one for one in sight.schedules.values() if name in (one.id, one.name)]
            if found:
                yield ok("PD09", where, "is a schedule of PagerDuty")
            else:
                said = "PagerDuty shows our token no schedule of this name or id"
                hint = "name one; without it whoever has the ticket owns the postmortem"
                yield wrong("PD09", where, said, hint)
