"""Keep our comments internal in service projects, where customers read public comments.

syncd sends each comment as internal, because a person may move a ticket to a service project. Other projects
ignore the mark, so syncd checks only a service project's answer. If customers see a comment of ours all the
same, syncd stops commenting on that project and parks the waiting comments with the reason. An operator who
knows the cause retries one of them (`syncd outbox retry`); if that one is internal, syncd comments again.
"""

from __future__ import annotations

from datetime import datetime

from loguru import logger

from syncd.domain.ticket import Comment
from syncd.engine.act.kind import book_of_basis, retried_at
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.rulebook import recurring_book
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.key_values import comments_stopped
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import IssueState
from syncd.remote.errors import Cause, RemoteError, Unknown


def may_comment(context: EngineContext, operation: OperationRecord, basis: Basis, ticket: IssueState) -> bool:
    """Return True if the answer must show the comment as internal: in the service projects of our mappings.

    Raise `CannotRender` while syncd has stopped commenting on that project, unless an operator retried this
    comment since.
    """
    stopped = comments_stopped(context.ledger, ticket.project)
    if stopped.get("at"):
        again = retried_at(context, operation)
        # a retry after the stop is an operator's word that the cause is mended
        if again is None or again <= datetime.fromisoformat(str(stopped["at"])):
            raise CannotRender(
                f"syncd stopped commenting on {ticket.project}: customers see comment {stopped['comment']} on"
                f" {stopped['key']} although syncd sent it as internal; hide it, find out why, then retry one"
                " of these: syncd outbox retry"
            )
    recurring = recurring_book(context, operation.incident_id)
    if recurring is not None:
        projects = [recurring[1].project]
    else:
        # the ticket may stand in an earlier team's project, and the postmortem in the present team's
        projects = [book_of_basis(context, basis, home=home)[1].project for home in (False, True)]
    return any(project.service_desk and ticket.project == project.key for project in projects)


def shown_to_customers(context: EngineContext, issue_id: str, comment: Comment) -> bool:
    """Return True unless the comment, which syncd sent as internal, shows as internal.

    Read the comment again where the answer does not show it as internal. Raise `Unknown` if that fails: then
    the comment is looked up as after a lost answer, until Jira shows who can see it.
    """
    if comment.public is False:
        return False
    doing = f"checking if customers see comment {comment.id}"
    try:
        comments = context.services.jira.comments(issue_id)
    except RemoteError as error:
        raise Unknown(error.service, doing, error.cause, error.message) from None
    shown = next((other for other in comments if other.id == comment.id), None)
    if shown is None:
        raise Unknown("jira", doing, Cause.BROKEN, "Jira does not show the comment yet")
    return is_shown(shown)


def is_shown(comment: Comment) -> bool:
    """Return True unless Jira shows a comment as internal: what it does not tell counts as seen."""
    return comment.public is not False


def warn_of_shown(issue: IssueState, comment_id: str) -> None:
    """Log that customers see a comment of ours, so that syncd stops commenting on its project."""
    logger.error(
        "{}: customers see comment {} although syncd sent it as internal; syncd stops commenting on {}:"
        " hide the comment in Jira",
        issue.key,
        comment_id,
        issue.project,
    )
