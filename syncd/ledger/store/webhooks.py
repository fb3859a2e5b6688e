"""What a webhook leaves in the ledger: a change notice, and the deletion of a ticket on record."""

from __future__ import annotations

from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, TicketRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.loading import get, record_of
from syncd.ledger.store.snapshots import tickets_by_issue_in


def team_of_incident(ledger: Transactions, incident_id: str) -> str | None:
    """Return the team of an incident that is on record; None where it has none or is not."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return incident.team if incident else None


def ticket_of_issue(ledger: Transactions, issue_id: str) -> TicketRecord | None:
    """Return the ticket that an issue is, None where it is none of ours."""
    with ledger.read() as session:
        row = tickets_by_issue_in(session, [issue_id]).get(issue_id)
        return record_of(TicketRecord, row) if row else None


def note_incident_event(
    ledger: Transactions, incident_id: str, now: datetime, moment: int, why: str, *, notes: bool
) -> None:
    """Note that an incident may have changed; `notes`: somebody wrote, edited or deleted a note."""
    with ledger.write() as session:
        notice_changes_in(session, [incident_id], now, moment, why, notes=notes)


def note_ticket_event(
    ledger: Transactions,
    ticket: TicketRecord,
    now: datetime,
    moment: int,
    why: str,
    *,
    deleted: bool,
    account: str | None,
) -> None:
    """Note that a ticket may have changed; that it was deleted, by `account`, goes on record with it."""
    with ledger.write() as session:
        notice_changes_in(session, [ticket.incident_id], now, moment, why, ticket=True)
        if deleted:
            data: dict[str, JsonValue] | None = {"by": account} if account else None
            incident, issue = ticket.incident_id, ticket.issue_id
            audit.append(session, now, "ticket.deleted", incident=incident, issue=issue, data=data)
