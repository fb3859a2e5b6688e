"""Write the full text on a stub once a read has shown its security level, or its incident is not restricted.

Each ticket under a level is born as a stub, because Jira may take a level and not set it. A stub without a
level gets it first and alone, as soon as our account can set one. A stub of a provisional restriction gets
its texts when that has ended. syncd writes the incident's texts in one edit, if title and description still
are the stub's. If a person wrote there meanwhile, their text stays, and the ticket stays a stub. syncd reads
the texts of a restricted incident when they leave and stores them nowhere.
"""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, stub_title
from syncd.domain.operation import FillRestrictedStub
from syncd.domain.operation.rendered import RenderedEdit
from syncd.engine.act.kind import BaseKind, Outcome, incident_and_book, is_restricted, look_back, there
from syncd.engine.act.kinds.create_issue import stub_description, stub_print
from syncd.engine.act.kinds.create_ticket import own_texts
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.confirming import change_ticket
from syncd.ledger.store.leaving import Basis, basis_of
from syncd.policy.case import TicketState
from syncd.policy.restricted import KEPT, STUB, STUB_TEXT


class FillRestrictedStubKind(BaseKind[RenderedEdit]):
    """The edit that writes title and description under the security level."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedEdit:
        """Return the issue alone: the ledger keeps no restricted texts."""
        return RenderedEdit(issue=there(basis.ticket).issue_id, restricted=True)

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedEdit
    ) -> RenderedEdit:
        """Return the texts; raise `DecideAgain` where a person wrote there or removed the level since."""
        # by its id: a bulk read may show a level that a person has removed since
        issues = context.services.jira.fetch_by_id(rendered.issue, fields=["description"]).issues
        restricted = is_restricted(context, operation)
        if not issues or (restricted and issues[0].security_level is None):
            raise DecideAgain
        stored, book = incident_and_book(context, operation)
        description = str(issues[0].fields.get("description") or "").strip()
        agreed = basis_of(context.ledger, operation.incident_id).ticket
        written = agreed.agreed.get(STUB_TEXT) if agreed is not None else None
        # A ledger that was lost does not tell which playbook stood on the stub.
        written = written or stub_print(stub_description(stored, book.mapping))
        untouched = issues[0].summary == stub_title(stored.number) and stub_print(description) == written
        if not untouched:
            change_ticket(context.ledger, operation, _kept, context.clock.now())
            raise DecideAgain
        incident: Incident | None = stored
        # what PagerDuty says now may be restricted: without a level only what was judged may leave
        if restricted:
            incident = context.services.pagerduty.incident(operation.incident_id)
        if incident is None:
            raise CannotRender("PagerDuty does not show the incident to syncd")
        roles = operation.typed(FillRestrictedStub).roles
        fields = own_texts(context, incident, book, roles, restricted=restricted)
        return rendered.model_copy(update={"fields": fields})

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedEdit) -> Outcome:
        """Send one edit, and look if it arrived: the ledger keeps none of its texts to compare later."""
        stored = basis_of(context.ledger, operation.incident_id).incident
        stub = stub_title(stored.number) if stored is not None else ""
        context.services.jira.edit(rendered.issue, rendered.fields)
        look_back(context, rendered.issue, lambda issue: issue.summary != stub, "texts")
        return Outcome(rendered.issue)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that the ticket is no stub any more."""
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
    return {name: value for name, value in ticket.agreed.items() if name not in (STUB, STUB_TEXT)}
