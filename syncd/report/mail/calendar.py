"""The review of a postmortem as an iCalendar file (RFC 5545) that a mail carries: an event without an answer.

A day that nobody has entered is a tentative event. The same review keeps its UID, so a later mail moves the
event in the calendar instead of adding a second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.text import one_line
from syncd.report.mail.message import Attachment

LINE = 75
"""Bytes of a line; a longer one is folded."""


class Review(Value):
    """A review: its postmortem's `uid`, number and title of the incident, the issue, and the day or the time.

    The title of a restricted incident is empty. `entered` is False where `at` is the last day that counts.
    """

    uid: str
    number: int
    title: str
    key: str
    url: str
    at: UtcTime | date
    entered: bool


def invitation(review: Review, now: datetime) -> Attachment:
    """Return the file `review.ics`, made at `now` (UTC)."""
    summary = f"Postmortem review of #{review.number}"
    words = [review.title] if review.title else []
    if not review.entered:
        summary += " (no day is entered yet)"
        words.append(f"This is the last day that counts. Enter the day of the review on {review.key}.")
    words.append(f"{review.key} {review.url}".strip())
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//syncd//review//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{review.uid}",
        # a calendar takes the event with the higher number for the later one
        f"SEQUENCE:{int(now.timestamp()) // 60}",
        f"DTSTAMP:{_utc(now)}",
        *_times(review.at),
        f"SUMMARY:{_escaped(summary)}",
        "DESCRIPTION:" + "\\n".join(_escaped(line) for line in words),
        f"STATUS:{'CONFIRMED' if review.entered else 'TENTATIVE'}",
        "TRANSP:" + ("TRANSPARENT" if not isinstance(review.at, datetime) else "OPAQUE"),
        "END:VEVENT",
        "END:VCALENDAR",
    )
    text = "".join(f"{part}\r\n" for line in lines for part in _folded(line))
    return Attachment(name="review.ics", kind="calendar", method="PUBLISH", text=text)


def _times(at: datetime | date) -> tuple[str, str]:
    if isinstance(at, datetime):
        return f"DTSTART:{_utc(at)}", f"DTEND:{_utc(at + timedelta(hours=1))}"
    return f"DTSTART;VALUE=DATE:{at:%Y%m%d}", f"DTEND;VALUE=DATE:{at + timedelta(days=1):%Y%m%d}"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    """Return a foreign text as a value: a line break or a semicolon in it begins no property."""
    text = one_line(text).replace("\\", "\\\\")
    return text.replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    part = ""
    for character in line:
        if len((part + character).encode()) > LINE:
            yield part
            part = " "
        part += character
    yield part
