"""What is on record of one incident: itself, its ticket, what follows it, and its open operations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.duty import Duty
from syncd.domain.operation import OPEN_STATES
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import (
    ActionItemRecord,
    IncidentRecord,
    OperationRecord,
    PostmortemRecord,
    TicketRecord,
)
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import ChangeNotice, change_notices_of_in
from syncd.ledger.store.duties import duties_of
from syncd.ledger.store.loading import columns_of, get, load, select_records
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, OperationRow, PersonRow, TicketRow


@dataclass(frozen=True, slots=True)
class Known:
    """An incident and its ticket as they are on record, and the change notices that wait for an answer."""

    incident: IncidentRecord | None
    ticket: TicketRecord | None
    notices: tuple[ChangeNotice, ...]


@dataclass(frozen=True, slots=True)
class Followers:
    """What follows an incident, with the incident and its ticket; everything as of one transaction."""

    incident: IncidentRecord
    ticket: TicketRecord | None
    postmortem: PostmortemRecord | None
    items: tuple[ActionItemRecord, ...]
    duties: tuple[Duty, ...]


def find_incident(ledger: Transactions, incident_id: str) -> Known:
    """Return an incident, its ticket and its change notices."""
    with ledger.read() as session:
        incident, ticket = incident_and_ticket_in(session, incident_id)
        return Known(incident, ticket, tuple(change_notices_of_in(session, incident_id)))


def find_ticket(ledger: Transactions, incident_id: str) -> TicketRecord | None:
    """Return the ticket of an incident, None where it has none."""
    with ledger.read() as session:
        return get(session, TicketRecord, incident_id)


def load_followers(ledger: Transactions, incident_id: str) -> Followers | None:
    """Return what follows an incident, None where the incident is not on record."""
    with ledger.read() as session:
        incident, ticket = incident_and_ticket_in(session, incident_id)
        if incident is None:
            return None
        return Followers(
            incident=incident,
            ticket=ticket,
            postmortem=get(session, PostmortemRecord, incident_id),
            items=items_in(session, incident_id),
            duties=duties_of(session, incident_id),
        )


def addresses_of(ledger: Transactions, accounts: Collection[str]) -> dict[str, str]:
    """Return the addresses that look-ups of people have led to these accounts by, by account id."""
    with ledger.read() as session:
        return addresses_of_in(session, accounts)


def addresses_of_in(session: Session, accounts: Collection[str]) -> dict[str, str]:
    """As `addresses_of`, as of this transaction."""
    people = session.connection().execute(_PEOPLE).all()
    return {
        str(person.account["id"]): person.email
        for person in people
        if person.account and person.account.get("id") in accounts
    }


def open_operations(ledger: Transactions, incident_id: str) -> list[OperationRecord]:
    """Return the open operations of an incident, oldest first."""
    with ledger.read() as session:
        return open_operations_in(session, incident_id)


def open_operations_in(session: Session, incident_id: str) -> list[OperationRecord]:
    """Return the open operations of an incident, oldest first."""
    return load(session, OperationRecord, _OPEN, {"incident": incident_id})


def incidents_waiting_for(ledger: Transactions, key: str) -> list[str]:
    """Return the incidents with a pending operation that needs `key`."""
    with ledger.read() as session:
        return outbox.incidents_waiting_for(session, key)


def in_doubt(ledger: Transactions, incident_id: str, since: datetime) -> bool:
    """Return True if a write to an incident's ticket was refused since then, or has an unknown outcome."""
    with ledger.read() as session:
        return outbox.in_doubt(session, incident_id, since)


def keys_on_record(ledger: Transactions, keys: Collection[str]) -> set[str]:
    """Return those of these keys of which an operation was ever decided."""
    if not keys:
        return set()
    with ledger.read() as session:
        return set(session.connection().scalars(_ON_RECORD, {"keys": list(keys)}))


def items_in(session: Session, incident_id: str) -> tuple[ActionItemRecord, ...]:
    """Return the action items of an incident, in the order in which they were first seen."""
    return tuple(load(session, ActionItemRecord, _ITEMS, {"incident": incident_id}))


def incident_and_ticket_in(
    session: Session, incident_id: str
) -> tuple[IncidentRecord | None, TicketRecord | None]:
    """Return an incident and its ticket, in one read."""
    row = session.connection().execute(_BOTH, {"incident": incident_id}).first()
    if row is None:
        return None, None
    ticket = row[_OF_INCIDENT:]
    # the ticket's first column is its key: without one there is no ticket
    return IncidentRecord(*row[:_OF_INCIDENT]), None if ticket[0] is None else TicketRecord(*ticket)


_OF_INCIDENT = len(columns_of(IncidentRecord))
_BOTH = (
    columns(*columns_of(IncidentRecord), *columns_of(TicketRecord))
    .select_from(IncidentRow)
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(IncidentRow.id) == bindparam("incident"))
)


_WHOSE: BindParameter[str] = bindparam("incident")
_OPEN = (
    select_records(OperationRecord)
    .where(
        col(OperationRow.incident_id) == _WHOSE,
        col(OperationRow.state).in_([literal(str(state)) for state in OPEN_STATES]),
    )
    .order_by(col(OperationRow.id))
)
_ON_RECORD = columns(col(OperationRow.key)).where(
    col(OperationRow.key).in_(bindparam("keys", expanding=True))
)
_ITEMS = (
    select_records(ActionItemRecord)
    .where(col(ActionItemRow.incident_id) == _WHOSE)
    .order_by(col(ActionItemRow.first_seen_at))
)
_PEOPLE = columns(col(PersonRow.email), col(PersonRow.account))
