"""Links a postmortem or an action item to another issue; Jira answers the same for a link that exists."""

from __future__ import annotations

from sqlmodel import Session

from syncd.engine.act.jira_write.follow_up_issue import agree, paper_in, paper_row, written
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.kind import BaseAct, Outcome, Rendered
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender
from syncd.ledger.store.tables import OperationRow


class LinkPaper(BaseAct):
    """One link to `other`, by the first of `types` that the site has; `purpose` is what is agreed then."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The link type's name, and both issues."""
        paper = paper_row(desk, row)
        _, book = incident_and_book(desk, row)
        there = {one.name.casefold(): one.name for one in book.project.link_types}
        wanted = [str(one) for one in row.meaning["types"]]
        name = next((there[one.casefold()] for one in wanted if one.casefold() in there), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(wanted)}")
        return {"type": name, "issue": paper.issue_id, "other": str(row.meaning["other"])}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One link."""
        desk.clients.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["other"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The link is known to be there."""
        paper = paper_in(session, row)
        if paper is None:
            return
        purpose = str(row.meaning["purpose"])
        agree(paper, {purpose: outcome.remote_id})
        written(session, desk, row, paper, "paper.linked", {"to": outcome.remote_id, "purpose": purpose})
