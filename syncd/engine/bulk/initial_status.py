"""Decide if a ticket can be created in its final status: with one transition inside the create.

That is safe for one step from the status where issues of the type begin, over a transition without screen
fields. Jira tells a transition's id only for an issue in that status, so the first ticket of a type goes
alone and shows both.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.domain.incident import Incident, IncidentStatus
from syncd.engine.act.executor import Executor
from syncd.engine.act.jira_write.workflow_graph import ways_from
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.key_values import forget_status_at_birth, status_at_birth, store_status_at_birth
from syncd.ledger.store.loading import read
from syncd.policy.case import Case, Rulebook, TicketState
from syncd.policy.ticket.before_enforcement import is_before_enforcement
from syncd.policy.ticket.status import wanted_word

LEARN_EVERY = 60.0
"""Seconds between two creates that are sent alone to learn from."""


@dataclass(frozen=True)
class Way:
    """A transition to take inside the create, and the status that it leads to.

    `alone`: the create was sent alone just now, to learn.
    """

    transition: str | None = None
    goal: str | None = None
    alone: bool = False


class StatusAtBirth:
    """The statuses in which new issues begin, by project and type."""

    def __init__(self, context: EngineContext, executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._learned: dict[str, float] = {}

    def transition_for(self, operation: OperationRecord, incident: Incident, team: str | None) -> Way:
        """Return the transition that a create may carry; send the create alone if syncd has to learn it.

        Raise `RemoteError`.
        """
        context = self._context
        book = context.book_of(incident, team)
        # a triggered incident's ticket keeps the status in which Jira creates it
        if book is None or incident.status is IncidentStatus.TRIGGERED:
            return Way()
        case = Case(
            incident=incident,
            now=context.clock.now(),
            before_enforcement=is_before_enforcement(incident, book),
        )
        place = _place(book)
        begins = status_at_birth(context.ledger, place)
        if begins is None or context.facts.ways(place, begins) is None:
            if context.clock.boottime() - self._learned.get(place, -LEARN_EVERY) < LEARN_EVERY:
                return Way()
            self._learned[place] = context.clock.boottime()
            self._learn(operation, place)
            return Way(alone=True)
        return self._safe(book, wanted_word(case, book), begins)

    def _safe(self, book: Rulebook, word: str, begins: str) -> Way:
        target = book.project.statuses[word].id
        for way in self._context.facts.ways(_place(book), begins) or ():
            # a screen with fields could refuse the whole create
            if way.to.id == target and begins != target and not way.required and not way.offered:
                return Way(way.id, target)
        return Way()

    def forget(self, incident: Incident, team: str | None) -> None:
        """Forget the begin of a type's issues after Jira refused a create with a transition."""
        book = self._context.book_of(incident, team)
        if book is None:
            return
        place = _place(book)
        begins = forget_status_at_birth(self._context.ledger, place)
        self._context.facts.forget_ways(place, str(begins))

    def _learn(self, operation: OperationRecord, place: str) -> None:
        context = self._context
        self._executor.attempt(operation)
        ticket = read(context.ledger, TicketState, operation.incident_id)
        if ticket is None:
            return
        issues = context.services.jira.fetch([ticket.issue_id]).issues
        if issues:
            ways_from(context, issues[0])
            store_status_at_birth(context.ledger, place, issues[0].status.id)


def _place(book: Rulebook) -> str:
    """Return the name of the issues that begin alike: those of one type in one project share a workflow."""
    return f"{book.project.key}.{book.project.incident_type.id}"
