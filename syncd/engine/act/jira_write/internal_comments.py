"""In a service project customers read comments: all of ours are internal, and there the answer must say so.

Comments are sent as internal everywhere, since a person may move a ticket to a service project, and other
projects do not know the difference; so only a service project's answer is judged. If it shows a comment of
ours to customers all the same, commenting on that project stops: what is waiting is parked with the
reason. A person who has found out why tries one of those again (`syncd outbox retry`); if it comes out
internal, commenting goes on.
"""

from __future__ import annotations

from datetime import datetime

from loguru import logger

from syncd.domain.ticket import Comment
from syncd.engine.act.kind import book_of_basis, retried_at
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.key_values import comments_stopped
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import IssueState
from syncd.remote.errors import RemoteError


def may_comment(context: EngineContext, operation: OperationRecord, basis: Basis, ticket: IssueState) -> bool:
    """Whether the answer to a comment must show it hidden: in the service projects of our mappings.

    Raises `CannotRender` while commenting on that project is stopped, unless a person has said since
    that it be tried again.
    """
    stopped = comments_stopped(context.ledger, ticket.project)
    if stopped.get("at"):
        again = retried_at(context, operation)
        if again is None or again <= datetime.fromisoformat(str(stopped["at"])):
            raise CannotRender(
                f"commenting on {ticket.project} has stopped: comment {stopped['comment']} on"
                f" {stopped['key']} was shown to customers although it was sent as internal; hide it, find"
                " out why, then try one of these again: syncd outbox retry"
            )
    # the ticket may stand elsewhere than what is made later
    known = [book_of_basis(context, basis, home=home)[1].project for home in (False, True)]
    return any(one.service_desk and ticket.project == one.key for one in known)


def shown_to_customers(context: EngineContext, issue_id: str, comment: Comment) -> bool:
    """Whether a comment that was sent as internal is public; read again where the answer does not deny it.

    A read that fails leaves what the answer said.
    """
    if comment.public is False:
        return False
    try:
        found = next(
            (one for one in context.services.jira.comments(issue_id) if one.id == comment.id), comment
        )
    except RemoteError as error:
        logger.warning("comment {} could not be checked: {}", comment.id, error.describe())
        found = comment
    return found.public is True


def warn_of_shown(issue: IssueState, comment_id: str) -> None:
    """Log that a comment of ours is shown to customers, so that commenting on its project stops."""
    logger.error(
        "comment {} on {} is shown to customers although it was sent as internal: commenting on {} stops;"
        " hide the comment in Jira",
        comment_id,
        issue.key,
        issue.project,
    )
