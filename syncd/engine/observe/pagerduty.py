"""What changed in PagerDuty: the account's record in a fixed window, and the incidents that are open.

The window is fixed before its first request. Pages come newest first, so the watermark moves only with
the last page, and what a page touched is written at once. Absence from the list of open incidents says
nothing by itself: what is missing there is read by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from loguru import logger

from syncd.domain.incident import Incident, LogEntry
from syncd.engine.context import EngineContext
from syncd.engine.observe.incident import note_unread
from syncd.engine.observe.incident_windows import LAST_OFFSET, PAGE, read_created
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.store.change_queue import notice_changes, unreadable
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.lookups import open_and_older
from syncd.ledger.store.pages import LogNews, store_listed, store_log

WATERMARK = "pagerduty.log"
OVERLAP = timedelta(minutes=5)
BY_ID = ("custom_field_value_change",)
"""Log entries about what only a read by id shows."""

SHOWN = ("trigger", "assign", "escalate", "notify", "acknowledge", "resolve")
"""Log entries about what the incident embedded beside them shows: where it is known, they ask for nothing."""
MANY = 10
"""So much news on one page is handed out at once, while the next page is read."""


class PagerDutyPoller:
    """The fast poll's two reads of PagerDuty."""

    def __init__(
        self, context: EngineContext, on_many: Callable[[list[str]], None] = lambda _incidents: None
    ) -> None:
        """`on_many` is told of many new incidents once they are stored; none is older than the ledger."""
        self._context = context
        self._on_many = on_many
        self._seen_entries: dict[str, datetime] = {}
        self._seen_incidents: dict[str, str] = {}
        self._seen_unread = set(unreadable(context.ledger))
        self.unmapped: dict[str, str] = {}

    def poll(self) -> None:
        """Read both; raises `RemoteError` where PagerDuty cannot be read."""
        if self._watermark() is None:
            self._backfill()
        listed, began = self._read_open()
        self._read_log()
        self._ask_for_missing(listed, began)
        self._context.health.succeeded("pagerduty")

    def forget(self) -> None:
        """Take everything for news at the next read."""
        self._seen_entries, self._seen_incidents = {}, {}
        self.unmapped.clear()

    def _watermark(self) -> datetime | None:
        at = get_value(self._context.ledger, WATERMARK).get("at")
        return datetime.fromisoformat(str(at)) if at else None

    def _backfill(self) -> None:
        """A ledger's first read: the incidents of the backfill's days by their creation."""
        context = self._context
        until = context.clock.now()
        since = until - timedelta(seconds=context.backfill_seconds)
        days = (until - since) // timedelta(days=1)
        for page, read_seq in read_created(context, since, until):
            self._store(page.incidents, read_seq, "backfill")
            self._note_unread(page.unread)
            reached = max((one.created_at for one in page.incidents), default=since)
            context.progress.report("days of the backfill read", (reached - since) // timedelta(days=1), days)
        if context.stop.is_set():
            return
        context.progress.report("days of the backfill read", days, days)
        set_value(context.ledger, WATERMARK, at=until.isoformat())

    def _read_log(self) -> None:
        end = self._context.clock.now()
        start = self._watermark() or end
        if start > end + OVERLAP:
            # our clock stood ahead when this was written: nobody knows since when nothing was read
            start = end - timedelta(seconds=self._context.backfill_seconds)
        since = start - OVERLAP
        while since < end:
            until = end
            while not self._read_window(since, until):
                until = since + (until - since) / 2
                if until - since < timedelta(seconds=1):
                    raise RuntimeError("PagerDuty logged more than 9,900 entries within one second")
            if until > start:
                set_value(self._context.ledger, WATERMARK, at=until.isoformat())
            since = until
        horizon = end - 2 * OVERLAP
        self._seen_entries = {key: at for key, at in self._seen_entries.items() if at >= horizon}

    def _read_window(self, since: datetime, until: datetime) -> bool:
        """Read one window page by page; return whether it could be read to its end."""
        offset, more = 0, True
        while more:
            if offset > LAST_OFFSET:
                return False
            read_seq = self._context.ledger.logical_clock.next()
            page = self._context.services.pagerduty.log_entries(since, until, offset)
            self._write_entries([one for one in page.entries if one.id not in self._seen_entries], read_seq)
            self._note_unread(page.unread)
            offset, more = offset + PAGE, page.more and bool(page.entries or page.unread)
        return True

    def _write_entries(self, entries: list[LogEntry], read_seq: int) -> None:
        if not entries:
            return
        context, now = self._context, self._context.clock.now()
        page = [self._news(entry, read_seq) for entry in entries]
        self._name_unclaimed(store_log(context.ledger, storage_rules(context), page, read_seq, now))
        self._seen_entries.update((entry.id, entry.at) for entry in entries)

    def _news(self, entry: LogEntry, read_seq: int) -> LogNews:
        return LogNews(
            entry,
            # what the page embeds lacks the custom fields, so their change asks for a read by id
            since=self._context.ledger.logical_clock.next() if entry.kind in BY_ID else read_seq,
            why=f"PagerDuty logged {entry.kind}",
            notes=entry.kind == "annotate",
            shown=entry.kind in SHOWN,
        )

    def _name_unclaimed(self, incidents: Iterable[Incident]) -> None:
        """Say of each service that no mapping claims, once, that its incidents get no ticket."""
        for service in (incident.service for incident in incidents):
            if service.id not in self.unmapped:
                self.unmapped[service.id] = service.name
                logger.warning(
                    "service {} ({}) is in no mapping: its incidents get no ticket", service.name, service.id
                )

    def _read_open(self) -> tuple[set[str], int]:
        """Read all open incidents; return their ids and the moment when the first page was asked for."""
        began = self._context.ledger.logical_clock.next()
        listed: set[str] = set()
        offset, more = 0, True
        while more:
            read_seq = self._context.ledger.logical_clock.next()
            page = self._context.services.pagerduty.open_incidents(offset)
            listed.update(incident.id for incident in page.incidents)
            listed.update(page.unread)
            self._store(page.incidents, read_seq, "open in PagerDuty")
            self._note_unread(page.unread)
            offset, more = offset + PAGE, page.more and bool(page.incidents or page.unread)
        return listed, began

    def _note_unread(self, unread: Mapping[str, str]) -> None:
        """Once for each incident: what only a list shows badly is read well by its id."""
        fresh = {one: why for one, why in unread.items() if one not in self._seen_unread}
        if fresh:
            note_unread(self._context, fresh)
            self._seen_unread.update(fresh)

    def _store(self, incidents: Iterable[Incident], read_seq: int, why: str) -> None:
        """Store what is news; what looks as it did at the last read costs no transaction."""
        fresh, prints = [], {}
        for incident in incidents:
            print_ = sha256(incident.model_dump_json().encode()).hexdigest()
            if self._seen_incidents.get(incident.id) != print_:
                prints[incident.id] = print_
                fresh.append(incident)
        if not fresh:
            return
        context, now = self._context, self._context.clock.now()
        stored = store_listed(
            context.ledger, storage_rules(context), fresh, read_seq, now, why, readable=self._seen_unread
        )
        self._name_unclaimed(stored.unclaimed)
        self._seen_incidents.update(prints)
        self._seen_unread.difference_update(incident.id for incident in fresh)
        young = [news.id for news in stored.news if not context.predates_ledger(news.created_at)]
        if len(young) >= MANY:
            self._on_many(young)

    def _ask_for_missing(self, listed: set[str], began: int) -> None:
        """What the ledger holds for open and the list does not name is read by id.

        What was read since `began` is known better than by the list.
        """
        context = self._context
        known = open_and_older(context.ledger, began)
        missing = [incident_id for incident_id in known if incident_id not in listed]
        if missing:
            read_seq = context.ledger.logical_clock.next()
            notice_changes(context.ledger, missing, context.clock.now(), read_seq, "no longer listed as open")
        self._seen_incidents = {key: value for key, value in self._seen_incidents.items() if key in listed}
