"""Hands incidents to workers: one slot an incident, different incidents in parallel.

An incident that is asked for while it is being worked on is worked on again afterwards. What is to be
tried later waits on the boot-time clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from threading import Condition, Event, Thread

from loguru import logger

from syncd.domain.clock import Clock
from syncd.engine.reconcile import Later
from syncd.ledger.errors import LedgerUnwritable

PUSHED_BACK = 60.0
"""Seconds until an incident whose work blew up is tried again, so that it cannot loop."""


class WorkQueue:
    """A queue of incidents, worked through by threads or by the caller itself."""

    def __init__(
        self,
        work: Callable[[str], Later],
        clock: Clock,
        on_empty: Callable[[], None] = lambda: None,
        report: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """`on_empty` is called by `drain` when its queue is empty, and may fill it again.

        `report` is told after each incident how many are done of those asked for since the queue was empty.
        """
        self._work = work
        self._on_empty = on_empty
        self._report = report
        self._clock = clock
        self._change = Condition()
        self._ready: dict[str, None] = {}
        self._busy: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._threads: list[Thread] = []
        self._stopping = False
        self._done = 0

    def submit(self, incident_ids: Iterable[str]) -> None:
        """Ask for these incidents to be worked on."""
        with self._change:
            for incident_id in _in_order(incident_ids):
                self._ready.setdefault(incident_id)
            self._change.notify_all()

    def reserve(self, incident_ids: Iterable[str]) -> list[str]:
        """Take the slots of those incidents that nobody is working on; `release` gives them back."""
        with self._change:
            taken = [one for one in incident_ids if one not in self._busy]
            self._busy.update(taken)
            return taken

    def release(self, incident_ids: Iterable[str]) -> None:
        """Give reserved slots back."""
        with self._change:
            for incident_id in _in_order(incident_ids):
                self._busy.discard(incident_id)
            self._change.notify_all()

    def wake(self) -> None:
        """Move what is due from the timers to the queue."""
        now = self._clock.boottime()
        with self._change:
            while self._timers and self._timers[0][0] <= now:
                self._ready.setdefault(heapq.heappop(self._timers)[1])
            if self._ready:
                self._change.notify_all()

    def next_due(self) -> float | None:
        """The boot time at which the first timer is due, None without timers."""
        with self._change:
            return self._timers[0][0] if self._timers else None

    def start(self, workers: int) -> None:
        """Start the worker threads."""
        for number in range(workers):
            thread = Thread(target=self._loop, name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> bool:
        """Start nothing new, wait for what is under way; return whether all of it came to an end."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        limit = self._clock.boottime() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - self._clock.boottime()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def threaded(self) -> bool:
        """Whether threads work through the queue."""
        return bool(self._threads)

    def idle(self) -> bool:
        """Whether nothing is queued or under way (timers do not count)."""
        with self._change:
            return not self._ready and not self._busy

    def wait_for(self, incident_ids: Iterable[str], stop: Event) -> None:
        """Wait until none of these is queued or under way, or the daemon stops."""
        wanted = set(incident_ids)
        with self._change:
            while not stop.is_set() and not wanted.isdisjoint({*self._ready, *self._busy}):
                self._change.wait(1.0)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing is queued or under way, at most `seconds` of real time."""
        with self._change:
            return self._change.wait_for(lambda: not self._ready and not self._busy, seconds)

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
                for incident_id in self._ready:
                    if incident_id not in self._busy:
                        del self._ready[incident_id]
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
            later.at(PUSHED_BACK)  # said by whoever watches the ledger
        except Exception as error:  # noqa: BLE001 - one incident that blows up must not stop the others
            logger.opt(exception=error).error("work on {} failed: {}", incident_id, type(error).__name__)
            later.at(PUSHED_BACK)
        finally:
            with self._change:
                self._busy.discard(incident_id)
                if later.seconds is not None:
                    due = self._clock.boottime() + later.seconds
                    heapq.heappush(self._timers, (due, incident_id))
                for other in _in_order(later.wake):
                    self._ready.setdefault(other)
                self._done += 1
                done, total = self._done, self._done + len(self._ready) + len(self._busy)
                if done == total:
                    self._done = 0
                self._change.notify_all()
            self._report(done, total)

    def _loop(self) -> None:
        while (incident_id := self._take(block=True)) is not None:
            self._one(incident_id)


def _in_order(incident_ids: Iterable[str]) -> Iterable[str]:
    """A set has no order of its own; with one, the same history is worked through in the same way."""
    return sorted(incident_ids) if isinstance(incident_ids, set | frozenset) else incident_ids
