"""The webhook receivers: a signed body becomes a change notice, and nothing else.

syncd answers within five seconds, else the sender tries again. It accepts and ignores bodies that it cannot
use, because three refused webhooks in a row end a PagerDuty subscription for a day. The polls find everything
without webhooks too, only later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock

from loguru import logger

from syncd.domain.base import Reference
from syncd.engine.context import EngineContext
from syncd.ledger.store import change_queue
from syncd.web.events import IncidentEvent, jira_event, pagerduty_event

REMEMBERED = 10_000
"""Deliveries that syncd remembers; an older one that comes again only costs another read."""


class Receiver:
    """Take verified bodies; `hand_out` queues incidents for reconciliation."""

    def __init__(self, context: EngineContext, hand_out: Callable[[Iterable[str]], None]) -> None:
        self._context = context
        self._hand_out = hand_out
        self._lock = Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._counts: dict[tuple[str, str], int] = {}

    def pagerduty(self, body: bytes, delivery: str) -> str:
        """Take one PagerDuty webhook; return the outcome: `used`, `known` (came before) or `unused`."""
        event = pagerduty_event(body)
        if event is None:
            return "unused"
        # without the header, the event's own id tells a repeated delivery
        delivery = delivery or event.id
        if self._came_before("pagerduty", delivery):
            return "known"
        context = self._context
        # the account may have many services that no mapping names
        concerns_us = self._concerns_us(event)
        if concerns_us:
            now, read_seq = context.clock.now(), context.ledger.logical_clock.next()
            why = f"PagerDuty sent {event.kind}"
            change_queue.notice_changes(
                context.ledger, [event.incident], now, read_seq, why, notes=event.notes
            )
            self._hand_out([event.incident])
        self._remember("pagerduty", delivery)
        return "used" if concerns_us else "unused"

    def _concerns_us(self, event: IncidentEvent) -> bool:
        """Return True if the ledger has the incident or a mapping claims its service."""
        if change_queue.team_of_incident(self._context.ledger, event.incident) is not None:
            return True
        service = Reference(id=event.service_id, name=event.service_name)
        return self._context.rules.current.claim_of(service) is not None

    def jira(self, body: bytes, delivery: str) -> str:
        """Take one Jira webhook; return the outcome: `used`, `known` (came before) or `unused`."""
        event = jira_event(body)
        if event is None:
            return "unused"
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
                deleted=event.deleted,
                account=event.account,
            )
            self._hand_out([ticket.incident_id])
        self._remember("jira", delivery)
        return "used" if ticket is not None else "unused"

    def count(self, source: str, outcome: str) -> None:
        """Count one delivery; log a forged one."""
        with self._lock:
            number = self._counts[source, outcome] = self._counts.get((source, outcome), 0) + 1
        if outcome == "forged":
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
