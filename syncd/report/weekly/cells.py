"""The parts of a section: its bars, its tables, and the words in their cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from syncd.domain.mail import name_for_people
from syncd.domain.text import counted, one_line
from syncd.policy.time.time_words import long_words

Section = dict[str, Any]


MOST_LINES = 10
"""Lines of a list in the mail; the attached CSV has all of them."""


def bars_of(counts: dict[str, int]) -> list[Section]:
    """Return a bar for each count, as long as its share of the largest."""
    most = max(counts.values(), default=0)
    return [
        {"label": one_line(name), "text": str(count), "share": round(100 * count / most) if most else 0}
        for name, count in counts.items()
    ]


def cell(words: str, key: str | None, browse: str) -> dict[str, str]:
    """Return a cell; with a key, its text links to that issue."""
    text = one_line(words)
    if not key:
        return {"text": text, "url": ""}
    return {"text": f"{key} {text}", "url": f"{browse}{key}" if browse else ""}


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Section:
    """Return a table with at most ten rows, and the number of the others."""
    more = len(rows) - MOST_LINES
    rest = f"and {more} more, in the attached CSV" if more > 0 else ""
    return {"head": list(head), "rows": shown_cells(rows[:MOST_LINES]), "more": rest}


def shown_cells(rows: Sequence[Sequence[Any]]) -> list[list[dict[str, str]]]:
    """Return the cells of these rows with text and link (empty where there is none), each on one line."""
    return [
        [cell if isinstance(cell, dict) else {"text": one_line(str(cell)), "url": ""} for cell in row]
        for row in rows
    ]


def short_time(iso: str, zone: ZoneInfo) -> str:
    """Return the day and minute of a time in a zone."""
    return f"{datetime.fromisoformat(iso).astimezone(zone):%a %d %b %H:%M}"


def time_left(hours: float) -> str:
    """Return how long it is to a deadline, or since."""
    words = long_words(timedelta(hours=hours))
    return f"{words} overdue" if hours < 0 else f"in {words}"


def minutes_words(value: float) -> str:
    """Return a number of minutes in the unit that is read best."""
    if value < 1:
        return f"{value * 60:.0f} s"
    if value < 90:
        return f"{value:.1f} min" if value < 10 else f"{value:.0f} min"
    return f"{value / 60:.1f} h" if value < 48 * 60 else f"{value / 1440:.1f} days"


def overdue_words(days: int | None) -> str:
    """Return by how many days something is overdue, in brackets; empty if it is not."""
    if days is None:
        return ""
    return f" ({counted(days, 'day')} overdue)" if days else " (overdue)"


def duty_of(entry: dict[str, Any]) -> str:
    """Return the incident of a duty or a decision with its severity, or the name of what recurs."""
    if entry["number"] is None:
        return name_for_people(entry["incident"])
    return f"#{entry['number']} {entry['severity']}"
