"""Read from an answer's headers when syncd may ask again, in seconds from now.

`Retry-After` (seconds or an HTTP date) counts first, then PagerDuty's `ratelimit-reset` (seconds), then
Jira's `X-RateLimit-Reset` (ISO 8601). Dates count from the answer's own `Date`, so a wrong clock of ours
shortens no pause. An unreadable header counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""The longest pause in seconds, whatever an answer says."""


def http_date(text: str | None) -> datetime | None:
    """Read an HTTP date as UTC, None where there is none or it is no date."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait that an answer names, None where it names none.

    `headers` are case-insensitive; `now` (UTC) is used where the answer carries no `Date`.
    """
    header = headers.get("Retry-After")
    seconds = _seconds(header)
    if seconds is None:
        seconds = _until(http_date(header), headers, now)
    if seconds is None:
        seconds = _seconds(headers.get("ratelimit-reset"))
    if seconds is None:
        seconds = _until(_iso(headers.get("X-RateLimit-Reset")), headers, now)
    return None if seconds is None else min(LONGEST, max(0.0, seconds))


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _iso(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _until(moment: datetime | None, headers: Mapping[str, str], now: datetime) -> float | None:
    if moment is None:
        return None
    return (moment - (http_date(headers.get("Date")) or now)).total_seconds()
