"""Links a postmortem or an action item to another issue; Jira answers the same for a link that exists."""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.engine.act.jira_write.follow_up_issue import agreed_on, paper_of, written
from syncd.engine.act.jira_write.reread import book_of_basis
from syncd.engine.act.kind import BaseAct, Outcome, Rendered
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender
from syncd.ledger.records import DutyIssueRecord, OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation
from syncd.ledger.store.leaving import Basis


class LinkPaper(BaseAct):
    """One link to `other`, by the first of `types` that the site has; `purpose` is what is agreed then."""

    def render(self, desk: Desk, operation: OperationRecord, basis: Basis) -> Rendered:
        """The link type's name, and both issues."""
        paper = paper_of(desk, operation)
        _, book = book_of_basis(desk, basis)
        there = {one.name.casefold(): one.name for one in book.project.link_types}
        wanted = [str(one) for one in operation.meaning["types"]]
        name = next((there[one.casefold()] for one in wanted if one.casefold() in there), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(wanted)}")
        return {"type": name, "issue": paper.issue_id, "other": str(operation.meaning["other"])}

    def send(self, desk: Desk, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One link."""
        desk.clients.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["other"]))

    def confirmation(self, desk: Desk, operation: OperationRecord, outcome: Outcome) -> Confirmation:
        """The link is known to be there."""
        return Confirmation(
            duty_issue=partial(_change, operation, outcome.remote_id, desk.ledger.moments.next())
        )


def _change(operation: OperationRecord, other: str, moment: int, paper: DutyIssueRecord) -> Change:
    purpose = str(operation.meaning["purpose"])
    data: dict[str, JsonValue] = {"to": other, "purpose": purpose}
    return written(moment, "paper.linked", data, **agreed_on(paper, {purpose: other}))
