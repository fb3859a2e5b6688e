"""Reads what people wrote where another read does not bring it: notes, and comments beyond those in an issue.

What cannot be read, or may not, stays as it is known; nothing else of the incident waits for it.
"""

from __future__ import annotations

from loguru import logger

from syncd.engine.context import Desk
from syncd.engine.observe.intake import keep_comments, keep_notes
from syncd.ledger.store.snapshots import leave_notes
from syncd.ledger.store.tables import IncidentRow, TicketRow
from syncd.remote.errors import Cause, RemoteError, Unreadable

_NOT_FOR_US = (Cause.MISSING, Cause.FORBIDDEN)


def read_notes(desk: Desk, row: IncidentRow) -> None:
    """List the notes of an incident; raises `RemoteError` where PagerDuty cannot be asked."""
    moment = desk.ledger.moments.next()
    try:
        notes = desk.clients.pagerduty.notes(row.id)
    except Unreadable as error:
        logger.bind(incident=row.id).error("the notes of {} cannot be read: {}", row.id, error.message)
        with desk.ledger.db.write() as session:
            leave_notes(session, row)
        return
    with desk.ledger.db.write() as session:
        session.add(row)
        keep_notes(session, desk, row, notes, moment)


def read_comments(desk: Desk, ticket: TicketRow) -> None:
    """List a ticket's comments where its last read held fewer than there are.

    Raises `RemoteError` where Jira cannot be asked.
    """
    incident_id = ticket.incident_id
    if not ticket.snapshot or ticket.snapshot.get("comments") is not None:
        return
    try:
        comments = desk.clients.jira.comments(ticket.issue_id)
    except RemoteError as error:
        if not isinstance(error, Unreadable) and error.cause not in _NOT_FOR_US:
            raise
        logger.bind(incident=incident_id).warning(
            "the comments on {} cannot be read: {}", ticket.key, error.cause
        )
        return
    with desk.ledger.db.write() as session:
        keep_comments(session, desk, incident_id, comments)
