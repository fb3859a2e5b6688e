"""Writes the full text on a stub, once it stands under a security level.

A stub was made where our account could set no level. When the level has come, it is written first, alone;
then title and description, in one edit, if they still are what the stub said. What a person wrote there
meanwhile stays, and the ticket says no more than that. The texts are read when they leave and kept nowhere.
"""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.incident import stub_title
from syncd.domain.operation.rendered import RenderedEdit
from syncd.engine.act.kind import BaseKind, Outcome, incident_and_book, there
from syncd.engine.act.kinds.create_issue import stub_description
from syncd.engine.act.kinds.create_ticket import texts_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.confirming import change_ticket
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import TicketState
from syncd.policy.restricted import KEPT, STUB


class FillRestrictedStubKind(BaseKind[RenderedEdit]):
    """Title and description, once the level is there."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedEdit:
        """The issue alone."""
        return RenderedEdit(issue=there(basis.ticket).issue_id, restricted=True)

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedEdit
    ) -> RenderedEdit:
        """The texts; raises `DecideAgain` where a person wrote or took the level off since."""
        found = context.services.jira.fetch([rendered.issue], fields=["description"]).issues
        if not found or found[0].security_level is None:
            raise DecideAgain
        known, book = incident_and_book(context, operation)
        description = str(found[0].fields.get("description") or "").strip()
        untouched = found[0].summary == stub_title(known.number) and description == stub_description(known)
        if not untouched:
            change_ticket(context.ledger, operation, _kept, context.clock.now())
            raise DecideAgain
        incident = context.services.pagerduty.incident(operation.incident_id)
        if incident is None:
            raise CannotRender("PagerDuty does not show the incident to syncd")
        summary, text = texts_of(context, incident, book)
        return rendered.model_copy(update={"fields": {"summary": summary, "description": text}})

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedEdit) -> Outcome:
        """One edit."""
        context.services.jira.edit(rendered.issue, rendered.fields)
        return Outcome(rendered.issue)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """It is a ticket like any other restricted one."""
        return Confirmation(ticket=partial(_filled, context.ledger.logical_clock.next()))


def _filled(read_seq: int, ticket: TicketState) -> Change:
    return Change({"agreed": _agreed(ticket), "written_seq": read_seq}, Event("ticket.filled"))


def _kept(ticket: TicketState) -> Change:
    data: dict[str, JsonValue] = {
        "rule": "restricted",
        "reason": "a person wrote on the stub, so syncd leaves it a stub",
    }
    return Change({"agreed": {**_agreed(ticket), STUB: KEPT}}, Event("left", data))


def _agreed(ticket: TicketState) -> dict[str, JsonValue]:
    return {name: value for name, value in ticket.agreed.items() if name != STUB}
