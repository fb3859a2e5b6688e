"""Link two issues; Jira answers "created" also for a link that exists, so a repeat does no harm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.operation import Kind, LinkTickets
from syncd.domain.operation.postmortem import DutyIssueLink
from syncd.domain.operation.rendered import RenderedLink
from syncd.domain.operation.ticket import Duplicate
from syncd.engine.act.kind import BaseKind, Outcome, agreed_on, book_of_basis, duty_issue_for, there, written
from syncd.engine.act.kinds.close_duplicate import duplicate_event, younger_issue
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.rulebook import recurring_book
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.leaving import Basis
from syncd.ledger.store.loading import read
from syncd.policy.case import DutyIssueState, Rulebook, TicketState


class LinkKind(BaseKind[RenderedLink]):
    """One link between two issues."""

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedLink) -> Outcome:
        """Send one link."""
        context.services.jira.link(rendered.type, rendered.issue, rendered.other)
        return Outcome(rendered.other)


class LinkTicketsKind(LinkKind):
    """A link from the ticket of a merged incident to the ticket of the merge target."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedLink:
        """Return both issues and the first of the mapping's link types that the site has."""
        ticket = there(basis.ticket)
        other = there(read(context.ledger, TicketState, operation.typed(LinkTickets).other_incident))
        _, book = book_of_basis(context, basis)
        return RenderedLink(type=_duplicates(book), issue=ticket.issue_id, other=other.issue_id)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that the link exists."""
        return Confirmation(
            ticket=partial(_tickets, operation, outcome.remote_id, context.ledger.logical_clock.next())
        )


class LinkDuplicateKind(LinkKind):
    """A link from the younger of two issues that one operation created to the older."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedLink:
        """Return both issues and the first of the mapping's link types that the site has."""
        duplicate = operation.typed(Duplicate)
        _, book = book_of_basis(context, basis)
        return RenderedLink(type=_duplicates(book), issue=duplicate.younger, other=duplicate.older)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedLink) -> Outcome:
        """Send one link; the outcome names the younger issue, which the operation is about."""
        super().send(context, operation, rendered)
        return Outcome(rendered.issue)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Record that the duplicate is linked."""
        return Confirmation(event=duplicate_event(operation, "duplicate.linked"))

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the outcome if the younger issue shows a link to the older."""
        issue, duplicate = younger_issue(context, operation), operation.typed(Duplicate)
        linked = issue is not None and any(link.other_id == duplicate.older for link in issue.links)
        return Outcome(duplicate.younger) if linked else None


class LinkDutyIssueKind(LinkKind):
    """A link of a postmortem or an action item; its `purpose` is agreed on then."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedLink:
        """Return both issues and the first of the operation's link types that the site has."""
        duty_issue, link = duty_issue_for(context, operation), operation.typed(DutyIssueLink)
        recurring = recurring_book(context, operation.incident_id)
        _, book = recurring if recurring is not None else book_of_basis(context, basis)
        key = "postmortem.link_types" if link.kind == Kind.LINK_POSTMORTEM else "follow_ups.link_types"
        return RenderedLink(
            type=_link_type(book, link.types, key), issue=duty_issue.issue_id, other=link.other
        )

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that the link exists."""
        return Confirmation(
            duty_issue=partial(_duty_issue, operation, outcome.remote_id, context.ledger.logical_clock.next())
        )


def _link_type(book: Rulebook, types: Sequence[str], key: str) -> str:
    """Return the first of these link types that the site has; `key` is where the mapping names them."""
    offered = {link_type.name.casefold(): link_type.name for link_type in book.project.link_types}
    name = next((offered[name.casefold()] for name in types if name.casefold() in offered), None)
    if name is None:
        raise CannotRender(f"Jira has none of the link types {', '.join(types)}: name one under {key}")
    return name


def _duplicates(book: Rulebook) -> str:
    return _link_type(book, book.mapping.jira.link_types, "jira.link_types")


def _tickets(operation: OperationRecord, other: str, read_seq: int, ticket: TicketState) -> Change:
    link = operation.typed(LinkTickets)
    agreed = {**ticket.agreed, link.purpose: link.other_incident}
    event = Event("ticket.linked", {"to": other, "purpose": link.purpose})
    return Change({"agreed": agreed, "written_seq": read_seq}, event)


def _duty_issue(operation: OperationRecord, other: str, moment: int, duty_issue: DutyIssueState) -> Change:
    purpose = operation.typed(DutyIssueLink).purpose
    data: dict[str, JsonValue] = {"to": other, "purpose": purpose}
    return written(duty_issue, moment, "linked", data, **agreed_on(duty_issue, {purpose: other}))
