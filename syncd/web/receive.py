"""The webhook receivers: a signed body becomes a change notice; of a status update its time is stored, too.

syncd answers within five seconds, else the sender tries again. It accepts and ignores bodies that it cannot
use, because three refused webhooks in a row end a PagerDuty subscription for a day. The polls find everything
without webhooks too, only later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from threading import Lock
from typing import Protocol

from loguru import logger

from syncd.domain.base import Reference
from syncd.domain.clock import Clock
from syncd.engine.observe.accounts import OnRecord, our_users_on_record
from syncd.engine.rules import RulesReference
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import change_queue
from syncd.ledger.store.pages import Loss, store_loss
from syncd.web.events import IncidentEvent, jira_event, pagerduty_event

REMEMBERED = 10_000
"""Deliveries that syncd remembers; an older one that comes again only costs another read."""
LOOK_EVERY = 1.0
"""Seconds between two looks at an incident because of webhooks; polls and people look at any time."""
LOGGED_EVERY = 60.0
"""Seconds between two log lines about refused deliveries of one service."""


class Moments(Protocol):
    """The clock of the reads (`LogicalClock`)."""

    def next(self) -> int:
        """Return the moment of a change notice."""
        ...


class NoticeStore(Transactions, Protocol):
    """The ledger as a receiver needs it."""

    @property
    def logical_clock(self) -> Moments:
        """The clock of the reads."""
        ...


class Hearing(OnRecord, Protocol):
    """What a receiver needs: the engine's context, or that of a standby."""

    @property
    def ledger(self) -> NoticeStore:
        """The place of the change notices."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock."""
        ...

    @property
    def rules(self) -> RulesReference:
        """The rules in force."""
        ...


class Receiver:
    """Take verified bodies; `hand_out` queues incidents for reconciliation."""

    def __init__(self, context: Hearing, hand_out: Callable[[Iterable[str]], None]) -> None:
        self._context = context
        self._hand_out = hand_out
        self._lock = Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._counts: dict[tuple[str, str], int] = {}
        self._logged: dict[str, float] = {}
        self._looked: dict[str, float] = {}
        self._waiting: set[str] = set()

    def pagerduty(self, body: bytes) -> str:
        """Take one PagerDuty webhook; return the outcome: `used`, `known` (came before) or `unused`."""
        event = pagerduty_event(body)
        if event is None:
            return "unused"
        # of the signed body: anybody can repeat a delivery under another header
        delivery = event.id or sha256(body).hexdigest()
        if self._came_before("pagerduty", delivery):
            return "known"
        context = self._context
        # the account may have many services that no mapping names
        concerns_us = self._concerns_us(event)
        if concerns_us:
            now, read_seq = context.clock.now(), context.ledger.logical_clock.next()
            why = f"PagerDuty sent {event.kind}"
            if event.status_update:
                ours = event.person in our_users_on_record(context)
                at = event.at or now if event.person and not ours else None
                change_queue.store_status_update(context.ledger, event.incident, at, now)
            change_queue.notice_changes(
                context.ledger, [event.incident], now, read_seq, why, notes=event.notes
            )
            self._look_at(event.incident)
        self._remember("pagerduty", delivery)
        return "used" if concerns_us else "unused"

    def _concerns_us(self, event: IncidentEvent) -> bool:
        """Return True if the ledger has the incident or a mapping claims its service."""
        if change_queue.team_of_incident(self._context.ledger, event.incident) is not None:
            return True
        service = Reference(id=event.service_id, name=event.service_name)
        return self._context.rules.current.claim_of(service) is not None

    def jira(self, body: bytes) -> str:
        """Take one Jira webhook; return the outcome: `used`, `known` (came before) or `unused`."""
        event = jira_event(body)
        if event is None:
            return "unused"
        # Jira signs no id; a repeated delivery has the same body, with its time
        delivery = sha256(body).hexdigest()
        if self._came_before("jira", delivery):
            return "known"
        context = self._context
        ticket = change_queue.ticket_of_issue(context.ledger, event.issue)
        if ticket is not None:
            change_queue.note_ticket_event(
                context.ledger,
                ticket,
                context.clock.now(),
                context.ledger.logical_clock.next(),
                f"Jira sent {event.kind}",
            )
        incident = ticket.incident_id if ticket is not None else None
        if event.deleted or event.moved:
            how: Loss = "deleted" if event.deleted else "moved"
            now = context.clock.now()
            lost = store_loss(context.ledger, event.issue, how, event.name, event.account, now)
            incident = incident or lost
        if incident is not None:
            self._look_at(incident)
        self._remember("jira", delivery)
        return "used" if incident is not None else "unused"

    def _look_at(self, incident_id: str) -> None:
        """Queue an incident, at most once a second: `tick` queues it if more comes meanwhile."""
        now = self._context.clock.boottime()
        with self._lock:
            self._looked = {key: at for key, at in self._looked.items() if now - at < LOOK_EVERY}
            if incident_id in self._looked:
                self._waiting.add(incident_id)
                return
            self._looked[incident_id] = now
        self._hand_out([incident_id])

    def tick(self) -> None:
        """Queue the incidents with webhooks that came within a second after the last; called each second."""
        now = self._context.clock.boottime()
        with self._lock:
            due = [key for key in self._waiting if now - self._looked.get(key, -LOOK_EVERY) >= LOOK_EVERY]
            self._waiting.difference_update(due)
            self._looked.update(dict.fromkeys(due, now))
        if due:
            self._hand_out(due)

    def count(self, source: str, outcome: str) -> None:
        """Count one delivery; log forged ones once a minute."""
        now = self._context.clock.boottime()
        with self._lock:
            number = self._counts[source, outcome] = self._counts.get((source, outcome), 0) + 1
            silent = outcome != "forged" or now - self._logged.get(source, -LOGGED_EVERY) < LOGGED_EVERY
            if not silent:
                self._logged[source] = now
        if not silent:
            logger.warning(
                "refused a webhook from {} without a valid signature ({} so far); check its secret",
                source,
                number,
            )

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of deliveries by source and outcome."""
        with self._lock:
            return dict(self._counts)

    def _came_before(self, source: str, delivery: str) -> bool:
        with self._lock:
            return bool(delivery) and f"{source} {delivery}" in self._known

    def _remember(self, source: str, delivery: str) -> None:
        """Remember a delivery whose notice is stored: a failed one must count when it comes again."""
        with self._lock:
            if delivery:
                self._known[f"{source} {delivery}"] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
