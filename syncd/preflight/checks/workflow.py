"""Check that a ticket can reach the mapped statuses, by the transitions of existing issues.

Jira tells only the transitions out of an issue's present status. Transitions out of a status in which no
issue stands stay unknown; a trial ticket (`--probe`) shows them. These checks write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status, Transition
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.policy.ticket.field_values import how_to_fill, spec_for
from syncd.preflight.checks.fields import misfits
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place

MOST_STATUSES = 20
"""Statuses of a workflow in which syncd looks for an issue, with two requests each."""

PROBE = "run `syncd check --probe` to try it with a ticket"

Seen = dict[str, tuple[Transition, ...]]
"""The transitions out of each status in which an issue stands, by the status's id."""


def workflow(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that transitions reach the statuses, that their screens are filled, and the way back."""
    where, project = place(mapping), sight.resolved(mapping)
    if sight.rights(project.key, ("TRANSITION_ISSUES",))["TRANSITION_ISSUES"] is False:
        message = "our account may not move issues, so Jira shows it no transition"
        yield unknown("J08", where, message, "give our account the right Transition Issues", JIRA_ADMIN)
        return
    statuses = _workflow_statuses(sight, project)
    seen = _look(sight, project, statuses[:MOST_STATUSES])
    if not seen:
        message = f"there is no issue of type {project.incident_type.name} that shows its workflow"
        yield unknown("J08", where, message, PROBE, JIRA_ADMIN)
        return
    yield from reached(where, project, seen, {status.id for status in statuses})
    yield from screens(where, sight, mapping, project, seen)
    yield from way_back(where, project, seen)


def _workflow_statuses(sight: Sight, project: ResolvedProject) -> list[Status]:
    kinds = sight.facts(project.key).types
    every = next((kind.statuses for kind in kinds if kind.id == project.incident_type.id), ())
    mapped = list({status.id: status for status in project.statuses.values()}.values())
    mapped_ids = {status.id for status in mapped}
    return [*mapped, *(status for status in every if status.id not in mapped_ids)]


def _look(sight: Sight, project: ResolvedProject, statuses: list[Status]) -> Seen:
    seen: Seen = {}
    for status in statuses:
        jql = f'project = "{project.key}" AND issuetype = {project.incident_type.id} AND status = {status.id}'
        hits = sight.jira.search(f"{jql} ORDER BY updated DESC", limit=1).hits
        if hits:
            seen[status.id] = sight.jira.transitions(hits[0].id)
    return seen


def reached(where: str, project: ResolvedProject, seen: Seen, every: set[str]) -> Iterator[Finding]:
    """Check that a transition leads to each mapped status; `every` has the ids of the workflow's statuses.

    A status is unreachable for certain only if the transitions out of all other statuses were seen. New
    tickets begin in `triggered`, so no transition has to lead there.
    """
    targets = {way.to.id for ways in seen.values() for way in ways}
    for word in STATUS_WORDS:
        status = project.statuses[word]
        if status.id in targets:
            yield ok("J08", where, f"a transition leads to {status.name} ({word})")
        elif status.id in seen:
            yield ok("J08", where, f"issues stand in {status.name} ({word})")
        elif every - {status.id} <= seen.keys() and word != "triggered":
            message = f"no transition leads to {status.name} ({word})"
            yield wrong("J08", where, message, "name another status, or add a transition", JIRA_ADMIN)
        else:
            message = f"there is no issue that shows how to reach {status.name} ({word})"
            yield unknown("J08", where, message, PROBE, JIRA_ADMIN)


def screens(
    where: str, sight: Sight, mapping: Mapping, project: ResolvedProject, seen: Seen
) -> Iterator[Finding]:
    """Check that something fills the fields that transitions to mapped statuses require."""
    words = {status.id: word for word, status in project.statuses.items()}
    reported: set[tuple[str, str]] = set()
    seen_any = False
    for ways in seen.values():
        for way in ways:
            if way.to.id not in words:
                continue
            seen_any = True
            for message, hint in unfilled(sight, mapping, way, project):
                if (way.name, message) not in reported:
                    reported.add((way.name, message))
                    yield wrong("J09", where, f"{way.name} to {way.to.name} {message}", hint)
    if seen_any and not reported:
        yield ok("J09", where, "syncd fills every field that the seen transitions require")
    elif not seen_any:
        message = "there is no issue that shows a transition to a mapped status"
        yield unknown("J09", where, message, PROBE, JIRA_ADMIN)


def unfilled(
    sight: Sight, mapping: Mapping, way: Transition, project: ResolvedProject
) -> Iterator[tuple[str, str]]:
    """Yield the fields that a transition requires and the mapping does not fill, each with a remedy."""
    for field in way.screen:
        if not field.demanded or field.id in ("summary", "description", "labels", "reporter"):
            continue
        if field.id == "resolution":
            resolutions = field.allowed or project.resolutions
            if way.to.category == "done" and first_named(mapping.jira.resolution, resolutions) is None:
                offered = ", ".join(resolution.name for resolution in resolutions) or "none"
                yield f"requires a resolution (Jira has {offered})", "name one under `jira.resolution`"
        elif spec_for(mapping, field) is not None:
            misfit = misfits(sight, mapping, field, spec_for(mapping, field))
            if misfit:
                yield f"requires {field.name}: {misfit}", "add the value in Jira, or change it"
        # tickets have these four already, from the severity, the service and the responders
        elif field.id not in ("priority", "components", "assignee", "security"):
            message = f"requires {field.name} ({field.id}), and nothing fills it"
            yield message, how_to_fill([field], way.screen)


def way_back(where: str, project: ResolvedProject, seen: Seen) -> Iterator[Finding]:
    """Check that a ticket can leave `closed` when its incident opens again."""
    closed = project.statuses["closed"]
    if closed.id not in seen:
        message = f"no issue stands in {closed.name}, so Jira shows no way back from it"
        yield unknown("J10", where, message, PROBE, JIRA_ADMIN)
        return
    names = {status.id for word, status in project.statuses.items() if word != "closed"}
    names |= {
        status.id
        for word, alternatives in project.instead.items()
        if word != "closed"
        for status in alternatives
    }
    if any(way.to.id in names for way in seen[closed.id]):
        yield ok("J10", where, f"there is a way back from {closed.name}")
    else:
        message = f"no transition leads from {closed.name} back to a mapped status"
        hint = "a ticket stays closed when its incident opens again, and syncd comments on it"
        offered = dict.fromkeys(way.to.name for way in seen[closed.id] if way.to.category != "done")
        if offered:
            also = ", ".join([*dict.fromkeys(status.name for status in _begins(project)), *offered])
            message = f"{message}; Jira offers {', '.join(offered)}"
            hint = f"name it, for example as jira.statuses.triggered: [{also}]; without it, {hint}"
        yield ok("J10", where, message, hint, JIRA_ADMIN)


def _begins(project: ResolvedProject) -> tuple[Status, ...]:
    """Return the project's statuses for `triggered`."""
    return (project.statuses["triggered"], *project.instead.get("triggered", ()))
