"""Counts and times for the running daemon, its status page and its metrics; never a title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import WORKING_STATES, Target
from syncd.ledger.database.connection import OneView, Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import first_load, holds, outbox
from syncd.ledger.store.cases import merged_sources_in
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import (
    ChangeNoticeRow,
    DutyRow,
    IncidentRow,
    MetaRow,
    OperationRow,
    TicketRow,
)
from syncd.ledger.views.report_facts import of_team
from syncd.ledger.views.status import doubles_data
from syncd.policy.restricted import ASPECT


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The ledger's state: open incidents, operations by state, brakes.

    `oldest_waiting` is when the oldest waiting operation was decided (UTC).
    """

    open_incidents: int
    operations: dict[str, int]
    oldest_waiting: datetime | None
    brakes: holds.DaemonStatus


def daemon_state(ledger: Transactions) -> DaemonState:
    """Return the ledger's state."""
    with ledger.read() as session:
        connection = session.connection()
        return DaemonState(
            open_incidents=connection.scalar(_OPEN) or 0,
            operations=outbox.counts(session),
            oldest_waiting=connection.scalar(_OLDEST),
            # read in this transaction, so that the brakes fit the counts
            brakes=holds.standing(OneView(session)),
        )


_OPEN = (
    columns(func.count()).select_from(IncidentRow).where(col(IncidentRow.status) != IncidentStatus.RESOLVED)
)
_OLDEST = (
    columns(col(OperationRow.decided_at))
    .where(col(OperationRow.state).in_([literal(str(state)) for state in WORKING_STATES]))
    .order_by(col(OperationRow.decided_at))
    .limit(1)
)


def first_load_data(ledger: Transactions) -> dict[str, Any]:
    """Return the state of the first load, and while it is held the counts of its operations by kind."""
    with ledger.read() as session:
        return first_load.data_of(session)


def next_due(ledger: Transactions, after: datetime) -> datetime | None:
    """Return the next time (UTC) when the passing of time alone asks for a decision on any incident."""
    with ledger.read() as session:
        return session.connection().scalar(_NEXT_DUE, {"after": after})


_NEXT_DUE = columns(func.min(col(IncidentRow.due_at))).where(col(IncidentRow.due_at) > bindparam("after"))


def due_incidents(ledger: Transactions, now: datetime, limit: int = 200) -> list[str]:
    """Return at most `limit` incidents for which the passing of time alone asks for a decision by `now`."""
    with ledger.read_one() as session:
        return _DUE.scalars(session, now=now, most=limit)


_DUE = Prepared(
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.due_at) <= bindparam("now"))
    .order_by(col(IncidentRow.due_at))
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts that decide how soon syncd works on an incident; `severity` None: not decided yet.

    `lacks_level`: its ticket waits for its security level. `mail_waits`: a mail about it waits.
    """

    id: str
    incident: Incident
    team: str | None
    severity: str | None
    lacks_level: bool
    mail_waits: bool


def standings(ledger: Transactions, incident_ids: Sequence[str]) -> list[Standing]:
    """Return the standings of those of these incidents that are on record."""
    with ledger.read() as session:
        return [
            Standing(
                row.id,
                Incident.model_validate(row.snapshot),
                row.team,
                row.severity,
                bool(row.level)
                or bool(row.restricted and row.news and row.agreed and ASPECT not in row.agreed),
                bool(row.mail),
            )
            for start in range(0, len(incident_ids), ASKED_AT_ONCE)
            for row in session.connection().execute(
                _STANDINGS, {"ids": list(incident_ids[start : start + ASKED_AT_ONCE])}
            )
        ]


ASKED_AT_ONCE = 1000
"""Incidents in one statement: a database takes a limited number of parameters."""


def _waits(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether an operation of the incident waits that meets the conditions."""
    states = [literal(str(state)) for state in WORKING_STATES]
    mine = col(OperationRow.incident_id) == col(IncidentRow.id)
    return exists().where(mine, col(OperationRow.state).in_(states), *conditions)


_STANDINGS = (
    columns(
        col(IncidentRow.id),
        col(IncidentRow.snapshot),
        col(IncidentRow.team),
        col(IncidentRow.severity),
        col(IncidentRow.restricted),
        col(TicketRow.agreed),
        _waits(col(OperationRow.aspect) == literal(ASPECT)).label("level"),
        _waits(col(OperationRow.target) == literal(str(Target.MAIL))).label("mail"),
        exists().where(col(ChangeNoticeRow.incident_id) == col(IncidentRow.id)).label("news"),
    )
    .outerjoin(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
    .where(col(IncidentRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(IncidentRow.id))
)


@dataclass(frozen=True, slots=True)
class Counted:
    """One incident of a period; `ticket`: it has a ticket."""

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
    """Return the claimed incidents created in [since, until), and the issue ids of all tickets."""
    with ledger.read() as session:
        connection = session.connection()
        tickets = {row.incident_id: row.issue_id for row in connection.execute(_TICKETS)}
        rows = connection.execute(_INCIDENTS, {"since": since, "until": until}).all()
    incidents = tuple(Counted(*row, ticket=row.id in tickets) for row in rows)
    return OnRecord(incidents, frozenset(tickets.values()))


_INCIDENTS = (
    columns(
        col(IncidentRow.id),
        col(IncidentRow.number),
        col(IncidentRow.restricted),
        col(IncidentRow.noise_rule),
        col(IncidentRow.merged_into),
    )
    .where(
        col(IncidentRow.created_at) >= bindparam("since"),
        col(IncidentRow.created_at) < bindparam("until"),
        col(IncidentRow.team).is_not(None),
    )
    .order_by(col(IncidentRow.number))
)
_TICKETS = columns(col(TicketRow.incident_id), col(TicketRow.issue_id))


def open_since(ledger: Transactions, before: datetime, team: str | None) -> list[IncidentRecord]:
    """Return the open incidents that were created before a moment (UTC), oldest first."""
    query = select_records(IncidentRecord).where(
        col(IncidentRow.status) != IncidentStatus.RESOLVED,
        col(IncidentRow.created_at) < before,
        of_team(team),
    )
    with ledger.read() as session:
        return load(session, IncidentRecord, query.order_by(col(IncidentRow.created_at)))


def merged_sources(ledger: Transactions, incident_id: str) -> list[IncidentRecord]:
    """Return the incidents that were merged into an incident, also those that were opened again since."""
    with ledger.read() as session:
        return list(merged_sources_in(session, incident_id))


@dataclass(frozen=True, slots=True)
class Measures:
    """Seconds from incident to ticket, duties by state, duplicates found and duplicates left to people."""

    ticket_delays: tuple[float, ...]
    duties: dict[str, int]
    doubles_found: int
    doubles_left: int


def measures(ledger: Transactions, since: datetime) -> Measures:
    """Return the measures as they are now; the delays are those of tickets made since a moment (UTC)."""
    with ledger.read() as session:
        duplicates = doubles_data(session)
        return Measures(
            ticket_delays=tuple(_ticket_delays(session, since)),
            duties=_duties_by_state(session),
            doubles_found=int(duplicates["found"]),
            doubles_left=len(duplicates["left"]),
        )


def _ticket_delays(session: Session, since: datetime) -> list[float]:
    """Return the seconds from incident to ticket, of tickets made since a moment (UTC).

    Incidents from before the ledger's birth are left out: syncd was not there to be quick.
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
    """Return how many duties are in each state."""
    query = select(DutyRow.state, func.count()).group_by(col(DutyRow.state)).order_by(col(DutyRow.state))
    return {state: int(number) for state, number in session.exec(query).all()}
