"""Decide where the ticket of a restricted incident may stand, and how much it may tell there.

First choice is the mapping's security level, if our account may set it; then the mapping's restricted
project; last a stub in the ordinary project, which tells nothing but the incident's number.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from syncd.domain.base import Reference
from syncd.domain.mapping.mapping import mapping_of_recurring
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.recurring import RecurringName, recurring_of
from syncd.engine.context import EngineContext
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.lookups import ticket_project
from syncd.policy.case import Rulebook
from syncd.policy.restricted import ASPECT, PROVISIONAL, level_of


@dataclass(frozen=True)
class RestrictedPlacement:
    """Where a restricted ticket is made: under a level, in its own project, or as a stub (neither).

    It is always a stub while the restriction is `provisional`.
    """

    book: Rulebook
    level: Reference | None = None
    apart: bool = False
    provisional: bool = False

    @property
    def stub(self) -> bool:
        """True if the ticket may tell nothing of its incident."""
        return self.level is None and not self.apart

    @property
    def why(self) -> str | None:
        """The reason why the security lead has to know, None where the ticket has its security level."""
        if self.level is not None:
            return None
        if self.provisional:
            return PROVISIONAL
        place = "its ticket is in the restricted project" if self.apart else "its ticket is a stub"
        return f"syncd's account may not set the security level, so {place}"


def placement_for(
    context: EngineContext, book: Rulebook, refused: Collection[str] = (), *, provisional: bool = False
) -> RestrictedPlacement:
    """Return where syncd creates the ticket of a restricted incident, given the rulebook of its team.

    `refused` are the fields that Jira refused for this ticket. Raise `RemoteError` where Jira cannot answer
    about the restricted project.
    """
    if provisional:
        return RestrictedPlacement(book, provisional=True)
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

    `stands_in` is the ticket's project, None while there is no ticket. It differs from the mapping's project
    if a person moved the ticket, or if the incident now belongs to another team, whose rules hold from then
    on. `home` asks for the mapping's project, where syncd creates postmortems and action items.
    """
    book = context.book_of(row.as_read, row.team)
    if book is None:
        return None
    apart = book.mapping.restricted.project if row.restricted and not row.provisional else None
    if stands_in is None:
        return placement_for(context, book).book if apart is not None else book
    if apart is not None and stands_in == apart:
        return _apart(context, book) or book
    if home or stands_in == book.project.key:
        return book
    project = context.facts.resolved_at(book.mapping, stands_in)
    if project is None:
        return book
    # postmortems are created in the mapping's project wherever the ticket stands
    follow_up_types = {"postmortem": book.project.postmortem, "sub_task": book.project.sub_task}
    return book.model_copy(update={"project": project.model_copy(update=follow_up_types)})


def _apart(context: EngineContext, book: Rulebook) -> Rulebook | None:
    """Return the same rules in the restricted project, None where none fits."""
    key = book.mapping.restricted.project
    project = context.facts.resolved_at(book.mapping, key) if key is not None else None
    return book.model_copy(update={"project": project}) if project is not None else None


def recurring_book(context: EngineContext, ident: str) -> tuple[RecurringName, Rulebook] | None:
    """Return the name and the rulebook of a recurring duty, None where no mapping has it any more.

    Its section names the owner. Raise `MappingMismatch` where the mapping does not fit.
    """
    name = recurring_of(ident)
    mapping = mapping_of_recurring(context.loaded, name) if name is not None else None
    if name is None or mapping is None:
        return None
    entry = mapping.recurring.get(name.name)
    section = ServiceSection(owner=entry.owner if entry is not None else None)
    return name, Rulebook(mapping=mapping, section=section, project=context.facts.resolved(mapping))


def projects_of(context: EngineContext, team: str | None) -> set[str]:
    """Return the Jira projects in which a team's issues are made; None: those of all teams."""
    mappings = [mapping for mapping in context.mappings if team in (None, mapping.team)]
    apart = {mapping.restricted.project for mapping in mappings if mapping.restricted.project is not None}
    return {mapping.jira.project for mapping in mappings} | apart
