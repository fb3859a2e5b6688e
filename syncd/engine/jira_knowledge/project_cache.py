"""What was learned of Jira: projects with names turned into ids, and the ways between statuses.

Everything here is a cache with an expiry, forgotten at once when a write contradicts it.
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
"""How long what was learned is believed."""


class JiraFacts:
    """Projects, transitions and trails as learned, for all threads."""

    def __init__(self, jira: Callable[[], JiraClient], clock: Clock) -> None:
        self._jira = jira
        self._lock = Lock()
        # held while Jira is asked; the others are not, since transactions of the ledger wait for those
        self._asking = Lock()
        self._projects: Cache[str, ResolvedProject] = Cache(clock, KEPT_SECONDS)
        self._unfit: Cache[str, None] = Cache(clock, KEPT_SECONDS)
        self._screens: Cache[tuple[str, str], tuple[FieldFacts, ...]] = Cache(clock, KEPT_SECONDS)
        self._ways: Cache[tuple[str, str], tuple[Transition, ...]] = Cache(clock, KEPT_SECONDS)
        self._trails: dict[str, tuple[str, int]] = {}

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """The mapping's project in ids; asks Jira when not known or too old.

        Raises `MappingMismatch`, or `RemoteError` where Jira cannot be asked and nothing is known.
        """
        key = f"{mapping.team}/{mapping.version}"
        known = self._projects.get(key)
        if known is None:
            with self._asking:
                known = self._projects.get(key) or (self._projects.keep(key, self._ask(mapping)),)
        return known[0]

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
        if self._unfit.get(key) is not None:
            return None
        try:
            return self.resolved(there)
        except MappingMismatch as error:
            logger.error("the rules cannot be used in the project {}: {}", project, error)
        except RemoteError as error:
            if not error.not_for_us:
                raise
            logger.error("the project {} is not there for our account", project)
        self._unfit.keep(key, None)
        return None

    def _ask(self, mapping: Mapping) -> ResolvedProject:
        jira = self._jira()
        facts = jira.project(mapping.jira.project)
        screen = jira.create_fields(facts.key, incident_type(mapping, facts).id)
        secured = any(field.id == "security" for field in screen)
        levels = jira.security_levels(facts.key) if secured else ()
        postmortem_fields = postmortem_screen(jira, mapping, facts, screen)
        resolved = resolve(mapping, facts, screen, jira.resolutions(), levels, postmortem_fields)
        return resolved.model_copy(update={"edition": jira.server().edition})

    def screen(self, key: str, type_id: str) -> tuple[FieldFacts, ...]:
        """A type's create screen; asks Jira when not known or too old, and raises `RemoteError`."""
        known = self._screens.get((key, type_id))
        if known is not None:
            return known[0]
        return self._screens.keep((key, type_id), self._jira().create_fields(key, type_id))

    def ways(self, workflow: str, status_id: str) -> tuple[Transition, ...] | None:
        """The transitions known from a status, None where they are not known (any more)."""
        known = self._ways.get((workflow, status_id))
        return known[0] if known is not None else None

    def learn_ways(self, workflow: str, status_id: str, ways: tuple[Transition, ...]) -> None:
        """Remember what Jira offered from a status."""
        self._ways.keep((workflow, status_id), ways)

    def forget_ways(self, workflow: str, status_id: str) -> None:
        """A write contradicted what was remembered."""
        self._ways.drop((workflow, status_id))

    def forget_projects(self) -> None:
        """A write contradicted what was remembered of projects, types or fields."""
        self._projects.clear()
        self._unfit.clear()
        self._screens.clear()

    def hops(self, ticket: str, goal: str) -> int:
        """How many steps a ticket (its object) has taken on its way to a status (its id)."""
        with self._lock:
            known, hops = self._trails.get(ticket, (goal, 0))
        return hops if known == goal else 0

    def add_hop(self, ticket: str, goal: str) -> None:
        """The ticket took one step more."""
        hops = self.hops(ticket, goal) + 1
        with self._lock:
            self._trails[ticket] = goal, hops

    def end_trail(self, ticket: str) -> None:
        """The ticket arrived, or waits for a person: the next attempt begins anew."""
        with self._lock:
            self._trails.pop(ticket, None)
