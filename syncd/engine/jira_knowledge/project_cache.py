"""A cache of facts about Jira: projects with names resolved to ids, screens, transitions between statuses.

Each fact expires after an hour, and syncd forgets it at once when a write contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from loguru import logger

from syncd.domain.clock import Clock
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Transition
from syncd.engine.jira_knowledge.cache import Cache
from syncd.engine.jira_knowledge.resolve_names import (
    MappingMismatch,
    incident_type,
    postmortem_screen,
    resolve,
)
from syncd.remote.errors import RemoteError

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient

KEPT_SECONDS = 3600.0
"""How long a fact counts."""


class JiraFacts:
    """Projects, screens, transitions and the steps of moves, for all threads."""

    def __init__(self, jira: Callable[[], JiraClient], clock: Clock) -> None:
        self._jira = jira
        self._lock = Lock()
        # only this lock is held during a request: ledger transactions may wait for the other one
        self._asking = Lock()
        self._projects: Cache[str, ResolvedProject] = Cache(clock, KEPT_SECONDS)
        self._unfit: Cache[str, None] = Cache(clock, KEPT_SECONDS)
        self._screens: Cache[tuple[str, str], tuple[FieldFacts, ...]] = Cache(clock, KEPT_SECONDS)
        self._ways: Cache[tuple[str, str], tuple[Transition, ...]] = Cache(clock, KEPT_SECONDS)
        self._trails: dict[str, tuple[str, int]] = {}

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """Return the mapping's project in ids; ask Jira if it is unknown or too old.

        Raise `MappingMismatch`, or `RemoteError` where Jira cannot answer.
        """
        key = f"{mapping.team}/{mapping.version}"
        entry = self._projects.get(key)
        if entry is None:
            with self._asking:
                # another thread may have asked while this one waited
                entry = self._projects.get(key) or (self._projects.keep(key, self._ask(mapping)),)
        return entry[0]

    def resolved_at(self, mapping: Mapping, project: str) -> ResolvedProject | None:
        """Return `resolved` for the same rules in another project, None where they do not fit there.

        Raise `RemoteError` where Jira cannot answer.
        """
        moved = mapping.model_copy(
            update={
                "jira": mapping.jira.model_copy(update={"project": project}),
                "version": f"{mapping.version}/{project}",
            }
        )
        key = f"{moved.team}/{moved.version}"
        if self._unfit.get(key) is not None:
            return None
        try:
            return self.resolved(moved)
        except MappingMismatch as error:
            logger.error("the mapping does not fit project {}: {}", project, error)
        except RemoteError as error:
            if not error.not_for_us:
                raise
            logger.error("Jira does not show project {} to our account: grant it Browse projects", project)
        self._unfit.keep(key, None)
        return None

    def _ask(self, mapping: Mapping) -> ResolvedProject:
        jira = self._jira()
        facts = jira.project(mapping.jira.project)
        screen = jira.create_fields(facts.key, incident_type(mapping, facts).id)
        # without the field on the screen our account could set no level anyway
        secured = any(field.id == "security" for field in screen)
        levels = jira.security_levels(facts.key) if secured else ()
        postmortem_fields = postmortem_screen(jira, mapping, facts, screen)
        resolved = resolve(mapping, facts, screen, jira.resolutions(), levels, postmortem_fields)
        return resolved.model_copy(update={"edition": jira.server().edition})

    def screen(self, key: str, type_id: str) -> tuple[FieldFacts, ...]:
        """Return a type's create screen; ask Jira if it is unknown or too old; raise `RemoteError`."""
        entry = self._screens.get((key, type_id))
        if entry is not None:
            return entry[0]
        return self._screens.keep((key, type_id), self._jira().create_fields(key, type_id))

    def ways(self, workflow: str, status_id: str) -> tuple[Transition, ...] | None:
        """Return the transitions out of a status, None where they are unknown or too old."""
        entry = self._ways.get((workflow, status_id))
        return entry[0] if entry is not None else None

    def learn_ways(self, workflow: str, status_id: str, ways: tuple[Transition, ...]) -> None:
        """Keep the transitions that Jira offers out of a status."""
        self._ways.keep((workflow, status_id), ways)

    def forget_ways(self, workflow: str, status_id: str) -> None:
        """Forget the transitions out of a status after a write contradicted them."""
        self._ways.drop((workflow, status_id))

    def forget_projects(self) -> None:
        """Forget all projects and screens after a write contradicted them."""
        self._projects.clear()
        self._unfit.clear()
        self._screens.clear()

    def hops(self, ticket: str, goal: str) -> int:
        """Return how many steps a ticket (its object) has taken on its way to a status (its id)."""
        with self._lock:
            last_goal, hops = self._trails.get(ticket, (goal, 0))
        return hops if last_goal == goal else 0

    def add_hop(self, ticket: str, goal: str) -> None:
        """Count one more step of a ticket."""
        hops = self.hops(ticket, goal) + 1
        with self._lock:
            self._trails[ticket] = goal, hops

    def end_trail(self, ticket: str) -> None:
        """Forget a ticket's steps: it arrived or waits for a person, so the next move begins anew."""
        with self._lock:
            self._trails.pop(ticket, None)
