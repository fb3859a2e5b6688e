"""The fast poll of PagerDuty: the account's log entries in a fixed window, and the open incidents.

syncd fixes the window before its first request, by PagerDuty's clock: ours may be wrong. Pages come newest
first, so the watermark advances only with the last page; syncd stores each page at once. An incident's
absence from the list of open incidents proves nothing: syncd reads a missing incident by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from loguru import logger

from syncd.domain.incident import Incident, LogEntry
from syncd.engine.context import EngineContext
from syncd.engine.observe.incident import note_readable, note_unread
from syncd.engine.observe.incident_windows import (
    LAST_OFFSET,
    PAGE,
    pagerduty_now,
    read_created,
    read_open,
)
from syncd.engine.observe.mapped_services import MappedServices, services_to_ask
from syncd.engine.observe.masking import storage_rules
from syncd.engine.rules import Rank
from syncd.engine.runtime.reads import Reads
from syncd.ledger.open import Ledger
from syncd.ledger.store.change_queue import notice_changes
from syncd.ledger.store.key_values import get_value, replace_value, set_value
from syncd.ledger.store.lookups import open_and_older
from syncd.ledger.store.pages import LogNews, store_listed, store_log
from syncd.ledger.store.troubles import INCIDENT
from syncd.policy.marks import mark_in
from syncd.remote.answers import IncidentPage

WATERMARK = "pagerduty.log"
"""The value that holds up to when the log was read (`at`), and a request for the days before."""
DAYS_BEFORE = "days_before"
OVERLAP = timedelta(minutes=5)
STORED_EVERY = timedelta(minutes=1)
"""How far the watermark moves until it is stored: a restart reads as much again."""
BY_ID = ("custom_field_value_change",)
"""Kinds of log entries about a change that only a read by id shows."""

SHOWN = ("trigger", "assign", "escalate", "notify", "acknowledge", "resolve")
"""Kinds of log entries about a change that the incident embedded in the entry shows: no read is needed."""
CROWD = 10_000
"""As many incidents as PagerDuty shows in one list."""
MANY = 10
"""New incidents on one page with which the workers begin while syncd reads the next page."""
SERVICES, OF_LATE = "PagerDuty's services", "PagerDuty's incidents of the last days"
OPEN, LOG = "PagerDuty's open incidents", "PagerDuty's log entries"


def rewind_pagerduty(ledger: Ledger, mark: dict[str, object]) -> None:
    """Have the log read anew from an earlier mark on; without one, the days before as by a new ledger."""
    stored = get_value(ledger, WATERMARK)
    value = dict(stored)
    if "at" not in mark or DAYS_BEFORE in mark:
        # another value each time: a poll under way must not take it for the request that it serves
        value[DAYS_BEFORE] = ledger.logical_clock.next()
    if "at" in mark and "at" in stored:
        value["at"] = min(str(mark["at"]), str(stored["at"]))
    if value != stored:
        set_value(ledger, WATERMARK, **value)


class PagerDutyPoller:
    """The fast poll's two reads of PagerDuty."""

    def __init__(
        self,
        context: EngineContext,
        on_news: Callable[[list[str]], None] = lambda _incidents: None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `on_news` with new incidents that are grave or many, once they are stored.

        None of them is older than the ledger. `give_way` is called before older log entries are read.
        """
        self._context = context
        self._on_news = on_news
        self._give_way = give_way
        self._seen_entries: dict[str, datetime] = {}
        # how the list of open incidents showed each of them last, with all that syncd does not read of it
        self._looks: dict[str, str] = {}
        self._seen_unread = context.troubles.whose(INCIDENT)
        self._mapped = MappedServices(context)
        self._crowded = ""
        self.unmapped: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._stored: dict[str, object] | None = None
        self._read_up_to: datetime | None = None

    def poll(self) -> None:
        """Read log entries and open incidents; raise `RemoteError` where PagerDuty cannot answer.

        Where PagerDuty refuses one of the two, syncd still reads the other.
        """
        reads = Reads("pagerduty", self._context.refusals)
        if reads.read(SERVICES, self._mapped.resolve):
            # what was read before counts as news for a service that a mapping claims now
            self.forget()
        start, days_before = self._watermark()
        if days_before:
            reads.read(OF_LATE, self._backfill)
            start, _ = self._watermark()
        opened = reads.read(OPEN, self._read_open)
        reads.read(LOG, partial(self._read_log, start))
        if opened is not None:
            self._ask_for_missing(*opened)
        reads.end()
        self._context.health.succeeded("pagerduty")

    def forget(self) -> None:
        """Forget what was seen, so that the next read counts as news."""
        self._seen_entries, self._looks = {}, {}
        self.unmapped.clear()
        self._waiting.clear()
        self._stored = None

    def remarks(self) -> list[str]:
        """Return in words what people should know about the reads of PagerDuty."""
        return [*self._mapped.remarks(), *filter(None, [self._crowded])]

    def _watermark(self) -> tuple[datetime | None, bool]:
        """Return up to when the log was read (UTC, None: never), and whether to read the days before."""
        stored = get_value(self._context.ledger, WATERMARK)
        at = stored.get("at")
        # another one than ours: a reload set it back
        if stored != self._stored:
            self._stored, self._read_up_to = stored, datetime.fromisoformat(str(at)) if at else None
        # a new ledger knows nothing of the days before
        return self._read_up_to, at is None or DAYS_BEFORE in stored

    def _advance(self, to: datetime) -> None:
        """Note up to when the log was read, unless a reload set that back meanwhile."""
        stored = self._stored
        if stored is None:
            return
        self._read_up_to, at = to, stored.get("at")
        if at is None or not timedelta() <= to - datetime.fromisoformat(str(at)) < STORED_EVERY:
            value = {**stored, "at": to.isoformat()}
            if replace_value(self._context.ledger, WATERMARK, stored, value):
                self._stored = value

    def _backfill(self) -> None:
        """Read the incidents of the last days by their creation, as a new ledger and a reload ask for."""
        context = self._context
        now, apart = pagerduty_now(context)
        since, until = now - timedelta(seconds=context.backfill_seconds) - apart, now + apart
        days = (until - since) // timedelta(days=1)
        for page, read_seq in read_created(context, since, until, services_to_ask(context)):
            self._store(page, read_seq, "backfill")
            self._note_unread(page.unread)
            reached = max((incident.created_at for incident in page.incidents), default=since)
            context.progress.report("days of the backfill read", (reached - since) // timedelta(days=1), days)
        if context.stop.is_set():
            return
        context.progress.report("days of the backfill read", days, days)
        stored = self._stored
        # else a reload asked for these days again, or changed the services, while they were read
        if stored is not None:
            at = stored.get("at", now.isoformat())
            replace_value(context.ledger, WATERMARK, stored, {"at": at})

    def _read_log(self, watermark: datetime | None) -> None:
        now, apart = pagerduty_now(self._context)
        start = watermark or now
        if start > now + OVERLAP + apart:
            # a clock that was ahead wrote the watermark, so the last good read is unknown
            start = now - timedelta(seconds=self._context.backfill_seconds)
        since, end = start - OVERLAP - apart, now + apart
        while since < end:
            until = end
            # PagerDuty refuses an offset beyond 9,900: halve the window until it fits
            while not self._read_window(since, until):
                if until - since <= timedelta(seconds=1):
                    logger.warning(
                        "more than 9,900 log entries were made at {:%Y-%m-%d %H:%M:%S} UTC, and PagerDuty"
                        " shows no more; the slow poll reads the incidents of the others",
                        since,
                    )
                    break
                until = since + max((until - since) / 2, timedelta(seconds=1))
            if min(until, now) > start:
                self._advance(min(until, now))
            since = until
        # older entries cannot come again: each window begins within the overlap
        horizon = now - 2 * (OVERLAP + apart)
        self._seen_entries = {key: at for key, at in self._seen_entries.items() if at >= horizon}

    def _read_window(self, since: datetime, until: datetime) -> bool:
        """Read one window page by page; return False if PagerDuty refuses its last pages."""
        offset, more = 0, True
        while more:
            if offset > LAST_OFFSET:
                return False
            read_seq = self._context.ledger.logical_clock.next()
            page = self._context.services.pagerduty.log_entries(since, until, offset, self._seen_entries)
            self._write_entries(page.entries, read_seq)
            self._note_unread(page.unread)
            offset, more = offset + PAGE, page.more
            if more and page.entries:
                # a storm's incidents are known from the list of open ones: their tickets go first
                self._give_way()
        return True

    def _write_entries(self, entries: Sequence[LogEntry], read_seq: int) -> None:
        if not entries:
            return
        context, now = self._context, self._context.clock.now()
        for entry in entries:
            if entry.incident is not None:
                self._mapped.meet(entry.incident.service)
        page = [self._news(entry, read_seq) for entry in entries]
        self._name_unclaimed(store_log(context.ledger, storage_rules(context), page, read_seq, now))
        self._seen_entries.update((entry.id, entry.at) for entry in entries)

    def _news(self, entry: LogEntry, read_seq: int) -> LogNews:
        return LogNews(
            entry,
            # the embedded incident lacks custom fields, so their change needs a read by id
            since=self._context.ledger.logical_clock.next() if entry.kind in BY_ID else read_seq,
            why=f"PagerDuty logged {entry.kind}",
            notes=entry.kind == "annotate",
            shown=entry.kind in SHOWN,
            # by the mark every rule tells our notes from those of people
            written=mark_in(entry.note),
        )

    def _name_unclaimed(self, incidents: Iterable[Incident]) -> None:
        """Log once for each service that no usable mapping claims what becomes of its incidents."""
        rules = self._context.rules.current
        for service in (incident.service for incident in incidents):
            if service.id in self.unmapped or service.id in self._waiting:
                continue
            file = rules.unusable_for(service, None)
            if file is not None:
                self._waiting.add(service.id)
                words = f"incidents of service {service.name} ({service.id}) wait"
                logger.warning("{}: {} names it and cannot be used", words, file.file)
                continue
            self.unmapped[service.id] = service.name
            # a file that nobody can read may name any service
            unread = ", ".join(file.file for file in rules.unusable if not file.services)
            logger.warning(
                "no mapping{} names service {} ({}), so its incidents get no ticket",
                f" (but perhaps {unread}, which cannot be read)" if unread else "",
                service.name,
                service.id,
            )

    def _read_open(self) -> tuple[set[str] | None, int]:
        """Read the open incidents; return their ids and the sequence number of the first request.

        Return no ids where PagerDuty does not show all of them: then a missing one tells nothing.
        """
        context = self._context
        began = context.ledger.logical_clock.next()
        listed: set[str] = set()
        full: list[datetime] = []
        for page, read_seq in read_open(context, services_to_ask(context), full.append, self._looks):
            listed.update(incident.id for incident in page.incidents)
            listed.update(page.same, page.unread)
            self._store(page, read_seq, "open in PagerDuty")
            self._note_unread(page.unread)
        self._note_crowd(len(listed), full)
        return (None if full or context.stop.is_set() else listed), began

    def _note_crowd(self, count: int, full: list[datetime]) -> None:
        """Note if more incidents are open than PagerDuty shows in one list, and log when that begins."""
        words = ""
        if count >= CROWD:
            words = "10,000 or more incidents of the mapped services are open, so each poll takes long"
            words += ", and syncd cannot see all of them" if full else ""
            words += ": resolve those that are over in PagerDuty"
        if words and words != self._crowded:
            logger.warning("{}", words)
        self._crowded = words

    def _note_unread(self, unread: Mapping[str, str]) -> None:
        """Have each incident that a list shows badly read by its id, once."""
        fresh = {
            incident_id: why for incident_id, why in unread.items() if incident_id not in self._seen_unread
        }
        if fresh:
            note_unread(self._context, fresh)
            self._seen_unread.update(fresh)

    def _store(self, page: IncidentPage, read_seq: int, why: str) -> None:
        """Store the incidents of a page; a page without any costs no transaction."""
        fresh = page.incidents
        if not fresh:
            return
        for incident in fresh:
            self._mapped.meet(incident.service)
        context, now = self._context, self._context.clock.now()
        stored = store_listed(context.ledger, storage_rules(context), fresh, read_seq, now, why)
        note_readable(context, fresh)
        self._name_unclaimed(stored.unclaimed)
        self._looks.update(page.looks)
        self._seen_unread.difference_update(incident.id for incident in fresh)
        rules = context.rules.current
        # older incidents may have a ticket already and wait for the search
        young = [news for news in stored.news if not context.predates_ledger(news.created_at)]
        if len(young) < MANY:
            young = [news for news in young if news.open and rules.rank_of(news) <= Rank.GRAVE]
        if young:
            self._on_news([news.id for news in young])

    def _ask_for_missing(self, listed: set[str] | None, began: int) -> None:
        """Have incidents read by id that the ledger holds for open and the list does not name.

        An incident that was read since `began` is left out: that read is newer than the list. Without a list
        none counts as missing.
        """
        context = self._context
        if listed is None:
            return
        stored_open = open_and_older(context.ledger, began)
        missing = [incident_id for incident_id in stored_open if incident_id not in listed]
        if missing:
            read_seq = context.ledger.logical_clock.next()
            notice_changes(context.ledger, missing, context.clock.now(), read_seq, "no longer listed as open")
        for incident_id in self._looks.keys() - listed:
            del self._looks[incident_id]
