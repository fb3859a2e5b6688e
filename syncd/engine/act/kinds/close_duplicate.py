"""Close the younger of two issues that one operation created.

The nightly sweep is the last net: marks and look-ups prevent duplicates before. syncd closes an issue once
for ever, as it links it once (`link_issues`), and leaves an issue that a person touched since the sweep.
"""

from __future__ import annotations

from syncd.domain.operation.rendered import RenderedTransition
from syncd.domain.operation.ticket import Duplicate
from syncd.domain.ticket import Issue
from syncd.engine.act.jira_write.transition_screen import fill, with_resolution
from syncd.engine.act.kind import BaseKind, Outcome, book_of_basis, look_back
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation, Event
from syncd.ledger.store.leaving import Basis


def younger_issue(context: EngineContext, operation: OperationRecord) -> Issue | None:
    """Return the younger issue as it is now, None where Jira does not show it."""
    fetched = context.services.jira.fetch([operation.typed(Duplicate).younger])
    return fetched.issues[0] if fetched.issues else None


class CloseDuplicateKind(BaseKind[RenderedTransition]):
    """Close the younger issue if it still has the status in which its create left it."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedTransition:
        """Return a transition to a status of category done.

        Raise `DecideAgain` where a person moved or commented on the issue before syncd.
        """
        issue, found_at = younger_issue(context, operation), operation.typed(Duplicate).from_status
        if issue is None or issue.status.id != found_at or not nobody_spoke(issue):
            raise DecideAgain
        incident, book = book_of_basis(context, basis)
        closed = book.project.statuses["closed"].id
        ways = [way for way in context.services.jira.transitions(issue.id) if way.to.category == "done"]
        if not ways:
            raise CannotRender(f"no transition leads from {issue.status.name} to a status that is done")
        # the mapping's own status for closed goes before any other that is done
        way = min(ways, key=lambda candidate: candidate.to.id != closed)
        filled = with_resolution(fill(context, way, issue, incident, book), book)
        return RenderedTransition(issue=issue.id, transition=way.id, fields=filled.fields)

    def send(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedTransition
    ) -> Outcome:
        """Send one transition, and look if it arrived: nothing decides this move again."""
        context.services.jira.move(rendered.issue, rendered.transition, rendered.fields)
        look_back(context, rendered.issue, lambda issue: issue.status.category == "done", "move")
        return Outcome(rendered.issue)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Record that the duplicate is closed."""
        return Confirmation(event=duplicate_event(operation, "duplicate.closed"))

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the outcome if the younger issue has a status of category done."""
        issue = younger_issue(context, operation)
        done = issue is not None and issue.status.category == "done"
        return Outcome(operation.typed(Duplicate).younger) if done else None


def nobody_spoke(issue: Issue) -> bool:
    """Return True if the issue has no comment; a cut list may hide one, so it returns False."""
    return issue.comments is not None and not issue.comments


def duplicate_event(operation: OperationRecord, kind: str) -> Event:
    """Return the audit event about the two issues."""
    duplicate = operation.typed(Duplicate)
    return Event(kind, {"older": duplicate.older}, duplicate.younger)
