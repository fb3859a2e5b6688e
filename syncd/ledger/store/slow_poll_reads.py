"""Select the incidents and issues that the slow poll has to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import and_, col, or_

from syncd.domain.incident import IncidentStatus
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import (
    ActionItemRow,
    IncidentRow,
    PostmortemRow,
    TicketRow,
)
from syncd.policy.restricted import STUB


@dataclass(frozen=True, slots=True)
class UnfinishedIssues:
    """The issues of unfinished incidents: postmortems and action items, and issues that are no items."""

    duty_issues: tuple[str, ...]
    non_items: tuple[str, ...]


def restricted_stubs(ledger: Transactions) -> list[str]:
    """Return the restricted incidents whose ticket is a stub because the project lacks the security level."""
    with ledger.read() as session:
        rows = session.connection().execute(_RESTRICTED_TICKETS)
        return [incident_id for incident_id, agreed in rows if agreed.get(STUB) is True]


_RESTRICTED_TICKETS = (
    columns(col(TicketRow.incident_id), col(TicketRow.agreed))
    .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
    .where(col(IncidentRow.restricted).is_(True))
    .order_by(col(IncidentRow.number))
)


def resolved_and_watched(ledger: Transactions, since: datetime) -> list[tuple[datetime, str]]:
    """Return creation time (UTC, in order) and service of the resolved incidents that syncd must still read.

    They are unfinished, or were resolved at `since` or later.
    """
    with ledger.read() as session:
        return [(row[0], row[1]) for row in session.connection().execute(_RESOLVED, {"since": since})]


_RESOLVED = (
    columns(col(IncidentRow.created_at), col(IncidentRow.service_id))
    .where(
        col(IncidentRow.status) == IncidentStatus.RESOLVED,
        or_(
            col(IncidentRow.finished).is_(False),
            and_(col(IncidentRow.team).is_not(None), col(IncidentRow.resolved_at) >= bindparam("since")),
        ),
    )
    .order_by(col(IncidentRow.created_at))
)


def with_notes_to_list(ledger: Transactions, since: datetime) -> list[IncidentRecord]:
    """Return the incidents with a ticket that are open or were resolved at `since` or later.

    Restricted incidents are left out: syncd stores no notes of theirs.
    """
    with ledger.read() as session:
        return load(session, IncidentRecord, _WITH_NOTES, {"since": since})


_WITH_NOTES = (
    select_records(IncidentRecord)
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
    .where(
        col(IncidentRow.restricted).is_(False),
        or_(
            col(IncidentRow.status) != IncidentStatus.RESOLVED,
            col(IncidentRow.resolved_at) >= bindparam("since"),
        ),
    )
    .order_by(col(IncidentRow.number))
)


def tickets_to_read(ledger: Transactions) -> list[str]:
    """Return the issue ids of the tickets of incidents that are open or unfinished."""
    with ledger.read() as session:
        return list(session.connection().scalars(_TICKETS))


_TICKETS = (
    columns(col(TicketRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
    .where(or_(col(IncidentRow.status) != IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False)))
    .order_by(col(IncidentRow.number))
)


def unfinished_issues(ledger: Transactions) -> UnfinishedIssues:
    """Return the issues of unfinished incidents, in the order of the incidents' numbers."""
    # dictionaries as ordered sets: each run reads the issues in the same order
    duty_issues: dict[str, None] = {}
    non_items: dict[str, None] = {}
    with ledger.read() as session:
        connection = session.connection()
        postmortems = {row.incident_id: row.issue_id for row in connection.execute(_POSTMORTEMS)}
        items: dict[str, list[str]] = {}
        for incident_id, issue_id in connection.execute(_UNFINISHED_ITEMS):
            items.setdefault(incident_id, []).append(issue_id)
        for incident_id, passed_over in connection.execute(_UNFINISHED):
            non_items |= dict.fromkeys(passed_over)
            postmortem = postmortems.get(incident_id)
            duty_issues |= dict.fromkeys([postmortem] if postmortem else [])
            duty_issues |= dict.fromkeys(items.get(incident_id, ()))
    return UnfinishedIssues(
        tuple(duty_issues), tuple(issue for issue in non_items if issue not in duty_issues)
    )


def neighbours_of_finished(ledger: Transactions, since: datetime) -> tuple[str, ...]:
    """Return the issues beside finished incidents (resolved at `since` or later) that are no action items."""
    with ledger.read() as session:
        rows = session.connection().scalars(_BESIDE_FINISHED, {"since": since}).all()
    return tuple(dict.fromkeys(issue_id for passed_over in rows for issue_id in passed_over))


_BESIDE_FINISHED = (
    columns(col(IncidentRow.non_items))
    .where(
        col(IncidentRow.team).is_not(None),
        col(IncidentRow.finished).is_(True),
        col(IncidentRow.resolved_at) >= bindparam("since"),
    )
    .order_by(col(IncidentRow.number))
)
_IS_UNFINISHED = (col(IncidentRow.team).is_not(None), col(IncidentRow.finished).is_(False))
_UNFINISHED = (
    columns(col(IncidentRow.id), col(IncidentRow.non_items))
    .where(*_IS_UNFINISHED)
    .order_by(col(IncidentRow.number))
)
_POSTMORTEMS = (
    columns(col(PostmortemRow.incident_id), col(PostmortemRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(PostmortemRow.incident_id))
    .where(*_IS_UNFINISHED)
)
_UNFINISHED_ITEMS = (
    columns(col(ActionItemRow.incident_id), col(ActionItemRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(ActionItemRow.incident_id))
    .where(*_IS_UNFINISHED, col(ActionItemRow.ended_at).is_(None))
    .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
)
