"""Collect the content of a postmortem: facts of its incident from the ledger and from the services.

syncd asks the services once, when it creates the postmortem. Of a restricted incident it reads no texts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from syncd.domain.duty import DutyKind
from syncd.domain.incident import Note, Responder
from syncd.domain.postmortem import Alert, Story
from syncd.domain.ticket import Account, Comment
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_users
from syncd.engine.observe.notes_and_comments import list_comments, read_notes
from syncd.engine.runtime.troubles import READ_ALERTS
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.postmortems import log_of
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import Owed, severity_periods_of
from syncd.policy.postmortem.timeline import alerts_of, helpers_of, timeline_of, windows_of


def story_of(
    context: EngineContext,
    record: IncidentRecord,
    case: Case,
    book: Rulebook,
    owed: Owed,
    over: datetime,
    commanders: tuple[Responder, ...],
    owner: Account | None,
) -> Story:
    """Return the story of a resolved incident; `over` is when it was resolved (UTC).

    Raise `RemoteError` where a service cannot answer.
    """
    withheld = case.restricted
    log, state_changes, severity_periods = (
        log_of(record),
        case.state_changes or (),
        severity_periods_of(case, book),
    )
    notes = () if withheld else _notes(context, record, case)
    comments = () if withheld else _comments(context, case)
    acknowledged = next((change.at for change in state_changes if change.kind == "acknowledged"), None)
    base = context.facts.server().base_url.rstrip("/")
    section, scheduled = book.mapping.postmortem, case.duty(DutyKind.SCHEDULED)
    completed = case.duty(DutyKind.COMPLETED)
    begins = max(over, owed.since)
    return Story(
        severity=owed.severity,
        windows=windows_of(state_changes, case.incident),
        severity_periods=severity_periods,
        acknowledged_at=acknowledged,
        helpers=helpers_of(log, notes, [commander.name for commander in commanders], our_users(context)),
        lines=timeline_of(
            log,
            state_changes,
            severity_periods,
            notes,
            comments,
            list(book.mapping.severities),
            withheld=withheld,
        ),
        alerts=() if withheld else _alerts(context, case.incident.id, book),
        ticket_key=case.ticket.key if case.ticket else "",
        ticket_url=f"{base}/browse/{case.ticket.key}" if case.ticket else "",
        owner=(owner.name or owner.id) if owner else "",
        schedule_by=scheduled.due_at if scheduled else begins + timedelta(hours=section.schedule_hours),
        review_by=over + timedelta(days=section.review_within_days),
        complete_by=completed.due_at if completed else None,
        withheld=withheld,
    )


def _notes(context: EngineContext, record: IncidentRecord, case: Case) -> tuple[Note, ...]:
    if case.notes is not None:
        return case.notes
    return read_notes(context, record, news="its notes were listed for the postmortem", patient=True) or ()


def _comments(context: EngineContext, case: Case) -> tuple[Comment, ...]:
    """Return the comments on the ticket; read them where the snapshot's list was cut."""
    ticket = case.ticket
    if ticket is None:
        return ()
    comments = ticket.issue.comments if ticket.issue else None
    return comments if comments is not None else list_comments(context, ticket, patient=True) or ()


def _alerts(context: EngineContext, incident_id: str, book: Rulebook) -> tuple[Alert, ...]:
    """Return what the postmortem tells of the incident's alerts, none where syncd cannot read them."""
    ask = partial(context.services.pagerduty.alerts, incident_id)
    # the postmortem is written once, so a short outage may delay it
    alerts = context.troubles.ask(incident_id, READ_ALERTS, ask, patient=True)
    return alerts_of(alerts or (), book.mapping.alerts)
