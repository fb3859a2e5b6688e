"""Checks for postmortems: their issue type and screen in Jira."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.policy.ticket.field_values import how_to_fill, spec_for
from syncd.preflight.checks.fields import misfits, unfilled
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, wrong
from syncd.preflight.checks.sight import Sight, place


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
        yield from _unfilled(where, sight, mapping, project.sub_task.name, screen)
    if facts.fields and facts.date_field not in facts.fields:
        message = f"{facts.date_field} is not on the create screen of {facts.type.name}"
        hint = "put it on the edit screen, so that people can enter the date of the review"
        yield ok("J15", where, message, hint)
    yield from _unfilled(where, sight, mapping, facts.type.name, facts.fields.values())


def _unfilled(
    where: str, sight: Sight, mapping: Mapping, kind: str, screen: Iterable[FieldFacts]
) -> Iterator[Finding]:
    fields = list(screen)
    for field in unfilled(mapping, sight.resolved(mapping), fields):
        message = f"the create screen of {kind} requires {field.name} ({field.id}), and nothing fills it"
        yield wrong("J15", where, message, how_to_fill([field], fields))
    for field in fields:
        misfit = misfits(sight, mapping, field, spec_for(mapping, field)) if field.demanded else ""
        if misfit:
            yield wrong("J15", where, f"{kind}: {misfit}", "add the value in Jira, or change it")
