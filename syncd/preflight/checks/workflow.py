"""Whether a ticket can get where the mapping wants it: judged by the transitions of issues that are there.

Jira tells only the ways out of an issue's present status, so what stands in no status of the workflow
cannot be seen: then it is not known, and a trial ticket (`--probe`) would tell. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status, Transition
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place

MOST_STATUSES = 20
"""Statuses of one workflow for which an issue is looked for, two requests each."""

Seen = dict[str, tuple[Transition, ...]]
"""What Jira offered from each status in which an issue was found, by the status's id."""


def workflow(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether its statuses are reached, what its screens demand, whether there is a way back."""
    where, found = place(mapping), sight.resolved(mapping)
    if sight.rights(found.key, ("TRANSITION_ISSUES",))["TRANSITION_ISSUES"] is False:
        said = "without the right to move issues, no transition is shown to our account"
        yield unknown("J08", where, said, "ask for Transition Issues", JIRA_ADMIN)
        return
    statuses = _workflow_statuses(sight, found)
    seen = _look(sight, found, statuses[:MOST_STATUSES])
    if not seen:
        said = f"no issue of type {found.incident_type.name} shows how its workflow goes"
        yield unknown("J08", where, said, "`syncd check --probe` tries it with a ticket", JIRA_ADMIN)
        return
    yield from reached(where, found, seen, {one.id for one in statuses})
    yield from screens(where, mapping, found, seen)
    yield from way_back(where, found, seen)


def _workflow_statuses(sight: Sight, found: ResolvedProject) -> list[Status]:
    kinds = sight.facts(found.key).types
    every = next((kind.statuses for kind in kinds if kind.id == found.incident_type.id), ())
    mapped = list({one.id: one for one in found.statuses.values()}.values())
    known = {one.id for one in mapped}
    return [*mapped, *(one for one in every if one.id not in known)]


def _look(sight: Sight, found: ResolvedProject, statuses: list[Status]) -> Seen:
    seen: Seen = {}
    for status in statuses:
        jql = f'project = "{found.key}" AND issuetype = {found.incident_type.id} AND status = {status.id}'
        hits = sight.jira.search(f"{jql} ORDER BY updated DESC", limit=1).hits
        if hits:
            seen[status.id] = sight.jira.transitions(hits[0].id)
    return seen


def reached(where: str, found: ResolvedProject, seen: Seen, every: set[str]) -> Iterator[Finding]:
    """Whether some transition leads to each mapped status.

    Only where the ways out of all others of `every` status of the workflow were seen is it known that none
    does. New tickets begin in `triggered`, so nothing has to lead there.
    """
    targets = {way.to.id for ways in seen.values() for way in ways}
    for word in STATUS_WORDS:
        status = found.statuses[word]
        if status.id in targets:
            yield ok("J08", where, f"a transition leads to {status.name} ({word})")
        elif status.id in seen:
            yield ok("J08", where, f"issues stand in {status.name} ({word})")
        elif every - {status.id} <= seen.keys() and word != "triggered":
            said = f"no transition leads to {status.name} ({word})"
            yield wrong("J08", where, said, "take another status, or add a transition", JIRA_ADMIN)
        else:
            said = f"no issue was found that shows how to get to {status.name} ({word})"
            yield unknown("J08", where, said, "`syncd check --probe` tries it with a ticket", JIRA_ADMIN)


def screens(where: str, mapping: Mapping, found: ResolvedProject, seen: Seen) -> Iterator[Finding]:
    """Whether something fills what the screens of the transitions to mapped statuses demand."""
    wanted = {status.id: word for word, status in found.statuses.items()}
    told: set[tuple[str, str]] = set()
    looked = False
    for ways in seen.values():
        for way in ways:
            if way.to.id not in wanted:
                continue
            looked = True
            for said, hint in unfilled(mapping, way, found):
                if (way.name, said) not in told:
                    told.add((way.name, said))
                    yield wrong("J09", where, f"{way.name} to {way.to.name} {said}", hint)
    if looked and not told:
        yield ok("J09", where, "the transitions that were seen demand nothing that nobody fills")
    elif not looked:
        hint = "`syncd check --probe` tries it with a ticket"
        yield unknown("J09", where, "no transition to a mapped status was seen", hint, JIRA_ADMIN)


def unfilled(mapping: Mapping, way: Transition, found: ResolvedProject) -> Iterator[tuple[str, str]]:
    """What a transition's screen demands and the mapping does not fill, each with what would."""
    given = {name.casefold() for name in mapping.jira.fields}
    always = {"summary", "description", "labels", "reporter"}
    for field in way.screen:
        if not field.demanded or field.id in always or {field.id, field.name.casefold()} & given:
            continue
        if field.id == "resolution":
            have = field.allowed or found.resolutions
            if way.to.category == "done" and first_named(mapping.jira.resolution, have) is None:
                offered = ", ".join(one.name for one in have) or "none"
                yield f"demands a resolution (it has {offered})", "name one under `jira.resolution`"
        elif field.id not in ("priority", "components", "assignee", "security"):
            key = f"jira.fields.{field.name or field.id}"
            yield f"demands {field.name} ({field.id}), and nothing fills it", f"add {key} to the mapping"


def way_back(where: str, found: ResolvedProject, seen: Seen) -> Iterator[Finding]:
    """Whether a ticket can come back from `closed` when its incident opens again."""
    closed = found.statuses["closed"]
    if closed.id not in seen:
        said = f"no issue stands in {closed.name}, so its ways back are not shown"
        yield unknown("J10", where, said, "`syncd check --probe` tries it with a ticket", JIRA_ADMIN)
        return
    names = {status.id for word, status in found.statuses.items() if word != "closed"}
    names |= {one.id for word, some in found.instead.items() if word != "closed" for one in some}
    if any(way.to.id in names for way in seen[closed.id]):
        yield ok("J10", where, f"there is a way back from {closed.name}")
    else:
        said = f"no transition leads from {closed.name} back to a mapped status"
        hint = "a ticket whose incident opens again stays closed, with a comment"
        offered = dict.fromkeys(way.to.name for way in seen[closed.id] if way.to.category != "done")
        if offered:
            also = ", ".join([*dict.fromkeys(one.name for one in _begins(found)), *offered])
            said = f"{said}; Jira offers {', '.join(offered)}"
            hint = f"name it, as in jira.statuses.triggered: [{also}]; without it {hint}"
        yield ok("J10", where, said, hint, JIRA_ADMIN)


def _begins(found: ResolvedProject) -> tuple[Status, ...]:
    """The statuses for `triggered`, as far as the project has them."""
    return (found.statuses["triggered"], *found.instead.get("triggered", ()))
