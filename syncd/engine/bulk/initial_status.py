"""Decide if a ticket can be created in its final status: with one transition inside the create.

That is safe for one step from the status where issues of the type begin, over a transition without screen
fields. Jira tells a transition's id only for an issue in that status. A batch of tickets that begin there
shows both; where none is to be made, one ticket of the type goes alone first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loguru import logger

from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.ticket import Issue, Transition
from syncd.engine.act.executor import Executor
from syncd.engine.act.jira_write.workflow_graph import ways_from, workflow_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.key_values import forget_status_at_birth, status_at_birth, store_status_at_birth
from syncd.ledger.store.loading import read
from syncd.policy.case import Case, Rulebook, TicketState
from syncd.policy.ticket.before_enforcement import is_before_enforcement
from syncd.policy.ticket.status import wanted_word

LEARN_EVERY = 60.0
"""Seconds for which a few creates are enough that are sent alone to learn from."""
LEARNERS = 3
"""Creates of a type that are sent alone to learn from: the first of them may be refused."""
STANDS_FOR = 30.0
"""Seconds for which a new ticket counts as still standing where it began."""


@dataclass(frozen=True)
class Way:
    """A transition to take inside the create, and the status that it leads to."""

    transition: str | None = None
    goal: str | None = None


class StatusAtBirth:
    """The statuses in which new issues begin, by project and type."""

    def __init__(self, context: EngineContext, executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._learners: dict[str, tuple[float, int]] = {}
        self._standing: dict[str, tuple[float, Issue]] = {}

    def way_for(self, incident: Incident, team: str | None) -> Way | None:
        """Return the transition that a create may carry, None where syncd has to learn it first.

        Raise `RemoteError`.
        """
        context = self._context
        book = context.book_of(incident, team)
        # a triggered incident's ticket keeps the status in which Jira creates it
        if book is None or incident.status is IncidentStatus.TRIGGERED:
            return Way()
        place = _place(book)
        begins = status_at_birth(context.ledger, place)
        ways = self._ways(place, begins) if begins is not None else None
        if begins is None or ways is None:
            return None
        case = Case(
            incident=incident,
            now=context.clock.now(),
            before_enforcement=is_before_enforcement(incident, book),
        )
        target = book.project.statuses[wanted_word(case, book)].id
        for way in ways:
            # a screen with fields could refuse the whole create
            if way.to.id == target and begins != target and not way.required and not way.offered:
                return Way(way.id, target)
        return Way()

    def _ways(self, place: str, begins: str) -> tuple[Transition, ...] | None:
        """Return the transitions out of the first status; ask Jira where a new ticket stands there."""
        context = self._context
        ways = context.facts.ways(place, begins)
        since, issue = self._standing.get(place, (0.0, None))
        fresh = context.clock.boottime() - since < STANDS_FOR
        if ways is not None or issue is None or issue.status.id != begins or not fresh:
            return ways
        try:
            return ways_from(context, issue)
        except CannotRender as error:
            # our account may create issues and not move them: a move will say so
            logger.debug("tickets of {} are created where they begin: {}", place, error)
            return ()

    def saw(self, issues: Iterable[Issue]) -> None:
        """Learn from new issues that were created without a transition, as they were read back."""
        context = self._context
        for place, issue in {workflow_of(issue): issue for issue in issues}.items():
            if status_at_birth(context.ledger, place) != issue.status.id:
                store_status_at_birth(context.ledger, place, issue.status.id)
            self._standing[place] = context.clock.boottime(), issue

    def learn(self, operation: OperationRecord, incident: Incident, team: str | None) -> bool:
        """Send a create alone to learn from it; return False if enough were sent. Raise `RemoteError`."""
        context = self._context
        book = context.book_of(incident, team)
        if book is None:
            return False
        place, now = _place(book), context.clock.boottime()
        since, sent = self._learners.get(place, (now, 0))
        if now - since >= LEARN_EVERY:
            since, sent = now, 0
        if sent >= LEARNERS:
            return False
        self._learners[place] = since, sent + 1
        self._executor.attempt(operation)
        ticket = read(context.ledger, TicketState, operation.incident_id)
        if ticket is not None:
            # a bulk read may lag behind the create
            self.saw(context.fetch_by_id(ticket.issue_id).issues)
        return True

    def forget(self, incident: Incident, team: str | None) -> None:
        """Forget the begin of a type's issues after Jira refused a create with a transition."""
        book = self._context.book_of(incident, team)
        if book is None:
            return
        place = _place(book)
        begins = forget_status_at_birth(self._context.ledger, place)
        self._standing.pop(place, None)
        self._context.facts.forget_ways(place, str(begins))


def _place(book: Rulebook) -> str:
    """Return the name of the issues that begin alike: those of one type in one project share a workflow."""
    return f"{book.project.key}.{book.project.incident_type.id}"
