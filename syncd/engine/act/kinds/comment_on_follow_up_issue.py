"""Comments of ours on a postmortem or an action item: what is owed, what happened, what people can do.

They are internal in a service project, as everything that we write there. Comments on these issues travel
nowhere, so a mark is all that tells ours from people's. Of a restricted incident our words are said, and
never the value that they speak of.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.config.templates.text_limits import cut
from syncd.domain.text import escape_wiki
from syncd.domain.ticket import Mark
from syncd.engine.act.jira_write.follow_up_issue import paper_in, paper_row, written
from syncd.engine.act.jira_write.internal_comments import (
    keep_what_the_answer_said,
    may_comment,
    shown_to_customers,
)
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, is_restricted, mark_of
from syncd.engine.context import Desk
from syncd.ledger.store.tables import OperationRow
from syncd.policy.marks import mark_in, mark_line
from syncd.policy.postmortem.facts_in_comments import FACTS, SAID

LONGEST_VALUE = 1000
"""UTF-16 units of the value that a comment of ours speaks of."""


class SayOnPaper(BaseAct):
    """One comment."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """Our words, the value harmless in wiki markup, and the mark as the last line."""
        paper = paper_row(desk, row)
        hidden = may_comment(desk, row, paper)
        body = f"{_body(desk, row)}\n\n{mark_line(row.op)}"
        return {"issue": paper.issue_id, "body": body, "hidden": hidden}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One comment."""
        issue, body = str(rendered["issue"]), str(rendered["body"])
        comment = desk.clients.jira.add_comment(issue, body, _mark(desk, row), internal=True)
        public = shown_to_customers(desk, issue, comment) if rendered.get("hidden") else None
        return Outcome(comment.id, {"public": public})

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The comment is there."""
        paper = paper_in(session, row)
        if paper is not None:
            written(session, desk, row, paper, "paper.commented", {"comment": outcome.remote_id})
            keep_what_the_answer_said(session, desk, row, paper, outcome)

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """List the issue's comments and adopt the one with our mark."""
        for comment in desk.clients.jira.comments(paper_row(desk, row).issue_id):
            ours = comment.mark.op == row.op if comment.mark else mark_in(comment.body) == row.op
            if ours:
                public = comment.public if (row.rendered or {}).get("hidden") else None
                return Outcome(comment.id, {"public": public})
        return None


def _mark(desk: Desk, row: OperationRow) -> Mark:
    """The mark, with what the comment states of a duty; of a restricted incident without people's words."""
    mark, facts = mark_of(desk, row), row.meaning.get(FACTS)
    if not isinstance(facts, dict):
        return mark
    said = row.meaning.get(SAID)
    if said and not is_restricted(desk, row):
        _, book = incident_and_book(desk, row)
        facts = {**facts, SAID: desk.renderer.mask(str(said), book)}
    return mark.model_copy(update={"facts": facts})


def _body(desk: Desk, row: OperationRow) -> str:
    said = f"{str(row.meaning['subject']).capitalize()}: {row.meaning['text']}"
    if is_restricted(desk, row):
        return said
    _, book = incident_and_book(desk, row)
    value = desk.renderer.mask(str(row.meaning.get("value", "")), book)
    return f"{said} {escape_wiki(cut(value, LONGEST_VALUE))}".rstrip()
