"""Writes the full text on a stub, once it stands under a security level.

A stub was made where our account could set no level. When the level has come, it is written first, alone;
then title and description, in one edit, if they still are what the stub said. What a person wrote there
meanwhile stays, and the ticket says no more than that. The texts are read when they leave and kept nowhere.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.domain.incident import stub_title
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, ticket_row
from syncd.engine.act.kinds.create_ticket import stub_description, texts_of
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.restrict import PRIVATE
from syncd.ledger.store.tables import OperationRow, TicketRow
from syncd.policy.restricted import KEPT, STUB


class FillStub(BaseAct):
    """Title and description, once the level is there."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The issue alone."""
        return {"issue": ticket_row(desk, row).issue_id, PRIVATE: True}

    def complete(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Rendered:
        """The texts; raises `DecideAgain` where a person wrote or took the level off since."""
        found = desk.clients.jira.fetch([str(rendered["issue"])], fields=["description"]).issues
        if not found or found[0].security_level is None:
            raise DecideAgain
        known, book = incident_and_book(desk, row)
        description = str(found[0].fields.get("description") or "").strip()
        untouched = found[0].summary == stub_title(known.number) and description == stub_description(known)
        if not untouched:
            with desk.ledger.db.write() as session:
                _keep(session, desk, row, KEPT)
            raise DecideAgain
        incident = desk.clients.pagerduty.incident(row.incident_id)
        if incident is None:
            raise CannotRender("PagerDuty does not show the incident to us")
        summary, text = texts_of(desk, incident, book)
        return {**rendered, "fields": {"summary": summary, "description": text}}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One edit."""
        fields = rendered["fields"]
        if not isinstance(fields, dict):
            raise CannotRender("the rendered request holds no fields")
        desk.clients.jira.edit(str(rendered["issue"]), fields)
        return Outcome(str(rendered["issue"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """It is a ticket like any other restricted one."""
        _keep(session, desk, row, None)


def _keep(session: Session, desk: Desk, row: OperationRow, stub: str | None) -> None:
    ticket = session.get(TicketRow, row.incident_id)
    if ticket is None:
        return
    agreed = {name: value for name, value in ticket.agreed.items() if name != STUB}
    ticket.agreed = {**agreed, STUB: stub} if stub else agreed
    if stub is None:
        ticket.written_moment = desk.ledger.moments.next()
    session.add(ticket)
    audit.append(
        session,
        desk.clock.now(),
        "left" if stub else "ticket.filled",
        incident=row.incident_id,
        issue=ticket.issue_id,
        operation=row.id,
        data={"rule": "restricted", "reason": "a person wrote on the stub, so it stays one"} if stub else {},
    )
