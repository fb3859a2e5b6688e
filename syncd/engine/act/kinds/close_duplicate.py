"""Links and closes the younger of two issues that one operation made: the last net, not the mechanism.

Both are once for ever for an issue. What a person touched since it was found is left.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.domain.ticket import Issue
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.jira_write.transition_screen import fill, with_resolution
from syncd.engine.act.kind import BaseAct, Outcome, Rendered
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.tables import OperationRow


def younger_issue(desk: Desk, row: OperationRow) -> Issue | None:
    """The younger issue as it is now; None where Jira does not show it."""
    fetched = desk.clients.jira.fetch([str(row.meaning["younger"])])
    return fetched.issues[0] if fetched.issues else None


class LinkDouble(BaseAct):
    """The younger issue duplicates the older."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The first of the mapping's link types that the site has, and both issues."""
        _, book = incident_and_book(desk, row)
        there = {one.name.casefold(): one.name for one in book.project.link_types}
        wanted = book.mapping.jira.link_types
        name = next((there[one.casefold()] for one in wanted if one.casefold() in there), None)
        if name is None:
            raise CannotRender(f"Jira has none of the link types {', '.join(wanted)}; see jira.link_types")
        return {"type": name, "issue": row.meaning["younger"], "other": row.meaning["older"]}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One link."""
        desk.clients.jira.link(str(rendered["type"]), str(rendered["issue"]), str(rendered["other"]))
        return Outcome(str(rendered["issue"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The double is linked."""
        _on_record(session, desk, row, "double.linked")

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """Whether the younger issue shows a link to the older."""
        issue = younger_issue(desk, row)
        linked = issue is not None and any(link.other_id == row.meaning["older"] for link in issue.links)
        return Outcome(str(row.meaning["younger"])) if linked else None


class CloseDouble(BaseAct):
    """The younger issue is closed, if it still stands where its create put it."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """A transition to a status of category done; raises `DecideAgain` where a person came before us."""
        issue = younger_issue(desk, row)
        if issue is None or issue.status.id != row.meaning["from"] or not nobody_spoke(issue):
            raise DecideAgain
        incident, book = incident_and_book(desk, row)
        closed = book.project.statuses["closed"].id
        ways = [way for way in desk.clients.jira.transitions(issue.id) if way.to.category == "done"]
        if not ways:
            raise CannotRender(f"no transition leads from {issue.status.name} to a status that is done")
        way = min(ways, key=lambda one: one.to.id != closed)
        filled = with_resolution(fill(desk, way, issue, incident, book), book)
        return {"issue": issue.id, "transition": way.id, "fields": filled.fields}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One transition."""
        fields = rendered.get("fields")
        values = fields if isinstance(fields, dict) else None
        desk.clients.jira.move(str(rendered["issue"]), str(rendered["transition"]), values)
        return Outcome(str(rendered["issue"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The double is closed."""
        _on_record(session, desk, row, "double.closed")

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """Whether the younger issue is done."""
        issue = younger_issue(desk, row)
        done = issue is not None and issue.status.category == "done"
        return Outcome(str(row.meaning["younger"])) if done else None


def nobody_spoke(issue: Issue) -> bool:
    """Whether the issue has no comment at all; a list that was cut says nothing, so it counts as spoken."""
    return issue.comments is not None and not issue.comments


def _on_record(session: Session, desk: Desk, row: OperationRow, kind: str) -> None:
    younger, older = str(row.meaning["younger"]), str(row.meaning["older"])
    audit.append(
        session,
        desk.clock.now(),
        kind,
        incident=row.incident_id,
        issue=younger,
        operation=row.id,
        data={"older": older},
    )
