"""How people name an incident: by its id, its number, or the key of its ticket."""

from __future__ import annotations

from sqlmodel import Session, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.tables import IncidentRow, TicketRow


def find_incident(ledger: Transactions, wanted: str) -> IncidentRecord | None:
    """Return the incident of an id, a number (`#12`, `12`) or a ticket's key; None where there is none."""
    with ledger.read() as session:
        row = find_incident_in(session, wanted)
        return record_of(IncidentRecord, row) if row is not None else None


def find_incident_in(session: Session, wanted: str) -> IncidentRow | None:
    """As `find_incident`, as of this transaction."""
    row = session.get(IncidentRow, wanted)
    if row is not None:
        return row
    number = wanted.removeprefix("#")
    if number.isdecimal() and len(number) < 19:
        return session.exec(select(IncidentRow).where(IncidentRow.number == int(number))).first()
    ticket = session.exec(select(TicketRow).where(TicketRow.key == wanted.upper())).first()
    return session.get(IncidentRow, ticket.incident_id) if ticket else None
