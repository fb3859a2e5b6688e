"""Queue incidents for the workers: one slot for each incident, different incidents in parallel.

Urgent incidents get a worker before all others, so that a grave one never waits behind a storm. An incident
that is queued while a worker has it gets another turn afterwards. Later tries wait on the boot-time clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from threading import Condition, Event, Thread

from loguru import logger

from syncd.domain.clock import Clock
from syncd.engine.reconcile import Later
from syncd.ledger.errors import LedgerUnwritable

PUSHED_BACK = 60.0
"""Seconds until syncd tries an incident again whose work raised an error, so that it cannot loop."""


class WorkQueue:
    """A queue of incidents for worker threads, or for the caller itself."""

    def __init__(
        self,
        work: Callable[[str], Later],
        clock: Clock,
        on_empty: Callable[[], None] = lambda: None,
        report: Callable[[int, int], None] = lambda _done, _total: None,
        urgent: Callable[[Sequence[str]], set[str]] = lambda _incidents: set(),
    ) -> None:
        """Create an empty queue; `urgent` picks those of some incidents that go before all others.

        `drain` calls `on_empty` when the queue is empty; it may fill the queue again. `report` gets after
        each incident how many of those queued since the queue was empty are done, and how many there are.
        """
        self._work = work
        self._on_empty = on_empty
        self._report = report
        self._clock = clock
        self._change = Condition()
        self._pick_urgent = urgent
        self._urgent: dict[str, None] = {}
        self._ready: dict[str, None] = {}
        self._busy: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._threads: list[Thread] = []
        self._stopping = False
        self._done = 0

    def submit(self, incident_ids: Iterable[str]) -> None:
        """Queue these incidents."""
        self._queue(list(_in_order(incident_ids)))

    def _queue(self, incident_ids: Sequence[str]) -> None:
        # the ledger is asked outside of the lock
        urgent = self._pick_urgent(incident_ids) if incident_ids else set()
        with self._change:
            for incident_id in incident_ids:
                if incident_id in urgent:
                    self._ready.pop(incident_id, None)
                    self._urgent.setdefault(incident_id)
                elif incident_id not in self._urgent:
                    self._ready.setdefault(incident_id)
            self._change.notify_all()

    def reserve(self, incident_ids: Iterable[str]) -> list[str]:
        """Take the free slots of these incidents and return those taken; `release` gives them back."""
        with self._change:
            taken = [incident_id for incident_id in incident_ids if incident_id not in self._busy]
            self._busy.update(taken)
            return taken

    def release(self, incident_ids: Iterable[str]) -> None:
        """Give reserved slots back."""
        with self._change:
            for incident_id in _in_order(incident_ids):
                self._busy.discard(incident_id)
            self._change.notify_all()

    def wake(self) -> None:
        """Move due incidents from the timers to the queue."""
        now = self._clock.boottime()
        with self._change:
            due = []
            while self._timers and self._timers[0][0] <= now:
                due.append(heapq.heappop(self._timers)[1])
        self._queue(due)

    def next_due(self) -> float | None:
        """Return the boot time at which the first timer is due, None without timers."""
        with self._change:
            return self._timers[0][0] if self._timers else None

    def start(self, workers: int) -> None:
        """Start the worker threads."""
        for number in range(workers):
            thread = Thread(target=self._loop, name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> bool:
        """Start nothing new and wait for the workers; return True if all of them ended in time."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        limit = self._clock.boottime() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - self._clock.boottime()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def threaded(self) -> bool:
        """True if threads work through the queue."""
        return bool(self._threads)

    def idle(self) -> bool:
        """Return True if nothing is queued or under way (timers do not count)."""
        with self._change:
            return not self._queued() and not self._busy

    def wait_for(self, incident_ids: Iterable[str], stop: Event) -> None:
        """Wait until none of these is queued or under way, or the daemon stops."""
        awaited = set(incident_ids)
        with self._change:
            while not stop.is_set() and not awaited.isdisjoint({*self._queued(), *self._busy}):
                self._change.wait(1.0)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing is queued or under way, at most `seconds` of real time."""
        with self._change:
            return self._change.wait_for(lambda: not self._queued() and not self._busy, seconds)

    def _queued(self) -> Collection[str]:
        return {**self._urgent, **self._ready} if self._urgent else self._ready

    def drain(self) -> None:
        """Work through the queue in the caller's own thread until it is empty."""
        while True:
            while (incident_id := self._take(block=False)) is not None:
                self._one(incident_id)
            self._on_empty()
            if self._stopping or self.idle():
                return

    def _take(self, *, block: bool) -> str | None:
        with self._change:
            while not self._stopping:
                for incident_id in chain(self._urgent, self._ready):
                    # an incident in work stays queued and gets its turn afterwards
                    if incident_id not in self._busy:
                        self._urgent.pop(incident_id, None)
                        self._ready.pop(incident_id, None)
                        self._busy.add(incident_id)
                        return incident_id
                if not block:
                    return None
                self._change.wait()
        return None

    def _one(self, incident_id: str) -> None:
        later = Later()
        try:
            later = self._work(incident_id)
        except LedgerUnwritable:
            # the loop's ledger watch logs it once
            later.at(PUSHED_BACK)
        except Exception as error:  # noqa: BLE001 - one incident that blows up must not stop the others
            logger.opt(exception=error).error(
                "{}: a defect of syncd stopped the work ({}); syncd tries again",
                incident_id,
                type(error).__name__,
            )
            later.at(PUSHED_BACK)
        finally:
            with self._change:
                self._busy.discard(incident_id)
                if later.seconds is not None:
                    due = self._clock.boottime() + later.seconds
                    heapq.heappush(self._timers, (due, incident_id))
                for other in _in_order(later.wake):
                    if other not in self._urgent:
                        self._ready.setdefault(other)
                self._done += 1
                done, total = self._done, self._done + len(self._queued()) + len(self._busy)
                if done == total:
                    self._done = 0
                self._change.notify_all()
            self._report(done, total)

    def _loop(self) -> None:
        while (incident_id := self._take(block=True)) is not None:
            self._one(incident_id)


def _in_order(incident_ids: Iterable[str]) -> Iterable[str]:
    """Return the ids in a fixed order: a set has none, and tests replay a history in the same order."""
    return sorted(incident_ids) if isinstance(incident_ids, set | frozenset) else incident_ids
