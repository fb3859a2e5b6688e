"""What the polls ask the ledger before they read: which incidents and issues are of interest to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, select
from sqlmodel import and_, col, or_

from syncd.domain.incident import IncidentStatus
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.restricted import STUB


@dataclass(frozen=True, slots=True)
class IssuesOnRecord:
    """Which issues are tickets, and which are postmortems or action items, by issue id."""

    tickets: frozenset[str]
    duty_issues: frozenset[str]


@dataclass(frozen=True, slots=True)
class UnfinishedIssues:
    """The issues of unfinished incidents: postmortems and action items, and what hangs beside them."""

    duty_issues: tuple[str, ...]
    non_items: tuple[str, ...]


def open_and_older(ledger: Transactions, began: int) -> list[str]:
    """Return the claimed incidents that stand as open by a read that began before `began`."""
    with ledger.read() as session:
        return list(session.connection().scalars(_OPEN, {"began": began}))


_OPEN = select(col(IncidentRow.id)).where(
    col(IncidentRow.status) != IncidentStatus.RESOLVED,
    col(IncidentRow.team).is_not(None),
    col(IncidentRow.read_seq) < bindparam("began"),
)


def issues_on_record(ledger: Transactions, issue_ids: Iterable[str]) -> IssuesOnRecord:
    """Return which of these issues are ours."""
    ids = {"issues": list(issue_ids)}
    with ledger.read() as session:
        connection = session.connection()
        tickets = frozenset(connection.scalars(_TICKETS_AMONG, ids))
        duty_issues = frozenset(
            issue_id for query in _DUTY_ISSUES_AMONG for issue_id in connection.scalars(query, ids)
        )
    return IssuesOnRecord(tickets, duty_issues)


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_TICKETS_AMONG = select(col(TicketRow.issue_id)).where(col(TicketRow.issue_id).in_(_ISSUES))
_DUTY_ISSUES_AMONG = (
    select(col(PostmortemRow.issue_id)).where(col(PostmortemRow.issue_id).in_(_ISSUES)),
    select(col(ActionItemRow.issue_id)).where(col(ActionItemRow.issue_id).in_(_ISSUES)),
)


def ticket_projects(ledger: Transactions) -> set[str]:
    """Return the Jira projects in which tickets stand."""
    with ledger.read() as session:
        return set(session.connection().scalars(_PROJECTS))


_PROJECTS = select(col(TicketRow.project)).distinct()


def ticket_project(ledger: Transactions, incident_id: str) -> str | None:
    """Return the Jira project in which an incident's ticket stands, None where it has no ticket."""
    with ledger.read() as session:
        project: str | None = session.connection().scalar(_PROJECT, {"incident": incident_id})
        return project


_PROJECT = select(col(TicketRow.project)).where(col(TicketRow.incident_id) == bindparam("incident"))


def restricted_stubs(ledger: Transactions) -> list[str]:
    """Return the restricted incidents whose ticket is a stub, since the security level was not there."""
    with ledger.read() as session:
        rows = session.connection().execute(_RESTRICTED_TICKETS)
        return [incident_id for incident_id, agreed in rows if agreed.get(STUB) is True]


_RESTRICTED_TICKETS = (
    select(col(TicketRow.incident_id), col(TicketRow.agreed))
    .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
    .where(col(IncidentRow.restricted).is_(True))
)


def resolved_and_watched(ledger: Transactions, since: datetime) -> list[datetime]:
    """Return when the incidents were created (UTC, in order) that are resolved and must still be read.

    They are not finished, or were resolved `since` then.
    """
    with ledger.read() as session:
        return list(session.connection().scalars(_RESOLVED, {"since": since}))


_RESOLVED = (
    select(col(IncidentRow.created_at))
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
    """Return the incidents with a ticket that are open or were resolved `since` then; no restricted ones."""
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
)


def tickets_to_read(ledger: Transactions) -> list[str]:
    """Return the issue ids of the tickets of incidents that are open or unfinished."""
    with ledger.read() as session:
        return list(session.connection().scalars(_TICKETS))


_TICKETS = (
    select(col(TicketRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
    .where(or_(col(IncidentRow.status) != IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False)))
)


def unfinished_issues(ledger: Transactions) -> UnfinishedIssues:
    """Return postmortems and action items of unfinished incidents, and what was passed over beside them."""
    duty_issues: dict[str, None] = {}
    non_items: dict[str, None] = {}
    with ledger.read() as session:
        connection = session.connection()
        postmortems = {row.incident_id: row.issue_id for row in connection.execute(_POSTMORTEMS)}
        items: dict[str, list[str]] = {}
        for incident_id, issue_id in connection.execute(_ITEMS):
            items.setdefault(incident_id, []).append(issue_id)
        for incident_id, passed_over in connection.execute(_UNFINISHED):
            non_items |= dict.fromkeys(passed_over)
            postmortem = postmortems.get(incident_id)
            duty_issues |= dict.fromkeys([postmortem] if postmortem else [])
            duty_issues |= dict.fromkeys(items.get(incident_id, ()))
    return UnfinishedIssues(
        tuple(duty_issues), tuple(issue for issue in non_items if issue not in duty_issues)
    )


_IS_UNFINISHED = (col(IncidentRow.team).is_not(None), col(IncidentRow.finished).is_(False))
_UNFINISHED = select(col(IncidentRow.id), col(IncidentRow.non_items)).where(*_IS_UNFINISHED)
_POSTMORTEMS = (
    select(col(PostmortemRow.incident_id), col(PostmortemRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(PostmortemRow.incident_id))
    .where(*_IS_UNFINISHED)
)
_ITEMS = (
    select(col(ActionItemRow.incident_id), col(ActionItemRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(ActionItemRow.incident_id))
    .where(*_IS_UNFINISHED, col(ActionItemRow.ended_at).is_(None))
    .order_by(col(ActionItemRow.first_seen_at))
)
