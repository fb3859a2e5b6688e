"""Read people's texts that no other read brings: notes, and comments beyond those in an issue's answer.

If syncd cannot read them, the stored texts stay as they are, and nothing else of the incident waits for them.
"""

from __future__ import annotations

from loguru import logger

from syncd.domain.incident import Note
from syncd.engine.context import EngineContext
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.lookups import display_name
from syncd.ledger.store.pages import give_up_notes, store_comments, store_notes
from syncd.policy.case import TicketState
from syncd.remote.errors import RemoteError, Unreadable


def read_notes(context: EngineContext, incident: IncidentRecord, *, news: str | None = None) -> None:
    """List the notes of an incident and store them; raise `RemoteError` where PagerDuty cannot answer.

    `news`: store them only if they differ from those on record, with a change notice of this reason.
    """
    rules, read_seq = storage_rules(context), context.ledger.logical_clock.next()
    notes = list_notes(context, incident.id)
    if notes is None:
        give_up_notes(context.ledger, incident.id)
        return
    kept = rules.notes(notes, incident.team)
    if news is not None and [note.model_dump(mode="json") for note in kept] == (incident.notes or []):
        return
    store_notes(context.ledger, rules, incident.id, kept, read_seq, now=context.clock.now(), why=news)


def list_notes(context: EngineContext, incident_id: str) -> tuple[Note, ...] | None:
    """Return the notes of an incident, None where PagerDuty cannot or will not show them to us.

    Raise `RemoteError` where PagerDuty cannot answer.
    """
    try:
        return context.services.pagerduty.notes(incident_id)
    except RemoteError as error:
        if not _is_its_own_trouble(error):
            raise
        logger.bind(incident=incident_id).warning(
            "{}: syncd cannot read the notes: {}",
            display_name(context.ledger, incident_id),
            error.message or error.cause,
        )
        return None


def read_comments(context: EngineContext, ticket: TicketState) -> None:
    """List a ticket's comments if its last read cut the list; raise `RemoteError` where Jira fails."""
    incident_id = ticket.incident_id
    if ticket.issue is None or ticket.issue.comments is not None:
        return
    try:
        comments = context.services.jira.comments(ticket.issue_id)
    except RemoteError as error:
        if not _is_its_own_trouble(error):
            raise
        logger.bind(incident=incident_id).warning(
            "{}: syncd cannot read the comments: {}", display_name(context.ledger, incident_id), error.cause
        )
        return
    store_comments(context.ledger, storage_rules(context), incident_id, comments)


def _is_its_own_trouble(error: RemoteError) -> bool:
    """Return True if a refusal concerns this object alone, so that nothing else waits for it."""
    return isinstance(error, Unreadable) or error.not_for_us
