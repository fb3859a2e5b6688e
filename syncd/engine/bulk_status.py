"""Whether a ticket can be born in its right status: one transition inside the create, where that is safe.

Safe is one hop from the status where issues of the type begin, over a transition without screen fields
that was seen on an issue standing there (API fact: its id must be known from such an issue). The first
ticket of a type that needs one goes alone, and shows both.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.domain.incident import Incident
from syncd.engine.acts.ways import ways_from
from syncd.engine.cases import is_silent
from syncd.engine.desk import Desk
from syncd.engine.executor import Executor
from syncd.ledger.snapshots import get_cursor, set_cursor
from syncd.ledger.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.case import Case, Rulebook
from syncd.policy.status import still_flapping, wanted_word


@dataclass(frozen=True)
class Way:
    """A transition to take inside the create; `alone`: the create was sent alone just now, to learn."""

    transition: str | None = None
    alone: bool = False


class StatusAtBirth:
    """What is known of where issues begin, by project and type."""

    def __init__(self, desk: Desk, executor: Executor) -> None:
        self._desk = desk
        self._executor = executor

    def transition_for(self, row: OperationRow) -> Way:
        """The transition that a create may carry; may send the create alone to learn. `RemoteError`."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            known = session.get(IncidentRow, row.incident_id)
        if known is None:
            return Way()
        incident = Incident.model_validate(known.snapshot)
        book = desk.book_of(incident, known.team)
        if book is None or incident.open:
            return Way()
        case = Case(incident=incident, now=desk.clock.now(), silent=is_silent(incident, book))
        if still_flapping(case):
            return Way()
        name = f"birth.{book.project.key}.{book.project.incident_type.id}"
        with desk.ledger.db.read() as session:
            begins = get_cursor(session, name).get("status")
        if begins is None:
            self._learn(row, name)
            return Way(alone=True)
        return Way(transition=self._safe(book, wanted_word(case, book), str(begins)))

    def _safe(self, book: Rulebook, word: str, begins: str) -> str | None:
        target = book.project.statuses[word].id
        workflow = f"{book.project.key}.{book.project.incident_type.id}"
        ways = self._desk.facts.ways(workflow, begins) or ()
        for way in ways:
            if way.to.id == target and begins != target and not way.required and not way.offered:
                return way.id
        return None

    def _learn(self, row: OperationRow, name: str) -> None:
        desk = self._desk
        self._executor.attempt(row)
        with desk.ledger.db.read() as session:
            ticket = session.get(TicketRow, row.incident_id)
        if ticket is None:
            return
        issues = desk.clients.jira.fetch([ticket.issue_id]).issues
        if issues:
            ways_from(desk, issues[0])
            with desk.ledger.db.write() as session:
                set_cursor(session, name, status=issues[0].status.id)

    def arrived(self, incident: Incident, team: str | None, status_id: str) -> bool:
        """Whether a ticket was born in the status that its incident asks for."""
        book = self._desk.book_of(incident, team)
        if book is None:
            return False
        return book.project.statuses[wanted_word(Case(incident=incident), book)].id == status_id
