"""Find the rules in force for an incident: the rules that held when it was resolved.

A changed rule holds only for incidents resolved after syncd loaded the change. So nobody suddenly owes a
postmortem for an old incident, and no edit of the mapping cancels one that was owed. Keys that only say how
syncd works, such as a template or a link type, always have their present value.

A change of mode is no change of the rule: what waited in `report` is done from that day on, and `report`
stops what `enforce` did. Only what was `off` at the resolve stays off for that incident.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping, RegulatoryClock
from syncd.domain.mapping.value_types import Mode
from syncd.policy.case import Case, Rulebook

_POSTMORTEM = ("mode", "basis", "schedule_hours", "complete_days", "review_within_days")
_FOLLOW_UPS = ("mode", "owner_hours", "unowned", "rows", "knowledge_base")
_SEVERITY = ("postmortem", "pagerduty", "urgency", "words", "follow_up_days")
_OFF = f'"{Mode.OFF}"'
HASHED = "hash "
"""The ledger stores a hash with this prefix for a long value or a name, so the old value is lost."""
Section = TypeVar("Section", bound=BaseModel)


def rules_in_force(case: Case, book: Rulebook) -> Rulebook:
    """Return the rulebook as it was when the incident was resolved."""
    if not case.earlier:
        return book
    section = book.section
    # The path of a changed key has the name that the mapping has for the service.
    for name in dict.fromkeys((section.name, case.incident.service.name, case.incident.service.id)):
        section = _with(section, f"services.{name}", ("postmortem",), case)
    return book.model_copy(update={"mapping": held_mapping(case, book.mapping), "section": section})


def rules_at(case: Case, book: Rulebook, resolved_at: datetime) -> Rulebook:
    """Return the rulebook as it was at one of the incident's resolves (UTC); `book` holds the last one's."""
    earlier = case.earlier_at.get(resolved_at)
    return rules_in_force(case.model_copy(update={"earlier": earlier}), book) if earlier else book


def held_mapping(case: Case, mapping: Mapping) -> Mapping:
    """Return the mapping as it was when the incident was resolved."""
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
            "restricted": mapping.restricted.model_copy(update={"clocks": _clocks(mapping, case)}),
        }
    )


def _clocks(mapping: Mapping, case: Case) -> dict[str, RegulatoryClock]:
    """Return the regulatory clocks as they were when the incident was resolved."""
    clocks, head = {**mapping.restricted.clocks}, "restricted.clocks."
    for name in {key[len(head) :].rpartition(".")[0] for key in case.earlier if key.startswith(head)}:
        before = dict(_before(f"{head}{name}", ("hours", "label"), case.earlier))
        clock = clocks.pop(name, None)
        if before:
            clocks[name] = RegulatoryClock.model_validate({**(dict(clock) if clock else {}), **before})
    return clocks


def changed_since_resolve(case: Case, book: Rulebook, severity: str) -> list[str]:
    """Return the changed keys by which an incident of this severity would owe a postmortem or not.

    It is judged by their earlier values.
    """
    services = {book.section.name, case.incident.service.name, case.incident.service.id}
    owing = {f"services.{name}.postmortem" for name in services} | {f"severities.{severity}.postmortem"}
    mode = {"postmortem.mode"} if case.earlier.get("postmortem.mode") == _OFF else set()
    return sorted((owing | mode | {"postmortem.basis"}) & case.earlier.keys())


def was_over_at_switch(case: Case, sections: tuple[str, ...], at: datetime) -> bool:
    """Return True if a moment (UTC) lies before the last change of one of these sections' modes.

    syncd mails nobody and comments on nothing that was already over then.
    """
    return any(at < case.switched[section] for section in sections if section in case.switched)


def _with(section: Section, path: str, names: tuple[str, ...], case: Case) -> Section:
    """Return the section with the earlier values of its keys, or unchanged if they are no longer valid."""
    values = dict(_before(path, names, case.earlier))
    if not values:
        return section
    try:
        return section.model_validate({**dict(section), **values})
    except ValueError:
        return section


def _before(
    path: str, names: tuple[str, ...], earlier: dict[str, str | None]
) -> Iterator[tuple[str, JsonValue]]:
    for name in names:
        key = f"{path}.{name}"
        if key not in earlier:
            continue
        stored = earlier[key]
        if name == "mode" and stored != _OFF:
            continue
        if stored is not None and not stored.startswith(HASHED):
            value: Any = json.loads(stored)
            yield name, value
        # The key did not exist, so the section is newer than the resolve and owed no postmortem then.
        elif stored is None and name == "postmortem":
            yield name, False
