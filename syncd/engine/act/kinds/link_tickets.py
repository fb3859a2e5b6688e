"""Links two tickets of ours, each known by its incident; Jira answers the same for a link that exists."""

from __future__ import annotations

from functools import partial

from syncd.domain.incident import Incident
from syncd.domain.operation import LinkTickets
from syncd.engine.act.kind import BaseKind, Outcome, Rendered, there
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord, TicketRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.leaving import Basis
from syncd.ledger.store.loading import read


class LinkTicketsKind(BaseKind):
    """One link from the ticket to another incident's ticket."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The first of the mapping's link types that the site has, and both issues."""
        ticket, known = there(basis.ticket), basis.incident
        other = read(context.ledger, TicketRecord, operation.typed(LinkTickets).other_incident)
        book = context.book_of(Incident.model_validate(known.snapshot), known.team) if known else None
        if other is None or book is None:
            raise DecideAgain
        offered = {one.name.casefold(): one.name for one in book.project.link_types}
        wanted = book.mapping.jira.link_types
        name = next((offered[one.casefold()] for one in wanted if one.casefold() in offered), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(wanted)}; see jira.link_types")
        return {"type": name, "issue": ticket.issue_id, "other": other.issue_id}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One link: this ticket duplicates the other."""
        context.services.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["other"]))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The link is known to be there."""
        return Confirmation(
            ticket=partial(_change, operation, outcome.remote_id, context.ledger.logical_clock.next())
        )


def _change(operation: OperationRecord, other: str, read_seq: int, ticket: TicketRecord) -> Change:
    link = operation.typed(LinkTickets)
    agreed = {**ticket.agreed, link.purpose: link.other_incident}
    event = Event("ticket.linked", {"to": other, "purpose": link.purpose})
    return Change({"agreed": agreed, "written_seq": read_seq}, event)
