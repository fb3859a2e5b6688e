"""Which incidents get no ticket or no word: noise, and what was over before the rules began."""

from __future__ import annotations

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.case import Rulebook


def is_before_enforcement(incident: Incident, book: Rulebook) -> bool:
    """Whether it was over before the mapping's rules began (rules: "The first day disturbs nobody")."""
    return was_over_before(incident, book.mapping)


def was_over_before(incident: Incident, mapping: Mapping) -> bool:
    """Return True if it was resolved before a mapping's rules began."""
    over = incident.over_since
    return over is not None and over < mapping.enforced_since


def left_in_peace(incident: Incident, book: Rulebook) -> bool:
    """Whether it is silent and the mapping wants no ticket for such incidents."""
    return is_before_enforcement(incident, book) and book.mapping.backfill.tickets == "open"
