"""Look up single incidents and issues, and what the fast polls compare with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, exists, literal
from sqlalchemy import select as columns
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, col, select

from syncd.domain.duty import Duty
from syncd.domain.operation import OPEN_STATES
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.change_queue import ChangeNotice, change_notices_of_in
from syncd.ledger.store.key_values import PEOPLE
from syncd.ledger.store.loading import columns_of, get, load, made_of, record_of, select_records
from syncd.ledger.store.names import name_of
from syncd.ledger.store.postmortems import duties_of
from syncd.ledger.store.snapshots import STILL_OPEN
from syncd.ledger.store.tables import (
    ActionItemRow,
    ChangeNoticeRow,
    DutyRow,
    IncidentRow,
    MirrorLinkRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    UnseenWriteRow,
    WaiverRow,
)
from syncd.policy.case import ItemState, PostmortemState, TicketState

Tables = frozenset[type[SQLModel]]
"""Tables with a row of an incident; `IncidentRow` if another one was ever merged into it."""


@dataclass(frozen=True, slots=True)
class IncidentOnRecord:
    """An incident and its ticket as they are on record, and its unanswered change notices.

    `tables` tells where the ledger has more of it, so that nobody reads the other tables in vain.
    """

    incident: IncidentRecord | None
    ticket: TicketState | None
    notices: tuple[ChangeNotice, ...]
    tables: Tables


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
        return incident_on_record_in(session, incident_id)


def incident_on_record_in(session: Session, incident_id: str) -> IncidentOnRecord:
    """Return an incident, its ticket and its change notices."""
    row = _ON_RECORD.first(session, incident=incident_id)
    if row is None:
        # its change notices come before its first read
        return IncidentOnRecord(None, None, tuple(change_notices_of_in(session, incident_id)), frozenset())
    incident, ticket = _incident_and_ticket(row[:_OF_BOTH])
    tables = frozenset(table for table, has_row in zip(_TABLES, row[_OF_BOTH:], strict=True) if has_row)
    noticed = ChangeNoticeRow in tables
    notices = tuple(change_notices_of_in(session, incident_id)) if noticed else ()
    return IncidentOnRecord(incident, ticket, notices, tables)


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
    return {
        str(account["id"]): email
        for email, account in PEOPLE.all(session)
        if account and account.get("id") in accounts
    }


def display_name(ledger: Transactions, incident_id: str) -> str:
    """Return the name of an incident for people: "#12 OPS-7", or its id where it is not on record.

    A mail about a whole team has the team's name there: "team QRPay".
    """
    with ledger.read_one() as session:
        return name_in(session, incident_id)


def name_in(session: Session, incident_id: str) -> str:
    """Return the name of an incident for people, as `display_name` does."""
    return name_of(session, incident_id)[2]


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
    with ledger.read_one() as session:
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
    row = _BOTH.first(session, incident=incident_id)
    return _incident_and_ticket(row) if row is not None else (None, None)


def _incident_and_ticket(row: Sequence[Any]) -> tuple[IncidentRecord, TicketState | None]:
    ticket = row[_OF_INCIDENT:]
    # an outer join: without a ticket all its columns are null, also the first, which is never null else
    return IncidentRecord(*row[:_OF_INCIDENT]), None if ticket[0] is None else made_of(TicketState, ticket)


_OF_INCIDENT = len(columns_of(IncidentRecord))
_OF_BOTH = _OF_INCIDENT + len(columns_of(TicketState))
_INCIDENT_AND_TICKET = (
    columns(*columns_of(IncidentRecord), *columns_of(TicketState))
    .select_from(IncidentRow)
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(IncidentRow.id) == bindparam("incident"))
)
_BOTH = Prepared(_INCIDENT_AND_TICKET)
_TABLES: dict[type[SQLModel], Mapped[Any]] = {
    ChangeNoticeRow: col(ChangeNoticeRow.incident_id),
    PostmortemRow: col(PostmortemRow.incident_id),
    ActionItemRow: col(ActionItemRow.incident_id),
    DutyRow: col(DutyRow.incident_id),
    WaiverRow: col(WaiverRow.incident_id),
    MirrorLinkRow: col(MirrorLinkRow.incident_id),
    OperationRow: col(OperationRow.incident_id),
    UnseenWriteRow: col(UnseenWriteRow.incident_id),
    IncidentRow: col(IncidentRow.was_merged_into),
}
_ON_RECORD = Prepared(
    _INCIDENT_AND_TICKET.add_columns(
        *(exists().where(whose == bindparam("incident")) for whose in _TABLES.values())
    )
)


_WHOSE: BindParameter[str] = bindparam("incident")
_OPEN = Prepared(
    select_records(OperationRecord)
    .where(
        col(OperationRow.incident_id) == _WHOSE,
        col(OperationRow.state).in_([literal(str(state)) for state in OPEN_STATES]),
    )
    .order_by(col(OperationRow.id))
)
_ITEMS = Prepared(
    select_records(ItemState)
    .where(col(ActionItemRow.incident_id) == _WHOSE)
    .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
)


def incident_named(ledger: Transactions, name: str) -> IncidentRecord | None:
    """Return the incident that `find_incident_in` finds; None if there is none."""
    with ledger.read() as session:
        row = find_incident_in(session, name)
        return record_of(IncidentRecord, row) if row is not None else None


def find_incident_in(session: Session, name: str) -> IncidentRow | None:
    """Return the incident of an id, a number (`#12`, `12`) or the key of one of its issues; None without one.

    Its issues are its ticket, its postmortem and its action items.
    """
    row = session.get(IncidentRow, name)
    if row is not None:
        return row
    number = name.removeprefix("#")
    # SQLite's integers have at most 19 digits, and the driver refuses a larger one
    if number.isdecimal() and len(number) < 19:
        return session.exec(select(IncidentRow).where(IncidentRow.number == int(number))).first()
    for table in (TicketRow, PostmortemRow, ActionItemRow):
        whose = session.exec(select(table.incident_id).where(table.key == name.upper())).first()
        if whose is not None:
            return session.get(IncidentRow, whose)
    return None


@dataclass(frozen=True, slots=True)
class IssuesOnRecord:
    """The issues that are tickets, and those that are postmortems or action items; by issue id."""

    tickets: frozenset[str]
    duty_issues: frozenset[str]


def open_and_older(ledger: Transactions, began: int) -> list[str]:
    """Return the claimed incidents that are open on record by a read that began before `began`."""
    with ledger.read_one() as session:
        return _OPEN_BEFORE.scalars(session, began=began)


_OPEN_BEFORE = Prepared(
    columns(col(IncidentRow.id))
    .where(
        STILL_OPEN,
        col(IncidentRow.team).is_not(None),
        col(IncidentRow.read_seq) < bindparam("began"),
    )
    .order_by(col(IncidentRow.number))
)


def services_with_open(ledger: Transactions) -> list[str]:
    """Return the ids of the services that have claimed incidents which are open on record."""
    with ledger.read_one() as session:
        return _WITH_OPEN.scalars(session)


_WITH_OPEN = Prepared(
    columns(col(IncidentRow.service_id))
    .where(STILL_OPEN, col(IncidentRow.team).is_not(None))
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
    return set(_PROJECTS.scalars(session))


_PROJECTS = Prepared(columns(col(TicketRow.project)).distinct())


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
        project: str | None = _PROJECT.scalar(session, incident=incident_id)
        return project


_PROJECT = Prepared(
    columns(col(TicketRow.project)).where(col(TicketRow.incident_id) == bindparam("incident"))
)
