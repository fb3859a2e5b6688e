"""Which incidents get no ticket or no word: noise, and what was over before the rules began."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from syncd.domain.incident import Incident
from syncd.policy.case import Rulebook


def is_before_enforcement(incident: Incident, book: Rulebook) -> bool:
    """Whether it was over before the mapping's rules began (rules: "Backfill is silent")."""
    return was_over_before(incident, book.mapping.enforce_from)


def was_over_before(incident: Incident, day: date) -> bool:
    """Whether it was resolved before a day (UTC) began."""
    over = incident.over_since
    return over is not None and over < datetime.combine(day, time(), UTC)


def left_in_peace(incident: Incident, book: Rulebook) -> bool:
    """Whether it is silent and the mapping wants no ticket for such incidents."""
    return is_before_enforcement(incident, book) and book.mapping.backfill.tickets == "open"
