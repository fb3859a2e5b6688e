"""Moments in words, as people of a team read them: local time and the zone that it is in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.text import counted

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def at_words(at: datetime, zone: str) -> str:
    """A moment to the minute in a zone: `2026-11-24 10:00 Europe/Berlin`."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def long_words(span: timedelta) -> str:
    """A length of time in its largest unit of which there are two, rounded down: `2 days`, `40 minutes`."""
    seconds = int(abs(span).total_seconds())
    for unit, length in _UNITS:
        if seconds >= 2 * length or unit == "minute":
            return counted(seconds // length, unit)
    return "0 minutes"


def as_date(text: str | None) -> date | None:
    """The day of a date or a moment as Jira writes them; None where there is none or it cannot be read."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
