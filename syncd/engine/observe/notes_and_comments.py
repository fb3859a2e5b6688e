"""Read people's texts that no other read brings: notes, and comments beyond those in an issue's answer.

If syncd cannot read them, the stored texts stay as they are, and nothing else of the incident waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.domain.incident import Note
from syncd.domain.ticket import Comment
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_users, our_users_on_record
from syncd.engine.observe.masking import storage_rules
from syncd.engine.runtime.troubles import READ_COMMENTS, READ_NOTES
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.pages import store_comments, store_notes
from syncd.policy.case import TicketState
from syncd.policy.marks import mark_in


def read_notes(
    context: EngineContext, incident: IncidentRecord, *, news: str | None = None, patient: bool = False
) -> tuple[Note, ...] | None:
    """List the notes of an incident and store them; return them, None where syncd cannot read them now.

    `news`: see `keep_notes`. With `patient` raise `RemoteError` while PagerDuty as a whole may be down.
    """
    read_seq = context.ledger.logical_clock.next()
    notes = context.troubles.ask(
        incident.id, READ_NOTES, lambda: context.services.pagerduty.notes(incident.id), patient=patient
    )
    if notes is not None:
        keep_notes(context, incident, notes, read_seq, news=news)
    return notes


def keep_notes(
    context: EngineContext,
    incident: IncidentRecord,
    notes: tuple[Note, ...],
    read_seq: int,
    *,
    news: str | None = None,
) -> None:
    """Store the notes of an incident as listed by a request that began at `read_seq`.

    `news`: store them only if they differ from those on record, with a change notice of this reason if the
    difference is not just our own notes.
    """
    rules = storage_rules(context)
    if any(note.by_person for note in notes) and not our_users_on_record(context):
        # else a note of syncd's own user would count as a person's
        our_users(context, patient=False)
    kept = rules.notes(notes, incident.team)
    listed, on_record = [note.model_dump(mode="json") for note in kept], incident.notes or []
    if news is not None and listed == on_record:
        return
    # our own notes are known since they were confirmed, and no rule reads them
    why = news if _without_ours(listed) != _without_ours(on_record) else None
    store_notes(context.ledger, rules, incident.id, kept, read_seq, now=context.clock.now(), why=why)


def _without_ours(notes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [note for note in notes if mark_in(str(note["text"])) is None]


def read_comments(context: EngineContext, ticket: TicketState) -> None:
    """List a ticket's comments if its last read cut the list."""
    if ticket.issue is None or ticket.issue.comments is not None:
        return
    comments = list_comments(context, ticket)
    if comments is not None:
        store_comments(context.ledger, storage_rules(context), ticket.incident_id, comments)


def list_comments(
    context: EngineContext, ticket: TicketState, *, patient: bool = False
) -> tuple[Comment, ...] | None:
    """Return the comments on a ticket, None where syncd cannot read them now; `patient`: see `read_notes`."""
    return context.troubles.ask(
        ticket.incident_id,
        READ_COMMENTS,
        lambda: context.services.jira.comments(ticket.issue_id),
        patient=patient,
    )
