"""Where the ticket of a restricted incident may stand, and how much it may say there.

Under the mapping's security level where our account may set it; else in the mapping's own project for such
tickets; else as a stub in the ordinary project, which says nothing but the incident's number (rules:
"Restricted incidents").
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from syncd.domain.base import Reference
from syncd.domain.incident import Incident
from syncd.engine.context import EngineContext
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.lookups import ticket_project
from syncd.policy.case import Rulebook
from syncd.policy.restricted import ASPECT, level_of


@dataclass(frozen=True)
class RestrictedPlacement:
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
        place = "its ticket is in the restricted project" if self.apart else "its ticket is a stub"
        return f"syncd's account may not set the security level, so {place}"


def placement_for(
    context: EngineContext, book: Rulebook, refused: Collection[str] = ()
) -> RestrictedPlacement:
    """Given the rulebook of a restricted incident's team, return where its ticket is made.

    `refused` are the fields that Jira has refused of this very ticket. Raises `RemoteError` where Jira
    cannot be asked about the project apart.
    """
    level = None if ASPECT in refused else level_of(book.mapping, book.project)
    if level is not None:
        return RestrictedPlacement(book, level)
    apart = _apart(context, book)
    return RestrictedPlacement(apart, apart=True) if apart is not None else RestrictedPlacement(book)


def book_for(context: EngineContext, row: IncidentRecord, *, home: bool = False) -> Rulebook | None:
    """Return the rulebook of an incident on record (`book_at`); where its ticket stands is read."""
    return book_at(context, row, ticket_project(context.ledger, row.id), home=home)


def book_at(
    context: EngineContext, row: IncidentRecord, stands_in: str | None, *, home: bool = False
) -> Rulebook | None:
    """Return the rulebook of an incident, with the project in which its ticket stands or will stand.

    `stands_in` is the ticket's project, None: there is no ticket yet. It may be another one than the
    mapping's: the ticket was moved, or its incident now belongs to another team, whose rules hold from then
    on. What is made later is made in the mapping's project, so `home` asks for that one, and what it has for
    postmortems holds in either.
    """
    book = context.book_of(Incident.model_validate(row.snapshot), row.team)
    if book is None:
        return None
    apart = book.mapping.restricted.project if row.restricted else None
    if stands_in is None:
        return placement_for(context, book).book if apart is not None else book
    if apart is not None and stands_in == apart:
        return _apart(context, book) or book
    if home or stands_in == book.project.key:
        return book
    there = context.facts.resolved_at(book.mapping, stands_in)
    if there is None:
        return book
    follow_up_types = {"postmortem": book.project.postmortem, "sub_task": book.project.sub_task}
    return book.model_copy(update={"project": there.model_copy(update=follow_up_types)})


def _apart(context: EngineContext, book: Rulebook) -> Rulebook | None:
    """The same rules in the project for restricted tickets, None where there is none that fits."""
    key = book.mapping.restricted.project
    project = context.facts.resolved_at(book.mapping, key) if key is not None else None
    return book.model_copy(update={"project": project}) if project is not None else None
