"""The webhook receivers: a signed body becomes a row of `notice_changes`, and nothing else.

Answers come within five seconds, else the sender tries again; what cannot be used is accepted and passed
over, because three refused webhooks in a row end a PagerDuty subscription for a day. The polls would find
everything without these, only later.
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
"""Deliveries that are known again; one that came longer ago only costs another look."""


class Receiver:
    """Takes verified bodies; `hand_out` has incidents looked at soon."""

    def __init__(self, context: EngineContext, hand_out: Callable[[Iterable[str]], None]) -> None:
        self._context = context
        self._hand_out = hand_out
        self._lock = Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._counts: dict[tuple[str, str], int] = {}

    def pagerduty(self, body: bytes, delivery: str) -> str:
        """One webhook of PagerDuty; return what became of it: `used`, `known` or `unused`."""
        event = pagerduty_event(body)
        if event is None:
            return "unused"
        delivery = delivery or event.id
        if self._came_before("pagerduty", delivery):
            return "known"
        context = self._context
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
        """Whether the incident is known, or stands on a service of a mapping."""
        if change_queue.team_of_incident(self._context.ledger, event.incident) is not None:
            return True
        service = Reference(id=event.service_id, name=event.service_name)
        return self._context.rules.current.claim_of(service) is not None

    def jira(self, body: bytes, delivery: str) -> str:
        """One webhook of Jira; return what became of it."""
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
        """Count one delivery; a forged one is worth a line."""
        with self._lock:
            number = self._counts[source, outcome] = self._counts.get((source, outcome), 0) + 1
        if outcome == "forged":
            logger.warning("a webhook of {} bore no valid signature ({} so far)", source, number)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries came, by source and outcome."""
        with self._lock:
            return dict(self._counts)

    def _came_before(self, source: str, delivery: str) -> bool:
        with self._lock:
            return bool(delivery) and f"{source} {delivery}" in self._known

    def _remember(self, source: str, delivery: str) -> None:
        """Only now that the row is written: what failed before must be taken when it comes again."""
        with self._lock:
            if delivery:
                self._known[f"{source} {delivery}"] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
