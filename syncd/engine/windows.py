"""Reads incidents by when they were created, in windows that PagerDuty answers to their end.

PagerDuty refuses windows of more than six months, and pages beyond 10,000 incidents. Pages come oldest
first, so where a window holds more, the next one begins where the last page ended.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

from syncd.engine.desk import Desk
from syncd.remote.errors import Cause, RemoteError, Unknown
from syncd.remote.ports import IncidentPage

PAGE = 100
LAST_OFFSET = 9_900
"""Beyond it PagerDuty refuses the page: offset + limit is 10,000 at most."""
LONGEST = timedelta(days=30)
"""Length of one window of creation."""


def read_created(desk: Desk, since: datetime, until: datetime) -> Iterator[tuple[IncidentPage, int]]:
    """Pages of the incidents created in [since, until), oldest first, each with its request's moment.

    An incident may be read twice where one window ends and the next begins. Ends early when the daemon
    stops. Raises `RemoteError` where PagerDuty cannot be read.
    """
    while since < until and not desk.stop.is_set():
        end = min(until, since + LONGEST)
        reached = yield from _read_window(desk, since, end)
        if reached is not None and reached <= since:
            raise _too_many(since)
        since = end if reached is None else reached


def _read_window(
    desk: Desk, since: datetime, until: datetime
) -> Generator[tuple[IncidentPage, int], None, datetime | None]:
    """The pages of one window; returns where the next must begin if this one holds too many, else None."""
    last = since
    for offset in range(0, LAST_OFFSET + 1, PAGE):
        if desk.stop.is_set():
            return None
        moment = desk.ledger.moments.next()
        page = desk.clients.pagerduty.incidents(since, until, offset)
        yield page, moment
        last = max((one.created_at for one in page.incidents), default=last)
        if not page.more or not (page.incidents or page.unread):
            return None
    return last


def _too_many(since: datetime) -> RemoteError:
    return Unknown("pagerduty", "incidents", Cause.BROKEN, f"more than 10,000 incidents created at {since}")


def windows_of(created: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Given moments in order, the fewest windows of creation that hold them all."""
    start: datetime | None = None
    for moment in created:
        if start is None or moment >= start + LONGEST:
            start = moment
            last = max(one for one in created if one < start + LONGEST)
            yield start, last + timedelta(seconds=1)
