"""The verbs of jobs beside the loop: the resync's reads and comparison, the nightly search for duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.incident import Incident
from syncd.domain.operation import UNSURE_STATES, Kind, Operation, ticket_key
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.intake import StorageRules
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.loading import get, load, select_records
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.snapshots import save_incident
from syncd.ledger.store.tables import IncidentRow, OperationRow, PostmortemRow, TicketRow
from syncd.policy.case import TicketState


@dataclass(frozen=True, slots=True)
class Compared:
    """An incident of a resync, with its ticket and its open operations.

    `create` is the state of the operation that makes its ticket, None if none was ever decided.
    """

    incident: IncidentRecord
    ticket: TicketState | None
    operations: tuple[OperationRecord, ...]
    create: str | None


def tickets_of(ledger: Transactions, incident_ids: Iterable[str]) -> list[TicketState]:
    """Return the tickets of these incidents, in the order of the incidents."""
    with ledger.read() as session:
        tickets = [get(session, TicketState, incident_id) for incident_id in incident_ids]
    return [ticket for ticket in tickets if ticket is not None]


def without_ticket(ledger: Transactions, incident_ids: Iterable[str]) -> list[IncidentRecord]:
    """Return those of these incidents without a ticket and without a create of unknown outcome.

    A create of unknown outcome looks for its ticket by itself.
    """
    with ledger.read() as session:
        missing = [
            get(session, IncidentRecord, incident_id)
            for incident_id in incident_ids
            if session.connection().scalar(_HAS_TICKET, {"incident": incident_id}) is None
            and _create_of(session, incident_id) not in UNSURE_STATES
        ]
    return [incident for incident in missing if incident is not None]


def compared(ledger: Transactions, incident_id: str) -> Compared | None:
    """Return an incident of a resync with its ticket and operations, None if it is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        if incident is None:
            return None
        return Compared(
            incident=incident,
            ticket=get(session, TicketState, incident_id),
            operations=tuple(open_operations_in(session, incident_id)),
            create=_create_of(session, incident_id),
        )


def store_read(
    ledger: Transactions, rules: StorageRules, incidents: Sequence[Incident], moment: int, now: datetime
) -> list[str]:
    """Store incidents as read; return those that a mapping claims or that had a team before."""
    claimed = []
    with ledger.write() as session:
        for incident in incidents:
            team = rules.claimed_by(incident)
            if team is None:
                # its service is no longer mapped: the last team keeps the incident
                team = session.connection().scalar(_TEAM, {"incident": incident.id})
            if team is not None and not rules.stopped(team, incident.service):
                save_incident(session, incident, moment, now, team, rules.incident)
                claimed.append(incident.id)
    return claimed


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
    """Return incident, kind, state and reason of each operation decided after operation `number`."""
    with ledger.read() as session:
        operations = load(session, OperationRecord, _MADE, {"number": number})
    return [
        {
            "incident": operation.incident_id,
            "kind": operation.kind,
            "state": operation.state,
            "reason": operation.reason,
        }
        for operation in operations
    ]


_MADE = (
    select_records(OperationRecord)
    .where(col(OperationRow.id) > bindparam("number"))
    .order_by(col(OperationRow.id))
)


_KEY = "duplicates"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two issues with the same mark, and the operations that link and close the younger one.

    An operation of this `kind` made them for this `incident`. `touched`: a person changed the younger issue.
    """

    older: str
    older_key: str
    younger: str
    younger_key: str
    incident: str
    kind: str
    touched: bool
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a search for duplicates: incidents with new operations, and duplicates new to us."""

    incidents: tuple[str, ...]
    fresh: tuple[Duplicate, ...]


def last_sweep(ledger: Transactions) -> datetime | None:
    """Return when the last search for duplicates ended (UTC), None if there was none."""
    with ledger.read() as session:
        at = get_cursor_in(session, _KEY).get("at")
    return datetime.fromisoformat(str(at)) if at is not None else None


def store_sweep(ledger: Transactions, duplicates: Sequence[Duplicate], now: datetime) -> Swept:
    """Record the operations that link and close duplicates; store which are left to people, and why."""
    left: list[dict[str, str]] = []
    incidents: list[str] = []
    fresh: list[Duplicate] = []
    with ledger.write() as session:
        before = get_cursor_in(session, _KEY).get("seen")
        seen: dict[str, Any] = {**before} if isinstance(before, dict) else {}
        for duplicate in duplicates:
            incident = session.get(IncidentRow, duplicate.incident)
            # the search comes back every night: each duplicate is recorded once
            if incident is not None and duplicate.younger not in seen:
                seen[duplicate.younger] = duplicate.older
                fresh.append(duplicate)
                data = {"older": duplicate.older, "younger": duplicate.younger}
                audit.append(session, now, "duplicate.found", incident=incident.id, data={**data})
            why = "its incident is not on record" if incident is None else _settle(session, duplicate, now)
            if why:
                keys = {"older": duplicate.older_key, "younger": duplicate.younger_key}
                left.append({**keys, "reason": why})
            else:
                incidents.append(duplicate.incident)
        set_cursor_in(session, _KEY, at=now.isoformat(), seen=seen, left=left)
    return Swept(tuple(incidents), tuple(fresh))


def _settle(session: Session, duplicate: Duplicate, now: datetime) -> str | None:
    """Record the operations that link and close a duplicate; return why it is left to people instead."""
    # decided already, on an earlier night
    if outbox.on_record(session, duplicate.operations[0].key):
        return None
    rows = (session.get(TicketRow, duplicate.incident), session.get(PostmortemRow, duplicate.incident))
    if duplicate.older not in [row.issue_id for row in rows if row is not None]:
        noun = "postmortem" if duplicate.kind == Kind.CREATE_POSTMORTEM else "ticket"
        return f"the ledger does not hold the older one for the {noun}"
    # a person's work is never closed silently
    if duplicate.touched:
        return "somebody touched the younger one"
    outbox.add(session, duplicate.operations, now)
    return None
