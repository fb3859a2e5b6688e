"""Links a postmortem or an action item to another issue; Jira answers the same for a link that exists."""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.operation.postmortem import DutyIssueLink
from syncd.engine.act.jira_write.postmortem_or_item import agreed_on, duty_issue_for, written
from syncd.engine.act.jira_write.reread import book_of_basis
from syncd.engine.act.kind import BaseKind, Outcome, Rendered
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.ledger.records import DutyIssueRecord, OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation
from syncd.ledger.store.leaving import Basis


class LinkDutyIssueKind(BaseKind):
    """One link to `other`, by the first of `types` that the site has; `purpose` is what is agreed then."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The link type's name, and both issues."""
        duty_issue = duty_issue_for(context, operation)
        _, book = book_of_basis(context, basis)
        there = {one.name.casefold(): one.name for one in book.project.link_types}
        link = operation.typed(DutyIssueLink)
        name = next((there[one.casefold()] for one in link.types if one.casefold() in there), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(link.types)}")
        return {"type": name, "issue": duty_issue.issue_id, "other": link.other}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One link."""
        context.services.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["other"]))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The link is known to be there."""
        return Confirmation(
            duty_issue=partial(_change, operation, outcome.remote_id, context.ledger.logical_clock.next())
        )


def _change(operation: OperationRecord, other: str, moment: int, duty_issue: DutyIssueRecord) -> Change:
    purpose = operation.typed(DutyIssueLink).purpose
    data: dict[str, JsonValue] = {"to": other, "purpose": purpose}
    return written(duty_issue, moment, "linked", data, **agreed_on(duty_issue, {purpose: other}))
