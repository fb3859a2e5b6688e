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
from sqlmodel import Session

from syncd.domain.ticket import Comment
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.jira_write.retried import retried_at
from syncd.engine.act.kind import Outcome
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.ledger.store.snapshots import IssueRow
from syncd.ledger.store.tables import OperationRow
from syncd.remote.errors import RemoteError


def _name(project: str) -> str:
    return f"comments.stopped.{project}"


def may_comment(desk: Desk, row: OperationRow, ticket: IssueRow) -> bool:
    """Whether the answer to a comment must show it hidden: in the service projects of our mappings.

    Raises `CannotRender` while commenting on that project is stopped, unless a person has said since
    that it be tried again.
    """
    with desk.ledger.db.read() as session:
        stopped = get_cursor(session, _name(ticket.project))
    if stopped.get("at"):
        again = retried_at(desk, row)
        if again is None or again <= datetime.fromisoformat(str(stopped["at"])):
            raise CannotRender(
                f"commenting on {ticket.project} has stopped: comment {stopped['comment']} on"
                f" {stopped['key']} was shown to customers although it was sent as internal; hide it, find"
                " out why, then try one of these again: syncd outbox retry"
            )
    # the ticket may stand elsewhere than what is made later
    known = [incident_and_book(desk, row, home=home)[1].project for home in (False, True)]
    return any(one.service_desk and ticket.project == one.key for one in known)


def shown_to_customers(desk: Desk, issue_id: str, comment: Comment) -> bool:
    """Whether a comment that was sent as internal is public; read again where the answer does not deny it.

    A read that fails leaves what the answer said.
    """
    if comment.public is False:
        return False
    try:
        found = next((one for one in desk.clients.jira.comments(issue_id) if one.id == comment.id), comment)
    except RemoteError as error:
        logger.warning("comment {} could not be checked: {}", comment.id, error.describe())
        found = comment
    return found.public is True


def keep_what_the_answer_said(
    session: Session, desk: Desk, row: OperationRow, ticket: IssueRow, outcome: Outcome
) -> None:
    """After a comment that had to be hidden: stop commenting on its project where it is not, else go on."""
    public = outcome.data.get("public")
    if public is None:
        return
    name = _name(ticket.project)
    if public is False:
        if get_cursor(session, name).get("at"):
            set_cursor(session, name)
        return
    now = desk.clock.now()
    set_cursor(session, name, at=now.isoformat(), comment=outcome.remote_id, key=ticket.key)
    audit.append(
        session,
        now,
        "comment.public",
        incident=row.incident_id,
        issue=ticket.issue_id,
        operation=row.id,
        data={"comment": outcome.remote_id, "project": ticket.project},
    )
    logger.error(
        "comment {} on {} is shown to customers although it was sent as internal: commenting on {} stops;"
        " hide the comment in Jira",
        outcome.remote_id,
        ticket.key,
        ticket.project,
    )
