"""The incidents of a period and the tickets on record, as an auditor's count of the ledger needs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import col

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import IncidentRow, TicketRow


@dataclass(frozen=True, slots=True)
class Counted:
    """One incident of a period; `ticket`: it has one."""

    id: str
    number: int
    restricted: bool
    noise_rule: str | None
    merged_into: str | None
    ticket: bool


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The incidents of a period, and the ids of all issues that are tickets of the ledger."""

    incidents: tuple[Counted, ...]
    issues: frozenset[str]


def on_record(ledger: Transactions, since: datetime, until: datetime) -> OnRecord:
    """Return what the ledger holds of the incidents created in [since, until) that a mapping claims."""
    with ledger.read() as session:
        connection = session.connection()
        tickets = {row.incident_id: row.issue_id for row in connection.execute(_TICKETS)}
        rows = connection.execute(_INCIDENTS, {"since": since, "until": until}).all()
    incidents = tuple(Counted(*row, ticket=row.id in tickets) for row in rows)
    return OnRecord(incidents, frozenset(tickets.values()))


_INCIDENTS = columns(
    col(IncidentRow.id),
    col(IncidentRow.number),
    col(IncidentRow.restricted),
    col(IncidentRow.noise_rule),
    col(IncidentRow.merged_into),
).where(
    col(IncidentRow.created_at) >= bindparam("since"),
    col(IncidentRow.created_at) < bindparam("until"),
    col(IncidentRow.team).is_not(None),
)
_TICKETS = columns(col(TicketRow.incident_id), col(TicketRow.issue_id))
