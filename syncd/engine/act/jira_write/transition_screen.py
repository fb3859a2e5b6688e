"""Fill a transition's screen: a resolution on the way to done, and the fields that the mapping gives.

If the screen demands a field that the mapping does not fill, a person may have filled it on the issue. Then
Jira accepts the transition, so syncd tries it; a refusal names the missing field.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from syncd.domain.base import JsonValue, Reference
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.operation.rendered import FieldValues
from syncd.domain.ticket import Issue, Transition
from syncd.engine.act.jira_write.field_values import demanded_values
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.policy.case import Rulebook
from syncd.policy.ticket.field_values import nothing_fills


@dataclass(frozen=True)
class Filled:
    """A transition with the values for its screen, and the demanded fields without a value.

    `unfit` says which of the mapping's values the demanded fields do not take.
    """

    way: Transition
    fields: dict[str, JsonValue]
    missing: tuple[FieldFacts, ...] = ()
    unfit: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The advice to the person who has to fill the screen, empty where nothing is missing."""
        return "; ".join(part for part in (nothing_fills(self.missing, self.way.screen), *self.unfit) if part)


def fill(
    context: EngineContext,
    way: Transition,
    issue: Issue,
    incident: Incident,
    book: Rulebook,
    also: Collection[str] = (),
) -> Filled:
    """Return a transition with the values of its screen, as far as the mapping gives them.

    `also` are fields that Jira demanded although the screen does not tell so.
    """
    fields: dict[str, JsonValue] = {}
    missing: list[FieldFacts] = []
    unfit: list[str] = []
    for field in way.screen:
        if field.id == "resolution":
            if not _resolve(way, field, issue, book, fields):
                missing.append(field)
        # optional fields of the screen belong to people
        elif field.demanded or field.id in also:
            values, words = _given(context, field, incident, book)
            fields |= values
            if not values and not _has(issue, field.id):
                unfit += words
                missing += [] if words else [field]
    return Filled(way, fields, tuple(missing), tuple(unfit))


def _given(
    context: EngineContext, field: FieldFacts, incident: Incident, book: Rulebook
) -> tuple[FieldValues, list[str]]:
    """Return the mapping's value of a field, or why it does not fit; nothing where the mapping gives none."""
    try:
        return demanded_values(context, [field], incident, book, [field.id]), []
    except CannotRender as error:
        return {}, [str(error)]


def _resolve(
    way: Transition, field: FieldFacts, issue: Issue, book: Rulebook, fields: dict[str, JsonValue]
) -> bool:
    """Set or clear the resolution; return True if the screen's demand is met."""
    # an open issue with a resolution counts as resolved in Jira's searches and boards
    if way.to.category != "done":
        if not field.demanded:
            fields["resolution"] = None
        return not field.demanded or issue.resolution is not None
    chosen = _allowed(field, book)
    if chosen is not None:
        fields["resolution"] = {"id": chosen.id}
    return chosen is not None or not field.demanded or issue.resolution is not None


def _allowed(field: FieldFacts, book: Rulebook) -> Reference | None:
    """Return the first of the mapping's resolutions that the screen allows; one without a list allows all."""
    by_name = {
        resolution.name.casefold(): resolution for resolution in field.allowed or book.project.resolutions
    }
    candidates = (by_name.get(name.casefold()) for name in book.mapping.jira.resolution)
    return next((resolution for resolution in candidates if resolution is not None), None)


def _has(issue: Issue, field_id: str) -> bool:
    """Return True if the issue's snapshot holds a value in this field."""
    shown = {
        "summary": issue.summary,
        "priority": issue.priority,
        "assignee": issue.assignee,
        "components": issue.components,
        "labels": issue.labels,
        "duedate": issue.due_date,
        "security": issue.security_level,
    }
    return bool(shown.get(field_id) or issue.fields.get(field_id))


def with_resolution(filled: Filled, book: Rulebook) -> Filled:
    """Return the same; raise `CannotRender` where the screen demands a resolution that the mapping lacks.

    Nobody fills in the resolution of an open ticket, so Jira would refuse the transition.
    """
    field = next((field for field in filled.missing if field.id == "resolution"), None)
    if field is not None:
        names = ", ".join(book.mapping.jira.resolution)
        allowed = (
            ", ".join(resolution.name for resolution in field.allowed or book.project.resolutions) or "none"
        )
        raise CannotRender(
            f"{filled.way.name} demands a resolution, and Jira has none of {names} (it has {allowed}):"
            " name one under jira.resolution"
        )
    return filled
