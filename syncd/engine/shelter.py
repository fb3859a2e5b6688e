"""Where the ticket of a restricted incident may stand, and how much it may say there.

Under the mapping's security level where our account may set it; else in the mapping's own project for such
tickets; else as a stub in the ordinary project, which says nothing but the incident's number (rules:
"Restricted incidents").
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from loguru import logger

from syncd.domain.base import Reference
from syncd.domain.incident import Incident
from syncd.engine.desk import Desk
from syncd.engine.jira_facts import MappingDoesNotFit
from syncd.ledger.tables import IncidentRow, TicketRow
from syncd.policy.case import Rulebook
from syncd.policy.restricted import ASPECT, level_of
from syncd.remote.errors import Cause, RemoteError


@dataclass(frozen=True)
class Shelter:
    """Where a restricted ticket is made: under a level, in its own project, or as a stub (neither)."""

    book: Rulebook
    level: Reference | None = None
    apart: bool = False

    @property
    def stub(self) -> bool:
        """Whether the ticket may say nothing."""
        return self.level is None and not self.apart

    @property
    def why(self) -> str | None:
        """What the security lead has to hear of it, None where all is as the mapping wants it."""
        if self.level is not None:
            return None
        place = "its ticket stands in the project apart" if self.apart else "its ticket is a stub"
        return f"our account may not set the security level, so {place}"


def shelter_for(desk: Desk, book: Rulebook, refused: Collection[str] = ()) -> Shelter:
    """Given the rulebook of a restricted incident's team, return where its ticket is made.

    `refused` are the fields that Jira has refused of this very ticket. Raises `RemoteError` where Jira
    cannot be asked about the project apart.
    """
    level = None if ASPECT in refused else level_of(book.mapping, book.project)
    if level is not None:
        return Shelter(book, level)
    apart = _apart(desk, book)
    return Shelter(apart, apart=True) if apart is not None else Shelter(book)


def book_for(desk: Desk, row: IncidentRow) -> Rulebook | None:
    """The rulebook of an incident on record, with the project in which its ticket stands or will stand."""
    book = desk.book_of(Incident.model_validate(row.snapshot), row.team)
    if book is None or not row.restricted or book.mapping.restricted.project is None:
        return book
    with desk.ledger.db.read() as session:
        ticket = session.get(TicketRow, row.id)
    if ticket is None:
        return shelter_for(desk, book).book
    return (_apart(desk, book) or book) if ticket.project == book.mapping.restricted.project else book


def _apart(desk: Desk, book: Rulebook) -> Rulebook | None:
    """The same rules in the project for restricted tickets, None where there is none that fits."""
    mapping = book.mapping
    key = mapping.restricted.project
    if key is None:
        return None
    there = mapping.model_copy(
        update={
            "jira": mapping.jira.model_copy(update={"project": key}),
            "version": f"{mapping.version}/{key}",
        }
    )
    try:
        project = desk.facts.resolved(there)
    except MappingDoesNotFit as error:
        logger.error("the project for restricted tickets cannot be used: {}", error)
        return None
    except RemoteError as error:
        if error.cause not in (Cause.MISSING, Cause.FORBIDDEN):
            raise
        logger.error("the project {} for restricted tickets is not there for our account", key)
        return None
    return Rulebook(mapping=mapping, section=book.section, project=project)
