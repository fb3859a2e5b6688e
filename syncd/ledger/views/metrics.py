"""What the metrics ask the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import DutyRow, IncidentRow, MetaRow, TicketRow
from syncd.ledger.views.status import doubles_data


@dataclass(frozen=True, slots=True)
class Measures:
    """Seconds from incident to ticket, duties by state, doubles found and left to people."""

    ticket_delays: tuple[float, ...]
    duties: dict[str, int]
    doubles_found: int
    doubles_left: int


def measures(ledger: Transactions, since: datetime) -> Measures:
    """Return the figures as they stand; the delays are those of the tickets made since a moment."""
    with ledger.read() as session:
        duplicates = doubles_data(session)
        return Measures(
            ticket_delays=tuple(_ticket_delays(session, since)),
            duties=_duties_by_state(session),
            doubles_found=int(duplicates["found"]),
            doubles_left=len(duplicates["left"]),
        )


def _ticket_delays(session: Session, since: datetime) -> list[float]:
    """Seconds from incident to ticket, of the tickets made since a moment.

    What happened before the ledger was born is left out: its tickets were late before we came.
    """
    row = session.get(MetaRow, "born")
    born = datetime.fromisoformat(row.value) if row else since
    query = (
        select(IncidentRow.created_at, TicketRow.created_at)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
        .where(TicketRow.created_at >= since, TicketRow.origin == "operation", IncidentRow.created_at >= born)
    )
    return [max(0.0, (made - began).total_seconds()) for began, made in session.exec(query).all()]


def _duties_by_state(session: Session) -> dict[str, int]:
    """How many duties stand where."""
    query = select(DutyRow.state, func.count()).group_by(col(DutyRow.state)).order_by(col(DutyRow.state))
    return {state: int(number) for state, number in session.exec(query).all()}
