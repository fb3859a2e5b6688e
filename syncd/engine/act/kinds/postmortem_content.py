"""Gathers what a postmortem tells of its incident: from the ledger, and what only the services know.

Asked for once, when the postmortem is made. Of a restricted incident nothing with a text is read.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.domain.duty import DutyKind
from syncd.domain.incident import Note, Responder
from syncd.domain.postmortem import Alert, Story
from syncd.domain.ticket import Account, Comment
from syncd.engine.context import Desk
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.postmortems import log_of
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import Owed, spells_of
from syncd.policy.postmortem.timeline import helpers_of, timeline_of, windows_of
from syncd.remote.errors import Cause, NotDone


def story_of(
    desk: Desk,
    known: IncidentRecord,
    case: Case,
    book: Rulebook,
    owed: Owed,
    over: datetime,
    commanders: tuple[Responder, ...],
    owner: Account | None,
) -> Story:
    """Given a resolved incident's case, return its story; `over` is when it was resolved (UTC).

    Raises `RemoteError` where something has to be read and cannot be.
    """
    withheld = case.restricted
    log, turns, spells = log_of(known), case.turns or (), spells_of(case, book)
    notes = () if withheld else _notes(desk, case)
    comments = () if withheld else _comments(desk, case)
    acknowledged = next((one.at for one in turns if one.kind == "acknowledged"), None)
    base = desk.clients.jira.server().base_url.rstrip("/")
    section, scheduled = book.mapping.postmortem, case.duty(DutyKind.SCHEDULED)
    completed = case.duty(DutyKind.COMPLETED)
    begins = max(over, owed.since)
    return Story(
        severity=owed.severity,
        windows=windows_of(turns, case.incident),
        spells=spells,
        acknowledged_at=acknowledged,
        helpers=helpers_of(log, notes, [one.name for one in commanders]),
        lines=timeline_of(
            log, turns, spells, notes, comments, list(book.mapping.severities), withheld=withheld
        ),
        alerts=() if withheld else _alerts(desk, case.incident.id, book),
        ticket_key=case.ticket.key if case.ticket else "",
        ticket_url=f"{base}/browse/{case.ticket.key}" if case.ticket else "",
        owner=(owner.name or owner.id) if owner else "",
        schedule_by=scheduled.due_at if scheduled else begins + timedelta(hours=section.schedule_hours),
        review_by=over + timedelta(days=section.review_within_days),
        complete_by=completed.due_at if completed else None,
        withheld=withheld,
    )


def _notes(desk: Desk, case: Case) -> tuple[Note, ...]:
    return case.notes if case.notes is not None else desk.clients.pagerduty.notes(case.incident.id)


def _comments(desk: Desk, case: Case) -> tuple[Comment, ...]:
    """People's comments on the ticket; read where the ticket's answer held fewer than there are."""
    ticket = case.ticket
    if ticket is None:
        return ()
    known = ticket.issue.comments if ticket.issue else None
    return known if known is not None else desk.clients.jira.comments(ticket.issue_id)


def _alerts(desk: Desk, incident_id: str, book: Rulebook) -> tuple[Alert, ...]:
    """The incident's alerts, none where PagerDuty does not show them to us; details only where asked for."""
    try:
        found = desk.clients.pagerduty.alerts(incident_id)
    except NotDone as error:
        if error.cause not in (Cause.MISSING, Cause.FORBIDDEN):
            raise
        return ()
    return found if book.mapping.alerts == "full" else tuple(_short(one) for one in found)


def _short(alert: Alert) -> Alert:
    return alert.model_copy(update={"details": ""})
