"""Tell PagerDuty of the daemon's own troubles over the Events API, because mail may be what is broken.

Off unless the operator gave a routing key. Each cause has one dedup key: PagerDuty hears once when it begins
or changes, and once when it is over. The ledger stores what PagerDuty took, so a restart repeats nothing. An
event of unknown outcome leaves again: its dedup key makes the second one harmless. A failure holds nothing
up and is no alarm itself: syncd logs it once and tries again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock, Thread

from loguru import logger

from syncd.engine.context import EngineContext
from syncd.ledger.errors import LedgerError
from syncd.ledger.store.mails import open_events, store_events
from syncd.policy.notify.operator_alarms import Alarm, AlarmEvent, events_due
from syncd.remote.errors import RemoteError
from syncd.remote.http.lanes import Lane, lane

FIRST_REST, LONGEST_REST = 60.0, 3600.0
"""Seconds from a failure to the next try: twice as long after each failure."""
WAIT = 45.0
"""Real seconds that a process that ends waits for its last events: longer than a request may take."""


class AlarmEvents:
    """Sends events in a thread of its own, one batch at a time."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._open: dict[str, str] | None = None
        self._thread: Thread | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._lock = Lock()

    def follow(self, alarms: Sequence[Alarm], *, settled: bool) -> None:
        """Begin to send what PagerDuty has to hear, given the present alarms (see `events_due`)."""
        context = self._context
        if context.alarm_events is None or context.dry_run:
            return
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if busy or context.clock.boottime() < self._rests_until:
                return
            if self._open is None:
                self._open = open_events(context.ledger)
            due = events_due(alarms, self._open, settled=settled)
            if due:
                self._thread = Thread(target=self._send_all, args=(due,), name="alarm events", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Wait for the events under way: the process is about to end."""
        if self._thread is not None:
            self._thread.join(WAIT)

    def _send_all(self, due: Sequence[AlarmEvent]) -> None:
        failure: Exception | None = None
        for event in due:
            try:
                self._send(event)
            except RemoteError as error:
                failure = error
                # the others may be taken where only this one is refused
                if not error.refused:
                    break
            except LedgerError as error:
                failure = error
                break
        self._note(failure)

    def _send(self, event: AlarmEvent) -> None:
        context = self._context
        client, causes = context.alarm_events, dict(self._open or {})
        if client is None:
            return
        key = f"syncd/{context.ledger.instance}/{event.cause}"
        with lane(Lane.FIRST):
            if event.alarm is None:
                client.resolve(key)
                causes.pop(event.cause, None)
            else:
                client.trigger(
                    key,
                    f"syncd: {event.alarm.text}",
                    severity=event.alarm.severity,
                    kind=event.alarm.kind,
                    source=f"syncd {context.ledger.instance}",
                    at=context.clock.now(),
                )
                causes[event.cause] = event.alarm.key
        store_events(context.ledger, causes, event.cause, context.clock.now())
        self._open = causes

    def _note(self, failure: Exception | None) -> None:
        if failure is None:
            if self._failures:
                logger.info("PagerDuty takes syncd's alarms again")
            self._failures = 0
            return
        # a warning: an alarm about the alarms would try the same way again
        if not self._failures:
            logger.warning("syncd cannot tell PagerDuty of an alarm and tries again: {}", failure)
        rest = min(LONGEST_REST, FIRST_REST * 2.0**self._failures)
        self._failures += 1
        self._rests_until = self._context.clock.boottime() + rest
