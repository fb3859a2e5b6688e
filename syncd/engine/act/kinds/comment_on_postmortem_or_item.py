"""Comments of ours on a postmortem or an action item: what is owed, what happened, what people can do.

They are internal in a service project, as everything that we write there. Comments on these issues travel
nowhere, so a mark is all that tells ours from people's. Of a restricted incident our words are said, and
never the value that they speak of.
"""

from __future__ import annotations

from syncd.config.templates.text_limits import cut
from syncd.domain.operation.postmortem import DutyIssueComment
from syncd.domain.text import escape_wiki
from syncd.domain.ticket import Mark
from syncd.engine.act.jira_write.internal_comments import may_comment, said_public, shown_to_customers
from syncd.engine.act.jira_write.postmortem_or_item import duty_issue_for, written
from syncd.engine.act.jira_write.reread import book_of_basis, incident_and_book
from syncd.engine.act.kind import BaseKind, Outcome, Rendered, is_restricted, mark_of
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.leaving import Basis
from syncd.policy.marks import mark_in, mark_line
from syncd.policy.postmortem.facts_in_comments import SAID

LONGEST_VALUE = 1000
"""UTF-16 units of the value that a comment of ours speaks of."""


class CommentOnDutyIssueKind(BaseKind):
    """One comment."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """Our words, the value harmless in wiki markup, and the mark as the last line."""
        duty_issue = duty_issue_for(context, operation)
        hidden = may_comment(context, operation, basis, duty_issue)
        body = f"{_body(context, operation, basis)}\n\n{mark_line(operation.op)}"
        return {"issue": duty_issue.issue_id, "body": body, "hidden": hidden}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One comment."""
        issue, body = str(rendered["issue"]), str(rendered["body"])
        comment = context.services.jira.add_comment(issue, body, _mark(context, operation), internal=True)
        public = shown_to_customers(context, issue, comment) if rendered.get("hidden") else None
        return Outcome(comment.id, {"public": public})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The comment is there."""
        moment, comment = context.ledger.logical_clock.next(), outcome.remote_id
        return Confirmation(
            duty_issue=lambda issue: written(issue, moment, "commented", {"comment": comment}),
            public=said_public(outcome),
        )

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """List the issue's comments and adopt the one with our mark."""
        for comment in context.services.jira.comments(duty_issue_for(context, operation).issue_id):
            ours = comment.mark.op == operation.op if comment.mark else mark_in(comment.body) == operation.op
            if ours:
                public = comment.public if (operation.rendered or {}).get("hidden") else None
                return Outcome(comment.id, {"public": public})
        return None


def _mark(context: EngineContext, operation: OperationRecord) -> Mark:
    """The mark, with what the comment states of a duty; of a restricted incident without people's words."""
    mark, comment = mark_of(context, operation), operation.typed(DutyIssueComment)
    facts = comment.facts
    if facts is None:
        return mark
    if comment.said and not is_restricted(context, operation):
        _, book = incident_and_book(context, operation)
        facts = {**facts, SAID: context.renderer.mask(comment.said, book)}
    return mark.model_copy(update={"facts": facts})


def _body(context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
    comment = operation.typed(DutyIssueComment)
    said = f"{comment.subject.capitalize()}: {comment.text}"
    if basis.restricted:
        return said
    _, book = book_of_basis(context, basis)
    value = context.renderer.mask(comment.value, book)
    return f"{said} {escape_wiki(cut(value, LONGEST_VALUE))}".rstrip()
