"""A cache of facts about Jira: projects with names resolved to ids, screens, transitions between statuses.

Each fact expires after an hour, and syncd forgets it at once when a write contradicts it. Each answer is kept
by itself: a chain of reads that is broken in the middle goes on where it stopped. A project that Jira does
not show, or to which a mapping does not fit, stops its teams alone; syncd remembers that and asks ever less
often.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from loguru import logger

from syncd.domain.clock import Clock
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Account, Transition
from syncd.engine.jira_knowledge.cache import Cache
from syncd.engine.jira_knowledge.resolve_names import (
    MappingMismatch,
    incident_type,
    postmortem_screen,
    resolve,
)
from syncd.engine.runtime.refusals import AGAIN, Refusal, Refusals
from syncd.remote.answers import ServerFacts
from syncd.remote.errors import Cause, NotDone, RemoteError
from syncd.remote.jira.read import LINK_TYPES, PRIORITIES

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient

KEPT_SECONDS = 3600.0
"""How long a fact counts."""
DOUBTED_AFTER = 300.0
"""Seconds for which screens count although Jira refused a field that they offer."""
PROJECT, FIT, SEARCH = "project", "fit", "search"
"""The questions about a team's project: does Jira show it, does the mapping fit, may we search it."""
RESOLUTIONS, SCREEN = "resolution", "createmeta/"
WAIT_FOR_LIST = timedelta(minutes=5)
"""How long syncd waits for a list of the site that is refused, before it goes on without the list."""


class ListRefused(NotDone):
    """Jira refuses a list of the site (priorities, resolutions); it concerns no project."""


def project_name(key: str) -> str:
    """Return the subject of refusals of a project."""
    return f"{_PROJECT}{key}"


_PROJECT = "project/"


def fit_name(team: str) -> str:
    """Return the subject of a mapping that does not fit."""
    return f"mapping/{team}"


def hides(error: RemoteError) -> bool:
    """Return True if the service itself says that it does not show an object to us."""
    return error.not_for_us and bool(error.message)


def refuses_search(error: RemoteError) -> bool:
    """Return True if Jira refuses a search because of its projects, in its own words.

    401 and 403 are no such refusal: they concern the search itself, whatever it names.
    """
    return error.status == HTTPStatus.BAD_REQUEST or (error.absent and error.status != HTTPStatus.GONE)


class JiraFacts:
    """Projects, screens, transitions and the steps of moves, for all threads."""

    def __init__(self, jira: Callable[[], JiraClient], clock: Clock, refusals: Refusals) -> None:
        self._jira = jira
        self._clock = clock
        self._refusals = refusals
        self._asked_at: float | None = None
        self._lock = Lock()
        # only this lock is held during a request: ledger transactions may wait for the other one
        self._asking = Lock()
        self._projects: Cache[str, ResolvedProject] = Cache(clock, KEPT_SECONDS)
        self._unfit: Cache[str, None] = Cache(clock, KEPT_SECONDS)
        self._answers: Cache[str, Any] = Cache(clock, KEPT_SECONDS)
        self._screens: Cache[tuple[str, str], tuple[FieldFacts, ...]] = Cache(clock, KEPT_SECONDS)
        self._ways: Cache[tuple[str, str], tuple[Transition, ...]] = Cache(clock, KEPT_SECONDS)
        self._trails: dict[str, tuple[str, int]] = {}

    def whose(self) -> tuple[ServerFacts, Account]:
        """Return the site and our own account; raise `RemoteError`."""
        ours: Account = self._keep("myself", self._jira().myself)
        return self.server(), ours

    def server(self) -> ServerFacts:
        """Return the site, asked once for all threads; raise `RemoteError`."""
        server: ServerFacts = self._keep("serverInfo", self._jira().server)
        return server

    def refusal_of(self, mapping: Mapping) -> Refusal | None:
        """Return the refusal that stops a mapping's team, None if the team runs."""
        project, fit = project_name(mapping.jira.project), fit_name(mapping.team)
        return self._refusals.of(project) or self._refusals.of(fit)

    def hidden_projects(self) -> set[str]:
        """Return the keys of the projects that Jira does not show to us, or refuses to search."""
        names = (refusal.subject for refusal in self._refusals.all())
        return {name.removeprefix(_PROJECT) for name in names if name.startswith(_PROJECT)}

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """Return the mapping's project in ids; ask Jira if it is unknown or too old.

        Raise `MappingMismatch` while the team is stopped, or `RemoteError` where Jira cannot answer.
        """
        refusal = self.refusal_of(mapping)
        if refusal is None:
            return self.look(mapping)
        self._refusals.join(refusal.subject, mapping.team)
        raise MappingMismatch(mapping.team, [refusal.why])

    def look(self, mapping: Mapping) -> ResolvedProject:
        """Return `resolved`; a stopped team runs again where Jira shows its project and the mapping fits.

        Where it does not, the team is stopped. Raise `MappingMismatch`, or `RemoteError` where Jira cannot
        answer.
        """
        project, fit = project_name(mapping.jira.project), fit_name(mapping.team)
        try:
            resolved = self.fitting(mapping)
        except MappingMismatch as error:
            self._answers.clear()
            self._screens.clear()
            remedy = f"Change the project in Jira, or the mapping and then: syncd reload. {AGAIN}"
            what = f"the mapping does not fit Jira's project {mapping.jira.project}"
            self._refusals.refused(
                fit, FIT, what, "; ".join(error.problems), teams=[mapping.team], remedy=remedy
            )
            raise
        except ListRefused:
            raise
        except RemoteError as error:
            if not hides(error):
                raise
            self.refuse_project(mapping.jira.project, PROJECT, error, [mapping.team])
            raise MappingMismatch(mapping.team, [error.describe()]) from error
        self._refusals.answered(project, PROJECT)
        self._refusals.answered(fit, FIT)
        return resolved

    def refuse_project(self, key: str, question: str, error: RemoteError, teams: list[str]) -> None:
        """Note that Jira does not show a project, or refuses to search it."""
        what = f"Jira does not let syncd's account use project {key}"
        remedy = (
            "Was it archived, deleted or renamed? Give syncd's account Browse Projects, or correct the"
            f" mapping and then: syncd reload. {AGAIN}"
        )
        self._refusals.refused(
            project_name(key), question, what, error.describe(), teams=teams, remedy=remedy
        )

    def fitting(self, mapping: Mapping) -> ResolvedProject:
        """Return `resolved`, and stop no team where it fails: a reload asks so."""
        key = f"{mapping.team}/{mapping.version}"
        entry = self._projects.get(key)
        if entry is None:
            with self._asking:
                # another thread may have asked while this one waited
                entry = self._projects.get(key) or (self._projects.keep(key, self._ask(mapping)),)
        return entry[0]

    def at_hand(self, mapping: Mapping) -> ResolvedProject | None:
        """Return `resolved`, as it was last known where the team is stopped or Jira cannot answer.

        Return None for a stopped team whose project was never known; raise `RemoteError` where Jira cannot
        answer and nothing is known.
        """
        known = self._projects.last(f"{mapping.team}/{mapping.version}")
        try:
            return self.resolved(mapping)
        except MappingMismatch:
            return known
        except RemoteError:
            if known is None:
                raise
            return known

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
            return self.fitting(moved)
        except MappingMismatch as error:
            logger.error("the mapping does not fit project {}: {}", project, error)
        except RemoteError as error:
            if isinstance(error, ListRefused) or not hides(error):
                raise
            logger.error("Jira does not show project {} to our account: grant it Browse projects", project)
        self._unfit.keep(key, None)
        return None

    def _ask(self, mapping: Mapping) -> ResolvedProject:
        jira = self._jira()
        self._asked_at = self._clock.boottime()
        facts = jira.project(mapping.jira.project, self._keep)
        screen = self.screen(facts.key, incident_type(mapping, facts).id)
        # without the field on the screen our account could set no level anyway
        secured = any(field.id == "security" for field in screen)
        levels = self._keep(f"levels/{facts.key}", lambda: jira.security_levels(facts.key)) if secured else ()
        postmortem_fields = postmortem_screen(self.screen, mapping, facts, screen)
        resolutions = self._keep(RESOLUTIONS, jira.resolutions)
        resolved = resolve(mapping, facts, screen, resolutions, levels, postmortem_fields)
        return resolved.model_copy(update={"edition": jira.server().edition})

    def _keep(self, name: str, ask: Callable[[], Any]) -> Any:
        """Return an answer that is at hand, else ask and keep it; raise `RemoteError`."""
        entry = self._answers.get(name)
        if entry is not None:
            return entry[0]
        if name not in (PRIORITIES, LINK_TYPES, RESOLUTIONS) and not name.startswith(SCREEN):
            return self._answers.keep(name, ask())
        # all create screens of a project come from one endpoint
        subject = f"list/{SCREEN}{name.split('/')[1]}" if name.startswith(SCREEN) else f"list/{name}"
        if self._refusals.may_ask(subject, name):
            try:
                answer = self._answers.keep(name, ask())
            except RemoteError as error:
                if not hides(error):
                    raise
                remedy = f"After {WAIT_FOR_LIST // timedelta(minutes=1)} minutes syncd goes on without it"
                self._refusals.refused(
                    subject, name, f"Jira's list `{name}`", error.describe(), remedy=remedy
                )
            else:
                self._refusals.answered(subject, name)
                return answer
        refusal = self._refusals.of(subject)
        if refusal is not None and self._clock.now() - refusal.since < WAIT_FOR_LIST:
            raise ListRefused("jira", f"GET {name}", Cause.MISSING, refusal.why)
        return ()

    def screen(self, key: str, type_id: str) -> tuple[FieldFacts, ...]:
        """Return a type's create screen; ask Jira if it is unknown or too old; raise `RemoteError`."""
        entry = self._screens.get((key, type_id))
        if entry is not None:
            return entry[0]
        ask = partial(self._jira().create_fields, key, type_id)
        return self._screens.keep((key, type_id), self._keep(f"{SCREEN}{key}/{type_id}", ask))

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
        self._projects.expire()
        self._unfit.clear()
        self._answers.clear()
        self._screens.clear()

    def doubt_screens(self) -> None:
        """Read all screens again after Jira refused a field that they offer, unless they are fresh.

        Else each further create would send the field and be refused once.
        """
        if self._asked_at is None or self._clock.boottime() - self._asked_at >= DOUBTED_AFTER:
            self.forget_projects()

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
