"""Reads what people wrote where another read does not bring it: notes, and comments beyond those in an issue.

What cannot be read, or may not, stays as it is known; nothing else of the incident waits for it.
"""

from __future__ import annotations

from loguru import logger

from syncd.engine.context import EngineContext
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import IncidentRecord, TicketRecord
from syncd.ledger.store.pages import give_up_notes, store_comments, store_notes
from syncd.remote.errors import Cause, RemoteError, Unreadable

_NOT_FOR_US = (Cause.MISSING, Cause.FORBIDDEN)


def read_notes(context: EngineContext, incident: IncidentRecord) -> IncidentRecord | None:
    """List the notes of an incident; return it as it is on record afterwards.

    Raises `RemoteError` where PagerDuty cannot be asked.
    """
    read_seq = context.ledger.logical_clock.next()
    try:
        notes = context.services.pagerduty.notes(incident.id)
    except Unreadable as error:
        logger.bind(incident=incident.id).error(
            "the notes of {} cannot be read: {}", incident.id, error.message
        )
        return give_up_notes(context.ledger, incident.id)
    return store_notes(context.ledger, storage_rules(context), incident.id, notes, read_seq)


def read_comments(context: EngineContext, ticket: TicketRecord) -> None:
    """List a ticket's comments where its last read held fewer than there are.

    Raises `RemoteError` where Jira cannot be asked.
    """
    incident_id = ticket.incident_id
    if not ticket.snapshot or ticket.snapshot.get("comments") is not None:
        return
    try:
        comments = context.services.jira.comments(ticket.issue_id)
    except RemoteError as error:
        if not isinstance(error, Unreadable) and error.cause not in _NOT_FOR_US:
            raise
        logger.bind(incident=incident_id).warning(
            "the comments on {} cannot be read: {}", ticket.key, error.cause
        )
        return
    store_comments(context.ledger, storage_rules(context), incident_id, comments)
