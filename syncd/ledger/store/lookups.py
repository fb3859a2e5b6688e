"""Look up single incidents, and the incidents and issues that the polls have to read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, and_, col, or_, select

from syncd.domain.duty import Duty
from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import name_for_people
from syncd.domain.operation import OPEN_STATES
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.change_queue import ChangeNotice, change_notices_of_in
from syncd.ledger.store.loading import columns_of, get, load, made_of, record_of, select_records
from syncd.ledger.store.postmortems import duties_of
from syncd.ledger.store.tables import (
    ActionItemRow,
    IncidentRow,
    OperationRow,
    PersonRow,
    PostmortemRow,
    TicketRow,
)
from syncd.policy.case import ItemState, PostmortemState, TicketState
from syncd.policy.restricted import STUB


@dataclass(frozen=True, slots=True)
class IncidentOnRecord:
    """An incident and its ticket as they are on record, and its unanswered change notices."""

    incident: IncidentRecord | None
    ticket: TicketState | None
    notices: tuple[ChangeNotice, ...]


@dataclass(frozen=True, slots=True)
class Followers:
    """An incident, its ticket, postmortem, action items and duties, as of one transaction."""

    incident: IncidentRecord
    ticket: TicketState | None
    postmortem: PostmortemState | None
    items: tuple[ItemState, ...]
    duties: tuple[Duty, ...]


def find_incident(ledger: Transactions, incident_id: str) -> IncidentOnRecord:
    """Return an incident, its ticket and its change notices."""
    with ledger.read() as session:
        incident, ticket = incident_and_ticket_in(session, incident_id)
        return IncidentOnRecord(incident, ticket, tuple(change_notices_of_in(session, incident_id)))


def find_ticket(ledger: Transactions, incident_id: str) -> TicketState | None:
    """Return the ticket of an incident, None if it has none."""
    with ledger.read() as session:
        return get(session, TicketState, incident_id)


def load_followers(ledger: Transactions, incident_id: str) -> Followers | None:
    """Return an incident with all that follows it, None if the incident is not on record."""
    with ledger.read() as session:
        incident, ticket = incident_and_ticket_in(session, incident_id)
        if incident is None:
            return None
        return Followers(
            incident=incident,
            ticket=ticket,
            postmortem=get(session, PostmortemState, incident_id),
            items=items_in(session, incident_id),
            duties=duties_of(session, incident_id),
        )


def addresses_of(ledger: Transactions, accounts: Collection[str]) -> dict[str, str]:
    """Return the addresses of these accounts, by account id, as far as syncd has looked them up."""
    with ledger.read() as session:
        return addresses_of_in(session, accounts)


def addresses_of_in(session: Session, accounts: Collection[str]) -> dict[str, str]:
    """Return the addresses of these accounts, by account id, as far as syncd has looked them up."""
    people = session.connection().execute(_PEOPLE).all()
    return {
        str(person.account["id"]): person.email
        for person in people
        if person.account and person.account.get("id") in accounts
    }


def display_name(ledger: Transactions, incident_id: str) -> str:
    """Return the name of an incident for people: "#12 OPS-7", or its id where it is not on record.

    A mail about a whole team has the team's name there: "team QRPay".
    """
    with ledger.read() as session:
        return name_in(session, incident_id)


def name_in(session: Session, incident_id: str) -> str:
    """Return the name of an incident for people, as `display_name` does."""
    incident, ticket = incident_and_ticket_in(session, incident_id)
    if incident is None:
        return name_for_people(incident_id)
    return f"#{incident.number} {ticket.key}" if ticket is not None else f"#{incident.number}"


def on_record_among(ledger: Transactions, incident_ids: Collection[str]) -> list[str]:
    """Return those of these incidents that are on record, by number."""
    with ledger.read() as session:
        query = select(IncidentRow.id).where(col(IncidentRow.id).in_(incident_ids))
        return list(session.exec(query.order_by(col(IncidentRow.number))).all())


def issue_names(ledger: Transactions, issue_ids: Collection[str]) -> dict[str, str]:
    """Return the keys of those of these issues that are tickets, postmortems or action items, by issue id."""
    with ledger.read() as session:
        return {
            issue_id: key
            for table in (TicketRow, PostmortemRow, ActionItemRow)
            for issue_id, key in session.exec(
                select(table.issue_id, table.key).where(col(table.issue_id).in_(issue_ids))
            )
        }


def open_operations(ledger: Transactions, incident_id: str) -> list[OperationRecord]:
    """Return the open operations of an incident, oldest first."""
    with ledger.read() as session:
        return open_operations_in(session, incident_id)


def open_operations_in(session: Session, incident_id: str) -> list[OperationRecord]:
    """Return the open operations of an incident, oldest first."""
    return load(session, OperationRecord, _OPEN, {"incident": incident_id})


def items_in(session: Session, incident_id: str) -> tuple[ItemState, ...]:
    """Return the action items of an incident, the first seen first."""
    return tuple(load(session, ItemState, _ITEMS, {"incident": incident_id}))


def incident_and_ticket_in(
    session: Session, incident_id: str
) -> tuple[IncidentRecord | None, TicketState | None]:
    """Return an incident and its ticket, in one read."""
    row = session.connection().execute(_BOTH, {"incident": incident_id}).first()
    if row is None:
        return None, None
    ticket = row[_OF_INCIDENT:]
    # an outer join: without a ticket all its columns are null, also the first, which is never null else
    return IncidentRecord(*row[:_OF_INCIDENT]), None if ticket[0] is None else made_of(TicketState, ticket)


_OF_INCIDENT = len(columns_of(IncidentRecord))
_BOTH = (
    columns(*columns_of(IncidentRecord), *columns_of(TicketState))
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
_ITEMS = (
    select_records(ItemState)
    .where(col(ActionItemRow.incident_id) == _WHOSE)
    .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
)
_PEOPLE = columns(col(PersonRow.email), col(PersonRow.account)).order_by(
    col(PersonRow.email), col(PersonRow.project)
)


def incident_named(ledger: Transactions, name: str) -> IncidentRecord | None:
    """Return the incident of an id, a number (`#12`, `12`) or a ticket's key; None if there is none."""
    with ledger.read() as session:
        row = find_incident_in(session, name)
        return record_of(IncidentRecord, row) if row is not None else None


def find_incident_in(session: Session, name: str) -> IncidentRow | None:
    """Return the incident of an id, a number (`#12`, `12`) or a ticket's key; None if there is none."""
    row = session.get(IncidentRow, name)
    if row is not None:
        return row
    number = name.removeprefix("#")
    # SQLite's integers have at most 19 digits, and the driver refuses a larger one
    if number.isdecimal() and len(number) < 19:
        return session.exec(select(IncidentRow).where(IncidentRow.number == int(number))).first()
    ticket = session.exec(select(TicketRow).where(TicketRow.key == name.upper())).first()
    return session.get(IncidentRow, ticket.incident_id) if ticket else None


@dataclass(frozen=True, slots=True)
class IssuesOnRecord:
    """The issues that are tickets, and those that are postmortems or action items; by issue id."""

    tickets: frozenset[str]
    duty_issues: frozenset[str]


@dataclass(frozen=True, slots=True)
class UnfinishedIssues:
    """The issues of unfinished incidents: postmortems and action items, and issues that are no items."""

    duty_issues: tuple[str, ...]
    non_items: tuple[str, ...]


def open_and_older(ledger: Transactions, began: int) -> list[str]:
    """Return the claimed incidents that are open on record by a read that began before `began`."""
    with ledger.read() as session:
        return list(session.connection().scalars(_OPEN_BEFORE, {"began": began}))


_OPEN_BEFORE = (
    columns(col(IncidentRow.id))
    .where(
        col(IncidentRow.status) != IncidentStatus.RESOLVED,
        col(IncidentRow.team).is_not(None),
        col(IncidentRow.read_seq) < bindparam("began"),
    )
    .order_by(col(IncidentRow.number))
)


def services_with_open(ledger: Transactions) -> list[str]:
    """Return the ids of the services that have claimed incidents which are open on record."""
    with ledger.read() as session:
        return list(session.connection().scalars(_WITH_OPEN))


_WITH_OPEN = (
    columns(col(IncidentRow.service_id))
    .where(col(IncidentRow.status) != IncidentStatus.RESOLVED, col(IncidentRow.team).is_not(None))
    .distinct()
    .order_by(col(IncidentRow.service_id))
)


def issues_on_record(ledger: Transactions, issue_ids: Iterable[str]) -> IssuesOnRecord:
    """Return which of these issues are tickets, postmortems or action items of this ledger."""
    ids = {"issues": list(issue_ids)}
    with ledger.read() as session:
        connection = session.connection()
        tickets = frozenset(connection.scalars(_TICKETS_AMONG, ids))
        duty_issues = frozenset(
            issue_id for query in _DUTY_ISSUES_AMONG for issue_id in connection.scalars(query, ids)
        )
    return IssuesOnRecord(tickets, duty_issues)


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_TICKETS_AMONG = columns(col(TicketRow.issue_id)).where(col(TicketRow.issue_id).in_(_ISSUES))
_DUTY_ISSUES_AMONG = (
    columns(col(PostmortemRow.issue_id)).where(col(PostmortemRow.issue_id).in_(_ISSUES)),
    columns(col(ActionItemRow.issue_id)).where(col(ActionItemRow.issue_id).in_(_ISSUES)),
)


def ticket_projects(ledger: Transactions) -> set[str]:
    """Return the keys of the Jira projects that hold tickets."""
    with ledger.read() as session:
        return ticket_projects_in(session)


def ticket_projects_in(session: Session) -> set[str]:
    """Return the keys of the Jira projects that hold tickets."""
    return set(session.connection().scalars(_PROJECTS))


_PROJECTS = columns(col(TicketRow.project)).distinct()


def outside(ledger: Transactions, issue_ids: Collection[str], projects: Collection[str]) -> tuple[str, ...]:
    """Return those of the issues that are not on record in one of these projects."""
    inside: set[str] = set()
    with ledger.read() as session:
        for table in (TicketRow, PostmortemRow, ActionItemRow):
            query = columns(col(table.issue_id)).where(
                col(table.issue_id).in_(list(issue_ids)), col(table.project).in_(list(projects))
            )
            inside.update(session.connection().scalars(query))
    return tuple(issue_id for issue_id in issue_ids if issue_id not in inside)


def ticket_project(ledger: Transactions, incident_id: str) -> str | None:
    """Return the key of the Jira project of an incident's ticket, None if it has no ticket."""
    with ledger.read() as session:
        project: str | None = session.connection().scalar(_PROJECT, {"incident": incident_id})
        return project


_PROJECT = columns(col(TicketRow.project)).where(col(TicketRow.incident_id) == bindparam("incident"))


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
