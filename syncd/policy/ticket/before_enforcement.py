"""Find incidents that were resolved before the mapping's `enforce_from`: syncd disturbs nobody about them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.case import Rulebook


def is_before_enforcement(incident: Incident, book: Rulebook) -> bool:
    """Return True if an incident was resolved before its mapping's `enforce_from`."""
    return was_over_before(incident, book.mapping)


def was_over_before(incident: Incident, mapping: Mapping) -> bool:
    """Return True if an incident was resolved before a mapping's `enforce_from`."""
    over = incident.over_since
    return over is not None and over < mapping.enforced_since


def left_in_peace(incident: Incident, book: Rulebook) -> bool:
    """Return True if an incident was resolved before `enforce_from` and gets no ticket."""
    return is_before_enforcement(incident, book) and book.mapping.backfill.tickets == "open"


def in_peace_before(mappings: Collection[Mapping]) -> datetime | None:
    """Return the time (UTC) before which what was resolved gets no ticket by any mapping; None: no such."""
    if any(mapping.backfill.tickets != "open" for mapping in mappings):
        return None
    return min((mapping.enforced_since for mapping in mappings), default=None)
