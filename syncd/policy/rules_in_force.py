"""Which rules hold for an incident: those that held when it was resolved.

Changed rules hold for incidents resolved after the change was loaded (rules: "Start, brakes, ceilings"): a
postmortem that was not owed then is not owed now, and one that was is. What only says how a thing is done,
such as a template or a link type, is always as it is now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.case import Case, Rulebook

_POSTMORTEM = ("mode", "basis", "schedule_hours", "complete_days", "review_within_days")
_FOLLOW_UPS = ("mode", "owner_hours", "unowned", "rows", "knowledge_base")
_SEVERITY = ("postmortem", "pagerduty", "urgency", "words", "follow_up_days")
HASHED = "hash "
"""What the ledger keeps of a value that is long, or names somebody, begins so: it is not known any more."""
Section = TypeVar("Section", bound=BaseModel)


def rules_in_force(case: Case, book: Rulebook) -> Rulebook:
    """The rulebook as it held when the incident was resolved; that of now where nothing changed since."""
    if not case.earlier:
        return book
    section = book.section
    for name in (case.incident.service.name, case.incident.service.id):
        section = _with(section, f"services.{name}", ("postmortem",), case)
    return book.model_copy(update={"mapping": held_mapping(case, book.mapping), "section": section})


def held_mapping(case: Case, mapping: Mapping) -> Mapping:
    """As `rules_in_force`, the mapping alone."""
    if not case.earlier:
        return mapping
    severities = {
        name: _with(section, f"severities.{name}", _SEVERITY, case)
        for name, section in mapping.severities.items()
    }
    return mapping.model_copy(
        update={
            "postmortem": _with(mapping.postmortem, "postmortem", _POSTMORTEM, case),
            "follow_ups": _with(mapping.follow_ups, "follow_ups", _FOLLOW_UPS, case),
            "severities": severities,
        }
    )


def _with(section: Section, path: str, names: tuple[str, ...], case: Case) -> Section:
    """The section with the values that its keys had; one that would not be valid any more is left."""
    values = dict(_before(path, names, case.earlier))
    if not values:
        return section
    try:
        return section.model_validate({**section.model_dump(), **values})
    except ValueError:
        return section


def _before(
    path: str, names: tuple[str, ...], earlier: dict[str, str | None]
) -> Iterator[tuple[str, JsonValue]]:
    for name in names:
        key = f"{path}.{name}"
        if key not in earlier:
            continue
        said = earlier[key]
        if said is not None and not said.startswith(HASHED):
            value: Any = json.loads(said)
            yield name, value
        elif said is None and name == "postmortem":
            yield name, False  # the section is newer than the resolve
