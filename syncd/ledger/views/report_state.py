"""The state that a report tells beside its facts: parked operations, counts, unread logs, the services."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlalchemy import select as columns
from sqlmodel import col

from syncd.domain.operation import OperationState
from syncd.domain.recurring import PREFIX
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import json_text
from syncd.ledger.store.key_values import get_value
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.ledger.views.report_facts import LOG_UNREAD, columns_of, of_team


@dataclass(frozen=True, slots=True)
class ParkedFact:
    """A parked operation with the service's words; `to` is the recipient if it is a mail.

    `number`, `ticket` and `restricted` are the incident's. It was parked at `since` (UTC).
    """

    id: int
    kind: str
    incident: str
    words: str
    to: str | None
    number: int | None
    ticket: str | None
    restricted: bool
    since: datetime


def parked(ledger: Transactions, team: str | None) -> tuple[ParkedFact, ...]:
    """Return the parked operations, which wait for a person."""
    query = (
        columns_of(
            ParkedFact,
            OperationRow,
            incident=col(OperationRow.incident_id),
            words=func.coalesce(OperationRow.error, ""),
            to=json_text(col(OperationRow.meaning), "to"),
            number=col(IncidentRow.number),
            ticket=col(TicketRow.key),
            restricted=func.coalesce(col(IncidentRow.restricted), False),
            since=func.coalesce(col(OperationRow.waits_since), col(OperationRow.decided_at)),
        )
        .join(IncidentRow, col(IncidentRow.id) == col(OperationRow.incident_id), isouter=True)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(col(OperationRow.state) == OperationState.PARKED)
        .order_by(col(OperationRow.id))
    )
    if team is not None:
        # a mail to a whole team, and what recurs, belong to no incident
        query = query.where(
            or_(
                col(IncidentRow.team) == team,
                col(OperationRow.incident_id) == f"team/{team}",
                col(OperationRow.incident_id).startswith(f"{PREFIX}{team}/", autoescape=True),
            )
        )
    with ledger.read() as session:
        return tuple(ParkedFact(*row) for row in session.connection().execute(query))


def created(ledger: Transactions, since: datetime, until: datetime, team: str | None) -> int:
    """Return how many incidents of mapped services were created in [since, until), without exercises."""
    query = columns(func.count()).where(
        col(IncidentRow.created_at) >= since,
        col(IncidentRow.created_at) < until,
        of_team(team),
        col(IncidentRow.exercise).is_(None),
    )
    with ledger.read() as session:
        return int(session.connection().scalar(query) or 0)


def log_unread(ledger: Transactions, since: datetime, until: datetime, team: str | None) -> list[str]:
    """Return the incidents created in [since, until) without an acknowledgement, whose log was never read."""
    query = columns(col(IncidentRow.id)).where(
        col(IncidentRow.created_at) >= since,
        col(IncidentRow.created_at) < until,
        of_team(team),
        LOG_UNREAD,
    )
    query = query.order_by(col(IncidentRow.created_at), col(IncidentRow.number))
    with ledger.read() as session:
        return list(session.connection().scalars(query))


def services(ledger: Transactions) -> dict[str, object]:
    """Return the state of the services after the last cycle (`down`, `unmapped`, `notes`)."""
    return get_value(ledger, "services")


def last_reads(ledger: Transactions, services: Iterable[str]) -> dict[str, datetime]:
    """Return when syncd read each of these services for the last time (UTC), without those never read."""
    reads = {service: get_value(ledger, f"cycle.{service}").get("at") for service in services}
    return {service: datetime.fromisoformat(str(at)) for service, at in reads.items() if at}
