"""Read from an answer's headers when syncd may ask again, in seconds, and how much is left until then.

`Retry-After` (seconds or an HTTP date) counts first, then PagerDuty's `ratelimit-reset` (seconds), then
Jira's `X-RateLimit-Reset` (ISO 8601). Dates count from the answer's own `Date`, so a wrong clock of ours
shortens no pause. An unreadable header counts as absent, and no figure is beyond reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

from syncd.remote.http.places import WINDOW_SECONDS, Rate

LONGEST = 3600.0
"""The longest pause in seconds, whatever an answer says."""


def http_date(text: str | None) -> datetime | None:
    """Read an HTTP date as UTC, None where there is none or it is no date."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    # the first and the last day of the calendar have no other zone
    except (ValueError, OverflowError):
        return None


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


def window_of(headers: Mapping[str, str]) -> tuple[float, float, float | None] | None:
    """Return how many requests PagerDuty leaves us, for how many seconds, and of how many.

    None where it does not tell. A reset beyond reason counts as the longest window.
    """
    left = _finite(headers.get("ratelimit-remaining"))
    if left is None:
        return None
    reset, limit = _finite(headers.get("ratelimit-reset")), _finite(headers.get("ratelimit-limit"))
    return left, WINDOW_SECONDS if reset is None else min(WINDOW_SECONDS, reset), limit


def rate_of(headers: Mapping[str, str]) -> Rate | None:
    """Return the rate at which Jira Data Center fills our bucket, None where it does not tell."""
    filled, seconds, burst = (
        _finite(headers.get(f"X-RateLimit-{name}")) for name in ("FillRate", "Interval-Seconds", "Limit")
    )
    # a rate of nothing would stop syncd for ever: then only its refusals count
    if not filled or not seconds or not burst:
        return None
    return Rate(filled / seconds, burst)


def _finite(text: str | None) -> float | None:
    number = _seconds(text)
    return number if number is not None and isfinite(number) else None


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
