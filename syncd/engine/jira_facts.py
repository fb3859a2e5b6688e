"""What was learned of Jira: projects with names turned into ids, and the ways between statuses.

Everything here is a cache with an expiry, forgotten at once when a write contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from loguru import logger

from syncd.domain.base import Reference
from syncd.domain.clock import Clock
from syncd.domain.mapping import STATUS_WORDS, Mapping, Mode
from syncd.domain.project import FieldFacts, IssueTypeFacts, ProjectFacts, ResolvedProject
from syncd.domain.ticket import Status, Transition
from syncd.engine.paper_facts import postmortem_facts, postmortem_type, sub_task_type
from syncd.remote.errors import Cause, RemoteError
from syncd.remote.ports import Jira

KEPT_SECONDS = 3600.0
"""How long what was learned is believed."""

ADMINISTERS = ("ADMINISTER_PROJECTS", "ADMINISTER")
"""The rights of which one is needed to edit without Jira's mails to watchers."""


class MappingDoesNotFit(Exception):
    """The project lacks something that a mapping cannot do without; `problems` says what."""

    def __init__(self, team: str, problems: Iterable[str]) -> None:
        self.team = team
        self.problems = tuple(problems)
        super().__init__(f"{team}: " + "; ".join(self.problems))


def _named(wanted: Iterable[str], have: Iterable[Status | IssueTypeFacts]) -> Status | IssueTypeFacts | None:
    """The first wanted name that stands among those, by its name or its name before localisation."""
    offered = list(have)
    for name in wanted:
        for one in offered:
            if name.casefold() in (one.name.casefold(), (one.untranslated or "").casefold()):
                return one
    return None


def _reference(wanted: Iterable[str], have: Iterable[Reference]) -> Reference | None:
    by_name = {one.name.casefold(): one for one in have}
    return next((by_name[name.casefold()] for name in wanted if name.casefold() in by_name), None)


def resolve(
    mapping: Mapping,
    facts: ProjectFacts,
    fields: Iterable[FieldFacts],
    resolutions: Iterable[Reference],
    levels: Iterable[Reference] = (),
    postmortem_screen: Iterable[FieldFacts] = (),
) -> ResolvedProject:
    """Turn a mapping's names into the project's ids; raises `MappingDoesNotFit` with all that is missing.

    What the daemon can do without (a component, a priority, a further field) stands in `lacking`. What
    the create screen does not have the project lacks, whatever the site has; without `fields` that is
    not judged. `levels` are the security levels that our account may set, `postmortem_screen` the fields of
    the create screen of postmortems.
    """
    kind = _incident_type(mapping, facts)
    lacking: list[str] = []
    screen = {field.id: field for field in fields}
    there = _on_screen(facts, screen)
    statuses = _statuses(mapping, kind)
    return ResolvedProject(
        id=facts.id,
        key=facts.key,
        kind=facts.kind,
        incident_type=Reference(id=kind.id, name=kind.name),
        statuses=statuses,
        instead=_instead(mapping, kind, statuses),
        path=_path(mapping, kind),
        priorities=_priorities(mapping, there, lacking),
        components=_components(mapping, there, lacking),
        fields=_fields(mapping, screen, lacking),
        resolutions=tuple(resolutions),
        link_types=facts.link_types,
        security={level.name: level.id for level in levels},
        postmortem=postmortem_facts(mapping, facts, postmortem_screen),
        sub_task=sub_task_type(mapping, facts),
        lacking=tuple(sorted(lacking)),
    )


def _on_screen(facts: ProjectFacts, screen: dict[str, FieldFacts]) -> ProjectFacts:
    """The facts without the components and priorities that no screen offers (team-managed projects)."""
    absent = [name for name in ("components", "priority") if screen and name not in screen]
    emptied = {"components": "components", "priority": "priorities"}
    return facts.model_copy(update={emptied[name]: () for name in absent})


def _incident_type(mapping: Mapping, facts: ProjectFacts) -> IssueTypeFacts:
    wanted = mapping.jira.issue_types.incident
    kind = _named(wanted, (one for one in facts.types if not one.subtask))
    if isinstance(kind, IssueTypeFacts):
        return kind
    have = ", ".join(one.name for one in facts.types) or "none that our account sees"
    raise MappingDoesNotFit(
        mapping.team, [f"project {facts.key} has none of the issue types {', '.join(wanted)} (it has {have})"]
    )


def _statuses(mapping: Mapping, kind: IssueTypeFacts) -> dict[str, Status]:
    problems = []
    statuses: dict[str, Status] = {}
    for word in STATUS_WORDS:
        found = _named(mapping.jira.statuses.names(word), kind.statuses)
        if isinstance(found, Status):
            statuses[word] = found
        else:
            wanted = ", ".join(mapping.jira.statuses.names(word))
            have = ", ".join(one.name for one in kind.statuses)
            problems.append(f"no status for {word}: {kind.name} has {have}, the mapping wants {wanted}")
    if problems:
        raise MappingDoesNotFit(mapping.team, problems)
    return statuses


def _instead(
    mapping: Mapping, kind: IssueTypeFacts, statuses: dict[str, Status]
) -> dict[str, tuple[Status, ...]]:
    """The statuses that the mapping names for a word after the first that the project has."""
    found = {}
    for word, chosen in statuses.items():
        named = [_named([name], kind.statuses) for name in mapping.jira.statuses.names(word)]
        others = [one for one in named if isinstance(one, Status) and one.id != chosen.id]
        found[word] = tuple(dict.fromkeys(others))
    return found


def _path(mapping: Mapping, kind: IssueTypeFacts) -> dict[str, tuple[Status, ...]]:
    problems = []
    path: dict[str, tuple[Status, ...]] = {}
    for word in STATUS_WORDS:
        steps = []
        for name in mapping.jira.path.names(word):
            found = _named([name], kind.statuses)
            if isinstance(found, Status):
                steps.append(found)
            else:
                have = ", ".join(one.name for one in kind.statuses)
                problems.append(f"no status {name}, which jira.path.{word} names: {kind.name} has {have}")
        path[word] = tuple(steps)
    if problems:
        raise MappingDoesNotFit(mapping.team, problems)
    return path


def _priorities(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> dict[str, Reference]:
    priorities = {}
    for name, section in mapping.severities.items():
        priority = _reference(section.priority, facts.priorities)
        if priority is not None:
            priorities[name] = priority
        elif section.priority:
            lacking.append(f"priority of {name} ({', '.join(section.priority)})")
    return priorities


def _components(mapping: Mapping, facts: ProjectFacts, lacking: list[str]) -> dict[str, Reference]:
    components = {}
    for name in sorted({section.component for section in mapping.services.values() if section.component}):
        component = _reference([name], facts.components)
        if component is not None:
            components[name] = component
        else:
            lacking.append(f"component {name}")
    return components


def _fields(mapping: Mapping, screen: dict[str, FieldFacts], lacking: list[str]) -> dict[str, FieldFacts]:
    found = dict(screen)
    for name in mapping.jira.fields:
        field = screen.get(name) or next((one for one in screen.values() if one.name == name), None)
        if field is not None:
            found[name] = field
        else:
            lacking.append(f"field {name}")
    return found


@dataclass
class Trail:
    """What happened to a ticket since it last arrived where it should: steps taken, refusals, last words.

    `goal` says where it should be; another goal begins another trail.
    """

    goal: str
    hops: int = 0
    refusals: int = 0
    words: str = ""


def postmortem_screen(
    jira: Jira, mapping: Mapping, facts: ProjectFacts, screen: tuple[FieldFacts, ...]
) -> tuple[FieldFacts, ...]:
    """The create screen of postmortems; asked for only where it is another than the ticket's (`screen`)."""
    kind = postmortem_type(mapping, facts)
    if kind is None or mapping.postmortem.mode is Mode.OFF:
        return ()
    same = kind.id == _incident_type(mapping, facts).id
    return screen if same else jira.create_fields(facts.key, kind.id)


class JiraFacts:
    """Projects, transitions and trails as learned, for all threads."""

    def __init__(self, jira: Callable[[], Jira], clock: Clock) -> None:
        self._jira = jira
        self._clock = clock
        self._lock = Lock()
        # held while Jira is asked; the other is not, since transactions of the ledger wait for that one
        self._asking = Lock()
        self._projects: dict[str, tuple[float, ResolvedProject]] = {}
        self._unfit: dict[str, float] = {}
        self._screens: dict[tuple[str, str], tuple[float, tuple[FieldFacts, ...]]] = {}
        self._quiet: dict[str, tuple[float, bool]] = {}
        self._ways: dict[tuple[str, str], tuple[float, tuple[Transition, ...]]] = {}
        self._trails: dict[str, Trail] = {}

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """The mapping's project in ids; asks Jira when not known or too old.

        Raises `MappingDoesNotFit`, or `RemoteError` where Jira cannot be asked and nothing is known.
        """
        key = f"{mapping.team}/{mapping.version}"
        known = self._known(key)
        if known is not None:
            return known
        with self._asking:
            known = self._known(key)
            if known is not None:
                return known
            project = self._ask(mapping)
            with self._lock:
                self._projects[key] = (self._clock.boottime(), project)
            return project

    def resolved_at(self, mapping: Mapping, project: str) -> ResolvedProject | None:
        """As `resolved`, for the same rules in another project; None where they do not fit there.

        Raises `RemoteError` where Jira cannot be asked.
        """
        there = mapping.model_copy(
            update={
                "jira": mapping.jira.model_copy(update={"project": project}),
                "version": f"{mapping.version}/{project}",
            }
        )
        key = f"{there.team}/{there.version}"
        with self._lock:
            since = self._unfit.get(key)
        if since is not None and self._clock.boottime() - since < KEPT_SECONDS:
            return None
        try:
            return self.resolved(there)
        except MappingDoesNotFit as error:
            logger.error("the rules cannot be used in the project {}: {}", project, error)
        except RemoteError as error:
            if error.cause not in (Cause.MISSING, Cause.FORBIDDEN):
                raise
            logger.error("the project {} is not there for our account", project)
        with self._lock:
            self._unfit[key] = self._clock.boottime()
        return None

    def _known(self, key: str) -> ResolvedProject | None:
        with self._lock:
            known = self._projects.get(key)
        if known and self._clock.boottime() - known[0] < KEPT_SECONDS:
            return known[1]
        return None

    def _ask(self, mapping: Mapping) -> ResolvedProject:
        jira = self._jira()
        facts = jira.project(mapping.jira.project)
        screen = jira.create_fields(facts.key, _incident_type(mapping, facts).id)
        secured = any(field.id == "security" for field in screen)
        levels = jira.security_levels(facts.key) if secured else ()
        papers = postmortem_screen(jira, mapping, facts, screen)
        resolved = resolve(mapping, facts, screen, jira.resolutions(), levels, papers)
        return resolved.model_copy(update={"edition": jira.server().edition})

    def screen(self, key: str, type_id: str) -> tuple[FieldFacts, ...]:
        """A type's create screen; asks Jira when not known or too old, and raises `RemoteError`."""
        place = (key, type_id)
        with self._lock:
            known = self._screens.get(place)
        if known and self._clock.boottime() - known[0] < KEPT_SECONDS:
            return known[1]
        fields = self._jira().create_fields(key, type_id)
        with self._lock:
            self._screens[place] = (self._clock.boottime(), fields)
        return fields

    def may_be_quiet(self, key: str) -> bool:
        """Whether our account administers a project, so that an edit can mail nobody.

        Asks Jira when not known or too old, and raises `RemoteError`.
        """
        with self._lock:
            known = self._quiet.get(key)
        if known and self._clock.boottime() - known[0] < KEPT_SECONDS:
            return known[1]
        may = any(self._jira().rights(key, ADMINISTERS).values())
        with self._lock:
            self._quiet[key] = (self._clock.boottime(), may)
        return may

    def never_quiet(self, key: str) -> None:
        """Jira refused a quiet edit: for an hour none is tried."""
        with self._lock:
            self._quiet[key] = (self._clock.boottime(), False)

    def ways(self, workflow: str, status_id: str) -> tuple[Transition, ...] | None:
        """The transitions known from a status, None where they are not known (any more)."""
        with self._lock:
            known = self._ways.get((workflow, status_id))
        if known and self._clock.boottime() - known[0] < KEPT_SECONDS:
            return known[1]
        return None

    def learn_ways(self, workflow: str, status_id: str, ways: tuple[Transition, ...]) -> None:
        """Remember what Jira offered from a status."""
        with self._lock:
            self._ways[(workflow, status_id)] = (self._clock.boottime(), ways)

    def forget_ways(self, workflow: str, status_id: str) -> None:
        """A write contradicted what was remembered."""
        with self._lock:
            self._ways.pop((workflow, status_id), None)

    def forget_projects(self) -> None:
        """A write contradicted what was remembered of projects, types or fields."""
        with self._lock:
            self._projects.clear()
            self._unfit.clear()
            self._screens.clear()

    def trail(self, place: str, goal: str) -> Trail:
        """The trail of an aspect of a ticket (`ticket:PABC123/status`) on its way to a goal."""
        with self._lock:
            known = self._trails.get(place)
            if known is None or known.goal != goal:
                known = self._trails[place] = Trail(goal)
            return known

    def end_trail(self, place: str) -> None:
        """The ticket arrived, or waits for a person: the next attempt begins anew."""
        with self._lock:
            self._trails.pop(place, None)
