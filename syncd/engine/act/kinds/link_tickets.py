"""Links two tickets of ours, each known by its incident; Jira answers the same for a link that exists."""

from __future__ import annotations

from sqlmodel import Session

from syncd.domain.incident import Incident
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, ticket_row
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow


class LinkTickets(BaseAct):
    """One link from the ticket to another incident's ticket."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The first of the mapping's link types that the site has, and both issues."""
        ticket = ticket_row(desk, row)
        with desk.ledger.db.read() as session:
            other = session.get(TicketRow, str(row.meaning["target"]))
            known = session.get(IncidentRow, row.incident_id)
        book = desk.book_of(Incident.model_validate(known.snapshot), known.team) if known else None
        if other is None or book is None:
            raise DecideAgain
        there = {one.name.casefold(): one.name for one in book.project.link_types}
        wanted = book.mapping.jira.link_types
        name = next((there[one.casefold()] for one in wanted if one.casefold() in there), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(wanted)}; see jira.link_types")
        return {"type": name, "issue": ticket.issue_id, "other": other.issue_id}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One link: this ticket duplicates the other."""
        desk.clients.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["other"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The link is known to be there."""
        ticket = session.get(TicketRow, row.incident_id)
        if ticket is None:
            return
        ticket.agreed = {**ticket.agreed, str(row.meaning["purpose"]): row.meaning["target"]}
        ticket.written_moment = desk.ledger.moments.next()
        session.add(ticket)
        audit.append(
            session,
            desk.clock.now(),
            "ticket.linked",
            incident=row.incident_id,
            issue=ticket.issue_id,
            operation=row.id,
            data={"to": outcome.remote_id, "purpose": str(row.meaning["purpose"])},
        )
