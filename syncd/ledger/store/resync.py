"""What a resync stores of what it read afresh, and how what it compares stands on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationState, ticket_key
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord, TicketRecord
from syncd.ledger.store import audit
from syncd.ledger.store.intake import StorageRules, store_incident_in, store_issue_in
from syncd.ledger.store.known import open_operations_in
from syncd.ledger.store.loading import get, load, select_records
from syncd.ledger.store.snapshots import tickets_by_issue_in
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.ticket.merge import ASPECT as DUPLICATE

UNKNOWN = (OperationState.IN_FLIGHT, OperationState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Compared:
    """An incident of a resync as it stands: its ticket, what is open, and how far its create came.

    `create` is the state of the operation that makes its ticket, None where none was ever decided.
    """

    incident: IncidentRecord
    ticket: TicketRecord | None
    operations: tuple[OperationRecord, ...]
    create: str | None


def tickets_of(ledger: Transactions, incident_ids: Iterable[str]) -> list[TicketRecord]:
    """Return the tickets of those of these incidents that have one, in the order of the incidents."""
    with ledger.read() as session:
        tickets = [get(session, TicketRecord, incident_id) for incident_id in incident_ids]
    return [ticket for ticket in tickets if ticket is not None]


def without_ticket(ledger: Transactions, incident_ids: Iterable[str]) -> list[IncidentRecord]:
    """Return those of these incidents that have no ticket, and no create whose outcome is unknown."""
    with ledger.read() as session:
        missing = [
            get(session, IncidentRecord, incident_id)
            for incident_id in incident_ids
            if session.connection().scalar(_HAS_TICKET, {"incident": incident_id}) is None
            and _create_of(session, incident_id) not in UNKNOWN
        ]
    return [incident for incident in missing if incident is not None]


def compared(ledger: Transactions, incident_id: str) -> Compared | None:
    """Return how an incident of a resync stands, None where it is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        if incident is None:
            return None
        return Compared(
            incident=incident,
            ticket=get(session, TicketRecord, incident_id),
            operations=tuple(open_operations_in(session, incident_id)),
            create=_create_of(session, incident_id),
        )


def store_read(
    ledger: Transactions, rules: StorageRules, incidents: Sequence[Incident], moment: int, now: datetime
) -> list[str]:
    """Store incidents as read; return those that a mapping claims, or that had a team before."""
    claimed = []
    with ledger.write() as session:
        for incident in incidents:
            team = rules.claimed_by(incident)
            if team is None:
                team = session.connection().scalar(_TEAM, {"incident": incident.id})
            if team is not None:
                store_incident_in(session, rules, incident, moment, now, team)
                claimed.append(incident.id)
    return claimed


def store_tickets(
    ledger: Transactions,
    rules: StorageRules,
    issues: Sequence[Issue],
    missing: Sequence[str],
    moment: int,
    now: datetime,
    jira_now: datetime | None,
) -> None:
    """Store tickets as read by id; a link of ours that is gone is decided on again.

    `missing` are issues that Jira does not show: a ticket among them is out of sight from now on, and the
    audit trail says so. `jira_now` is Jira's own time, where it is known.
    """
    with ledger.write() as session:
        rows = tickets_by_issue_in(session, [*(issue.id for issue in issues), *missing])
        for issue in issues:
            row = rows.get(issue.id)
            if row is not None:
                store_issue_in(session, rules, row, issue, moment, now, jira_now, fresh=True)
                _look_for_link(session, row, issue)
        for issue_id in missing:
            row = rows.get(issue_id)
            if row is not None and row.out_of_sight_since is None:
                row.out_of_sight_since = now
                audit.append(session, now, "ticket.out_of_sight", incident=row.incident_id, issue=issue_id)


def _look_for_link(session: Session, ticket: TicketRow, issue: Issue) -> None:
    target = ticket.agreed.get(DUPLICATE)
    other = session.get(TicketRow, str(target)) if target else None
    if other is None or other.out_of_sight_since is not None:
        return
    if all(link.other_id != other.issue_id for link in issue.links):
        ticket.agreed = {name: value for name, value in ticket.agreed.items() if name != DUPLICATE}
        session.add(ticket)


def _create_of(session: Session, incident_id: str) -> str | None:
    state: str | None = session.connection().scalar(_CREATE, {"create": ticket_key(incident_id)})
    return state


_CREATE = columns(col(OperationRow.state)).where(
    col(OperationRow.key) == bindparam("create"),
    col(OperationRow.kind) == literal(str(Kind.CREATE_TICKET)),
)
_HAS_TICKET = columns(col(TicketRow.issue_id)).where(col(TicketRow.incident_id) == bindparam("incident"))
_TEAM = columns(col(IncidentRow.team)).where(col(IncidentRow.id) == bindparam("incident"))


def made_since(ledger: Transactions, number: int) -> list[dict[str, str]]:
    """Return the operations decided after operation `number`: incident, kind, state and reason of each."""
    with ledger.read() as session:
        operations = load(session, OperationRecord, _MADE, {"number": number})
    return [
        {"incident": one.incident_id, "kind": one.kind, "state": one.state, "reason": one.reason}
        for one in operations
    ]


_MADE = (
    select_records(OperationRecord)
    .where(col(OperationRow.id) > bindparam("number"))
    .order_by(col(OperationRow.id))
)
