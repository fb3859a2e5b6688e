"""Checks for postmortems: their issue type and screen in Jira, the commanders' schedules in PagerDuty."""

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
    """Check that the project has what postmortems need; say what syncd does instead of what it lacks."""
    if mapping.postmortem.mode is Mode.OFF:
        return
    project, where = sight.resolved(mapping), f"{place(mapping)}, postmortems"
    facts = project.postmortem
    if facts is None:
        names = ", ".join(mapping.jira.issue_types.postmortem)
        message = f"the project has none of the issue types {names}, so syncd creates no postmortem"
        yield wrong("J15", where, message, "name one under jira.issue_types.postmortem", JIRA_ADMIN)
        return
    yield ok("J15", where, f"have the type {facts.type.name}; their review date is {facts.date_field}")
    for name in facts.lacking:
        hint = "name an existing one in the mapping, or add it in Jira"
        yield ok("J15", where, f"the project lacks: {name}", hint, JIRA_ADMIN)
    if project.sub_task is None:
        hint = "syncd creates action items as issues and links them to the postmortem"
        yield ok("J15", where, "the project lacks: sub-tasks", hint, JIRA_ADMIN)
    elif mapping.follow_ups.mode is not Mode.OFF:
        screen = sight.screen(project.key, project.sub_task.id)
        yield from _unfilled(where, mapping, project, project.sub_task.name, screen)
    if facts.fields and facts.date_field not in facts.fields:
        message = f"{facts.date_field} is not on the create screen of {facts.type.name}"
        hint = "put it on the edit screen, so that people can enter the date of the review"
        yield ok("J15", where, message, hint)
    yield from _unfilled(where, mapping, project, facts.type.name, facts.fields.values())


def _unfilled(
    where: str, mapping: Mapping, project: ResolvedProject, kind: str, screen: Iterable[FieldFacts]
) -> Iterator[Finding]:
    filled = _FILLED | (filled_fields(project, mapping) & {"components"})
    for field in screen:
        if field.demanded and field.id not in filled and _unnamed(mapping, field):
            message = f"the create screen of {kind} requires {field.name} ({field.id}), and nothing fills it"
            yield wrong("J15", where, message, f"add jira.fields.{field.name or field.id} to the mapping")


def _unnamed(mapping: Mapping, field: FieldFacts) -> bool:
    """Return True if the mapping names a field neither by its id nor by its name."""
    named = {name.casefold() for name in mapping.jira.fields}
    return named.isdisjoint({field.id.casefold(), field.name.casefold()})


def commanders(sight: Sight) -> Iterator[Finding]:
    """Check that PagerDuty has the schedules of the mappings' commanders, each schedule once."""
    for mapping in sight.mappings:
        for name in dict.fromkeys(
            section.commander for section in mapping.services.values() if section.commander
        ):
            where = f"{mapping.team}, commander {name}"
            schedules = [
                section for section in sight.schedules.values() if name in (section.id, section.name)
            ]
            if schedules:
                yield ok("PD09", where, "is a PagerDuty schedule")
            else:
                message = "PagerDuty shows our token no schedule with this name or id"
                hint = "name an existing schedule; without it, the ticket's assignee owns the postmortem"
                yield wrong("PD09", where, message, hint)
