"""Reads incidents by when they were created, in windows that PagerDuty answers to their end.

PagerDuty refuses windows of more than six months, and pages beyond 10,000 incidents. Pages come oldest
first, so where a window holds more, the next one begins where the last page ended.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta

from syncd.engine.context import EngineContext
from syncd.remote.answers import IncidentPage
from syncd.remote.errors import Cause, RemoteError, Unknown

PAGE = 100
LAST_OFFSET = 9_900
"""Beyond it PagerDuty refuses the page: offset + limit is 10,000 at most."""
LONGEST = timedelta(days=30)
"""Length of one window of creation."""
Ask = Callable[[datetime, datetime, int], IncidentPage]
"""Asks for one page: created since, until, and the offset."""


def read_created(
    context: EngineContext, since: datetime, until: datetime
) -> Iterator[tuple[IncidentPage, int]]:
    """Pages of the incidents created in [since, until), oldest first, each with its request's moment.

    Ends early when the daemon stops; else as `pages_created`.
    """
    read_seqs: list[int] = []

    def ask(begin: datetime, end: datetime, offset: int) -> IncidentPage:
        read_seqs.append(context.ledger.logical_clock.next())
        return context.services.pagerduty.incidents(begin, end, offset)

    for page in pages_created(ask, since, until, context.stop.is_set):
        yield page, read_seqs[-1]


def pages_created(
    ask: Ask, since: datetime, until: datetime, stopped: Callable[[], bool] = lambda: False
) -> Iterator[IncidentPage]:
    """Pages of the incidents created in [since, until), oldest first.

    An incident may be read twice where one window ends and the next begins. Raises `RemoteError` where
    PagerDuty cannot be read.
    """
    while since < until and not stopped():
        end = min(until, since + LONGEST)
        reached = yield from _read_window(ask, since, end, stopped)
        if reached is not None and reached <= since:
            raise _too_many(since)
        since = end if reached is None else reached


def _read_window(
    ask: Ask, since: datetime, until: datetime, stopped: Callable[[], bool]
) -> Generator[IncidentPage, None, datetime | None]:
    """The pages of one window; returns where the next must begin if this one holds too many, else None."""
    last = since
    for offset in range(0, LAST_OFFSET + 1, PAGE):
        if stopped():
            return None
        page = ask(since, until, offset)
        yield page
        last = max((one.created_at for one in page.incidents), default=last)
        if not page.more or not (page.incidents or page.unread):
            return None
    return last


def _too_many(since: datetime) -> RemoteError:
    return Unknown("pagerduty", "incidents", Cause.BROKEN, f"more than 10,000 incidents created at {since}")


def windows_of(created: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Given moments in order, the fewest windows of creation that hold them all."""
    start: datetime | None = None
    for read_seq in created:
        if start is None or read_seq >= start + LONGEST:
            start = read_seq
            last = max(one for one in created if one < start + LONGEST)
            yield start, last + timedelta(seconds=1)
