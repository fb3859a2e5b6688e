"""Read incidents by their time of creation, in windows that PagerDuty answers completely.

PagerDuty refuses windows of more than six months, and pages beyond 10,000 incidents. Pages come oldest first,
so if a window holds more, the next window begins where the last page ended.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta

from syncd.engine.context import EngineContext
from syncd.remote.answers import IncidentPage
from syncd.remote.errors import Cause, RemoteError, Unknown

PAGE = 100
LAST_OFFSET = 9_900
"""The last offset of a page: PagerDuty refuses offset + limit beyond 10,000."""
LONGEST = timedelta(days=30)
"""The longest window; PagerDuty takes six months at most."""
CLOCKS_APART = timedelta(hours=1)
"""How far our clock may be off while no answer of PagerDuty's tells its time."""
Ask = Callable[[datetime, datetime, int], IncidentPage]
"""Reads one page, given since, until and the offset."""


def pagerduty_now(context: EngineContext) -> tuple[datetime, timedelta]:
    """Return the present time (UTC) by PagerDuty's clock, and by how much it may be off.

    Windows that are asked of PagerDuty end at its time: this machine's clock may be wrong by days. Only where
    no answer had a `Date` header, such as behind a proxy that removes it, our clock has to do.
    """
    now = context.now_of("pagerduty")
    return (now, timedelta()) if now is not None else (context.clock.now(), CLOCKS_APART)


def read_created(
    context: EngineContext, since: datetime, until: datetime
) -> Iterator[tuple[IncidentPage, int]]:
    """Yield pages of the incidents created in [since, until), oldest first, with each request's sequence
    number.

    End early when the daemon stops; else as `pages_created`.
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
    """Yield pages of the incidents created in [since, until), oldest first.

    An incident may come twice where one window ends and the next begins. Raise `RemoteError` where PagerDuty
    cannot answer.
    """
    while since < until and not stopped():
        end = min(until, since + LONGEST)
        reached = yield from _read_window(ask, since, end, stopped)
        # without progress the loop would never end
        if reached is not None and reached <= since:
            raise _too_many(since)
        since = end if reached is None else reached


def _read_window(
    ask: Ask, since: datetime, until: datetime, stopped: Callable[[], bool]
) -> Generator[IncidentPage, None, datetime | None]:
    """Yield the pages of one window; return where the next begins if this one holds too many, else None."""
    last = since
    for offset in range(0, LAST_OFFSET + 1, PAGE):
        if stopped():
            return None
        page = ask(since, until, offset)
        yield page
        last = max((incident.created_at for incident in page.incidents), default=last)
        if not page.more or not (page.incidents or page.unread):
            return None
    return last


def _too_many(since: datetime) -> RemoteError:
    return Unknown("pagerduty", "incidents", Cause.BROKEN, f"more than 10,000 incidents created at {since}")


def windows_of(created: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the fewest windows that hold all these times of creation, given in order."""
    start: datetime | None = None
    for created_at in created:
        if start is None or created_at >= start + LONGEST:
            start = created_at
            last = max(other for other in created if other < start + LONGEST)
            yield start, last + timedelta(seconds=1)
