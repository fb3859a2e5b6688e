"""Read incidents by their time of creation, in windows that PagerDuty answers completely.

PagerDuty refuses windows of more than six months, and pages beyond 10,000 incidents. Pages come oldest first,
so if a window holds more, the next window begins where the last page ended.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from loguru import logger

from syncd.domain.incident import OPEN_STATUSES, IncidentStatus
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
SERVICES_AT_ONCE = 100
"""How many services one request names."""
EPOCH = datetime(2009, 1, 1, tzinfo=UTC)
"""A time before PagerDuty's first incident."""
Ask = Callable[[datetime, datetime, int], IncidentPage]
"""Reads one page, given since, until and the offset."""


def pagerduty_now(context: EngineContext) -> tuple[datetime, timedelta]:
    """Return the present time (UTC) by PagerDuty's clock, and by how much it may be off.

    Windows that are asked of PagerDuty end at its time: this machine's clock may be wrong by days. Only where
    no answer had a `Date` header, such as behind a proxy that removes it, our clock has to do.
    """
    now = context.transport.now_of("pagerduty")
    return (now, timedelta()) if now is not None else (context.clock.now(), CLOCKS_APART)


Numbered = tuple[IncidentPage, int]
"""A page, with the sequence number of its request."""


class _Asking:
    """Asks for pages of the incidents of some services, all without any, and numbers its requests."""

    def __init__(
        self,
        context: EngineContext,
        services: Sequence[str],
        statuses: Sequence[IncidentStatus] = (),
        looks: Mapping[str, str] | None = None,
    ) -> None:
        self._context, self._services, self._statuses, self._looks = context, services, statuses, looks
        self.read_seq = 0

    def created(self, since: datetime, until: datetime, offset: int) -> IncidentPage:
        """Return a page of a window."""
        self.read_seq = self._context.ledger.logical_clock.next()
        client = self._context.services.pagerduty
        return client.incidents(since, until, offset, self._statuses, self._services, self._looks)

    def open(self, _since: datetime, _until: datetime, offset: int) -> IncidentPage:
        """Return a page of the open incidents, whatever their age."""
        self.read_seq = self._context.ledger.logical_clock.next()
        return self._context.services.pagerduty.open_incidents(self._services, offset, self._looks)


def read_created(
    context: EngineContext, since: datetime, until: datetime, services: Sequence[str] | None = None
) -> Iterator[Numbered]:
    """Yield pages of the incidents created in [since, until), oldest first, of these or of all services.

    End early when the daemon stops; else as `pages_created`.
    """
    for chunk in [()] if services is None else in_chunks(services):
        asking = _Asking(context, chunk)
        for page in pages_created(asking.created, since, until, context.stop.is_set, _log_full):
            yield page, asking.read_seq


def _log_full(second: datetime) -> None:
    logger.warning(
        "more than 10,000 incidents were created at {:%Y-%m-%d %H:%M:%S} UTC, and PagerDuty shows no more in"
        " one list; syncd goes on after them",
        second,
    )


def read_open(
    context: EngineContext,
    services: Sequence[str],
    on_full: Callable[[datetime], None],
    looks: Mapping[str, str],
) -> Iterator[Numbered]:
    """Yield pages of all open incidents of the services, oldest first; `looks` tell how some looked before.

    PagerDuty refuses pages beyond 10,000 incidents: syncd reads the others by windows of their creation. Call
    `on_full` with a second in which more were created than a window shows.
    """
    for chunk in in_chunks(services):
        asking = _Asking(context, chunk, OPEN_STATUSES, looks)
        pages = _open_pages(asking, pagerduty_now(context), context.stop.is_set, on_full)
        for page in pages:
            yield page, asking.read_seq


def _open_pages(
    asking: _Asking,
    now: tuple[datetime, timedelta],
    stopped: Callable[[], bool],
    on_full: Callable[[datetime], None],
) -> Iterator[IncidentPage]:
    until = now[0] + now[1]
    reached = yield from _read_window(asking.open, EPOCH, until, stopped)
    if reached is not None:
        yield from pages_created(asking.created, reached, until, stopped, on_full)


def in_chunks(services: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the services in chunks that one request can name."""
    for start in range(0, len(services), SERVICES_AT_ONCE):
        yield services[start : start + SERVICES_AT_ONCE]


def pages_created(
    ask: Ask,
    since: datetime,
    until: datetime,
    stopped: Callable[[], bool] = lambda: False,
    on_full: Callable[[datetime], None] | None = None,
) -> Iterator[IncidentPage]:
    """Yield pages of the incidents created in [since, until), oldest first.

    An incident may come twice where one window ends and the next begins. Raise `RemoteError` where PagerDuty
    cannot answer, or where one second holds more than 10,000 incidents; with `on_full` call it and go on.
    """
    while since < until and not stopped():
        end = min(until, since + LONGEST)
        reached = yield from _read_window(ask, since, end, stopped)
        # without progress the loop would never end
        if reached is not None and reached <= since:
            if on_full is None:
                raise _too_many(since)
            on_full(since)
            reached = since + timedelta(seconds=1)
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
        last = page.last_created() or last
        if not page.more or page.empty:
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
