"""The names of incidents for people, in lists and in the log: number, and key of the ticket."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from loguru import logger
from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.mail import name_for_people
from syncd.ledger.database.connection import Transactions, after_commit
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store.tables import IncidentRow, TicketRow

if TYPE_CHECKING:
    from loguru import Logger

IncidentName = tuple[int | None, str | None, str]
"""An incident's number, its ticket's key, and its name for people as `lookups.display_name` returns it."""


def names_in(session: Session, incident_ids: Collection[str]) -> dict[str, IncidentName]:
    """Return the names of these incidents, by id."""
    names: dict[str, IncidentName] = {ident: (None, None, name_for_people(ident)) for ident in incident_ids}
    wanted = sorted(names)
    for start in range(0, len(wanted), NAMED_AT_ONCE):
        query = (
            select(IncidentRow.id, IncidentRow.number, TicketRow.key)
            .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
            .where(col(IncidentRow.id).in_(wanted[start : start + NAMED_AT_ONCE]))
        )
        for ident, number, key in session.exec(query).all():
            names[ident] = (number, key, f"#{number} {key}" if key else f"#{number}")
    return names


def name_of(session: Session, incident_id: str) -> IncidentName:
    """Return the name of an incident, as `names_in` does."""
    row = _NAME.first(session, incident=incident_id)
    if row is None:
        return None, None, name_for_people(incident_id)
    number, key = row
    return number, key, f"#{number} {key}" if key else f"#{number}"


_NAME = Prepared(
    columns(col(IncidentRow.number), col(TicketRow.key))
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(IncidentRow.id) == bindparam("incident"))
)


def log_and_name(ledger: Transactions, incident_id: str) -> tuple[Logger, str]:
    """Return the log about an incident, as `log_about` does, and the incident's name for people."""
    with ledger.read_one() as session:
        number, ticket, name = name_of(session, incident_id)
    return logger.bind(incident=incident_id, number=number, ticket=ticket), name


def log_about(ledger: Transactions, incident_id: str) -> Logger:
    """Return the log with the fields that name an incident: its id, its number, the key of its ticket."""
    with ledger.read() as session:
        return log_about_in(session, incident_id)


def log_about_in(session: Session, incident_id: str) -> Logger:
    """Return the log with the fields that name an incident, as `log_about` does."""
    number, ticket, _name = names_in(session, {incident_id})[incident_id]
    return logger.bind(incident=incident_id, number=number, ticket=ticket)


def log_after_commit(session: Session, incident_id: str, level: str, words: str, *values: object) -> None:
    """Log about an incident once the writing transaction of a session is committed."""
    after_commit(session, partial(log_about_in(session, incident_id).log, level, words, *values))


NAMED_AT_ONCE = 500
"""Incidents in one statement: a database takes a limited number of parameters."""
