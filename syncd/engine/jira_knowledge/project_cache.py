"""What was learned of Jira: projects with names turned into ids, and the ways between statuses.

Everything here is a cache with an expiry, forgotten at once when a write contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from loguru import logger

from syncd.domain.clock import Clock
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Transition
from syncd.engine.jira_knowledge.resolve_names import (
    MappingMismatch,
    _incident_type,
    postmortem_screen,
    resolve,
)
from syncd.remote.errors import Cause, RemoteError
from syncd.remote.ports import Jira

KEPT_SECONDS = 3600.0
"""How long what was learned is believed."""


@dataclass
class Trail:
    """What happened to a ticket since it last arrived where it should: steps taken, refusals, last words.

    `goal` says where it should be; another goal begins another trail.
    """

    goal: str
    hops: int = 0
    refusals: int = 0
    words: str = ""


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
        self._ways: dict[tuple[str, str], tuple[float, tuple[Transition, ...]]] = {}
        self._trails: dict[str, Trail] = {}

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """The mapping's project in ids; asks Jira when not known or too old.

        Raises `MappingMismatch`, or `RemoteError` where Jira cannot be asked and nothing is known.
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
        except MappingMismatch as error:
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
        postmortem_fields = postmortem_screen(jira, mapping, facts, screen)
        resolved = resolve(mapping, facts, screen, jira.resolutions(), levels, postmortem_fields)
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
