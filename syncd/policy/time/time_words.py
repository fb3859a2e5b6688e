"""Times in words for the people of a team: local time with its zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.text import counted

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def at_words(at: datetime, zone: str) -> str:
    """Return a time to the minute in a zone: `2026-11-24 10:00 Europe/Berlin`."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def long_words(span: timedelta) -> str:
    """Return a duration in the largest unit that fits twice, rounded down: `2 days`, `40 minutes`."""
    seconds = int(abs(span).total_seconds())
    for unit, length in _UNITS:
        if seconds >= 2 * length or unit == "minute":
            return counted(seconds // length, unit)
    return "0 minutes"


def as_date(text: str | None) -> date | None:
    """Return the day of a date or time in Jira's form; None if it is missing or malformed."""
    # Jira writes a date as `2026-11-24` and a time as `2026-11-24T10:00:00.000+0100`.
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
