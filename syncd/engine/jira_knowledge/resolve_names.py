"""Resolve the names of a mapping to the ids of its Jira project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.project import IssueTypeFacts, ProjectFacts, ResolvedProject
from syncd.domain.ticket import Status
from syncd.engine.jira_knowledge.postmortem_setup import (
    by_name,
    first_named,
    postmortem_facts,
    postmortem_type,
    sub_task_type,
)
from syncd.policy.ticket.field_values import field_named


class MappingMismatch(Exception):
    """The project lacks something that a mapping needs; `problems` names each gap."""

    def __init__(self, team: str, problems: Iterable[str]) -> None:
        self.team = team
        self.problems = tuple(problems)
        super().__init__(f"{team}: " + "; ".join(self.problems))

    @classmethod
    def of_all(cls, errors: Sequence[MappingMismatch]) -> MappingMismatch:
        """Return one error for several teams."""
        if len(errors) == 1:
            return errors[0]
        problems = [f"{error.team}: {problem}" for error in errors for problem in error.problems]
        return cls("no team can run", problems)


class MappingUnusable(MappingMismatch):
    """The file of a mapping cannot be used: its rules are not known, so nothing is decided or sent."""


def resolve(
    mapping: Mapping,
    facts: ProjectFacts,
    fields: Iterable[FieldFacts],
    resolutions: Iterable[Reference],
    levels: Iterable[Reference] = (),
    postmortem_screen: Iterable[FieldFacts] = (),
) -> ResolvedProject:
    """Return the project with a mapping's names as ids; raise `MappingMismatch` with all gaps at once.

    Optional parts that the project lacks (a component, a priority, a further field) stand in `lacking`. A
    field that the create screen does not show counts as lacking, whatever the site has; without `fields`
    nothing is judged so. `levels` are the security levels that our account may set, `postmortem_screen` the
    fields of the create screen of postmortems.
    """
    kind = incident_type(mapping, facts)
    lacking: list[str] = []
    screen = {field.id: field for field in fields}
    shown = on_screen(facts, screen)
    statuses = _statuses(mapping, kind)
    return ResolvedProject(
        id=facts.id,
        key=facts.key,
        kind=facts.kind,
        incident_type=Reference(id=kind.id, name=kind.name),
        statuses=statuses,
        instead=_instead(mapping, kind, statuses),
        path=_path(mapping, kind),
        priorities=_priorities(mapping, shown, lacking),
        components=_components(mapping, shown, lacking),
        fields=_fields(mapping, screen, lacking),
        resolutions=tuple(resolutions),
        link_types=facts.link_types,
        security={level.name: level.id for level in levels},
        postmortem=postmortem_facts(mapping, facts, postmortem_screen),
        sub_task=sub_task_type(mapping, facts),
        lacking=tuple(sorted(lacking)),
    )


def on_screen(facts: ProjectFacts, screen: dict[str, FieldFacts]) -> ProjectFacts:
    """Return the facts with only the components and priorities that the create screen (by id) takes.

    A project with a priority scheme takes few of the site's priorities, a team-managed one none.
    """
    if not screen:
        return facts
    offered: dict[str, tuple[Reference, ...]] = {}
    for ident, name in (("components", "components"), ("priority", "priorities")):
        field = screen.get(ident)
        if field is None:
            offered[name] = ()
        elif field.allowed:
            offered[name] = field.allowed
    return facts.model_copy(update=offered)


def incident_type(mapping: Mapping, facts: ProjectFacts) -> IssueTypeFacts:
    """Return the first of the mapping's types for tickets that the project has; raise `MappingMismatch`."""
    names = mapping.jira.issue_types.incident
    kind = first_named(names, (issue_type for issue_type in facts.types if not issue_type.subtask))
    if kind is not None:
        return kind
    have = ", ".join(issue_type.name for issue_type in facts.types) or "none that our account sees"
    raise MappingMismatch(
        mapping.team, [f"project {facts.key} has none of the issue types {', '.join(names)} (it has {have})"]
    )


def _statuses(mapping: Mapping, kind: IssueTypeFacts) -> dict[str, Status]:
    problems = []
    statuses: dict[str, Status] = {}
    for word in STATUS_WORDS:
        status = first_named(mapping.jira.statuses.names(word), kind.statuses)
        if status is not None:
            statuses[word] = status
        else:
            names = ", ".join(mapping.jira.statuses.names(word))
            have = ", ".join(status.name for status in kind.statuses)
            problems.append(f"no status for {word}: {kind.name} has {have}, the mapping wants {names}")
    if problems:
        raise MappingMismatch(mapping.team, problems)
    return statuses


def _instead(
    mapping: Mapping, kind: IssueTypeFacts, statuses: dict[str, Status]
) -> dict[str, tuple[Status, ...]]:
    """Return for each word the statuses that the mapping names after the first that the project has."""
    instead = {}
    for word, chosen in statuses.items():
        named = by_name(mapping.jira.statuses.names(word), kind.statuses)
        instead[word] = tuple(dict.fromkeys(status for status in named if status.id != chosen.id))
    return instead


def _path(mapping: Mapping, kind: IssueTypeFacts) -> dict[str, tuple[Status, ...]]:
    problems = []
    path: dict[str, tuple[Status, ...]] = {}
    for word in STATUS_WORDS:
        steps = []
        for name in mapping.jira.path.names(word):
            status = first_named([name], kind.statuses)
            if status is not None:
                steps.append(status)
            else:
                have = ", ".join(status.name for status in kind.statuses)
                problems.append(f"no status {name}, which jira.path.{word} names: {kind.name} has {have}")
        path[word] = tuple(steps)
    if problems:
        raise MappingMismatch(mapping.team, problems)
    return path


def _priorities(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> dict[str, Reference]:
    priorities = {}
    for name, section in mapping.severities.items():
        priority = first_named(section.priority, facts.priorities)
        if priority is not None:
            priorities[name] = priority
        elif section.priority:
            offered = ", ".join(priority.name for priority in facts.priorities) or "none"
            lacking.append(f"priority of {name}: {', '.join(section.priority)} (it offers {offered})")
    return priorities


def _components(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> dict[str, Reference]:
    components = {}
    for name in sorted({section.component for section in mapping.services.values() if section.component}):
        component = first_named([name], facts.components)
        if component is not None:
            components[name] = component
        else:
            lacking.append(f"component {name}")
    return components


def _fields(mapping: Mapping, screen: dict[str, FieldFacts], lacking: list[str]) -> dict[str, FieldFacts]:
    fields = dict(screen)
    for name in mapping.jira.fields:
        field = field_named(name, screen.values())
        if field is not None:
            fields[name] = field
        else:
            lacking.append(f"field {name}")
    return fields


def postmortem_screen(
    screen_of: Callable[[str, str], tuple[FieldFacts, ...]],
    mapping: Mapping,
    facts: ProjectFacts,
    screen: tuple[FieldFacts, ...],
) -> tuple[FieldFacts, ...]:
    """Return the create screen of postmortems; ask (`screen_of`) only if it differs from the ticket's."""
    kind = postmortem_type(mapping, facts)
    if kind is None or mapping.postmortem.mode is Mode.OFF:
        return ()
    same = kind.id == incident_type(mapping, facts).id
    return screen if same else screen_of(facts.key, kind.id)
