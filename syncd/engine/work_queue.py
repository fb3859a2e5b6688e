"""Queue incidents for the workers: one slot for each incident, different incidents in parallel.

Each incident has a rank (`Rank`), and workers take the gravest first. Some workers take nothing light, so a
grave incident or a notice finds one free while all others wait for a slow service. An incident that is queued
while a worker has it gets another turn afterwards. Later tries wait on the boot-time clock. Light incidents
need no ageing: only grave ones go before them, and those are few.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from threading import Condition, Event, RLock, Thread

from loguru import logger

from syncd.domain.clock import Clock
from syncd.engine.act.attempts import Later
from syncd.engine.rules import Rank
from syncd.ledger.errors import LedgerUnwritable

RESERVED = Rank.OVER + 1
"""The rank of slots that a batch has: no worker is busy with them."""
PUSHED_BACK = 60.0
"""Seconds until syncd tries an incident again whose work raised an error, so that it cannot loop."""
LIGHT_BESIDE = 1
"""Light incidents that begin while grave ones are worked on: all threads share one interpreter."""
GIVES_WAY = 0.25
"""Real seconds that a light incident waits before each of its steps while grave ones are worked on.

A page of older log entries waits as long while workers are busy.
"""
BESIDE = (Rank.NOTICE, Rank.GRAVE, Rank.GRAVE)
"""The least ranks of further workers: one is always free of light tickets, two also of light notices."""


class WorkQueue:
    """A queue of incidents for worker threads, or for the caller itself."""

    def __init__(
        self,
        work: Callable[[str], Later],
        clock: Clock,
        on_empty: Callable[[], None] = lambda: None,
        report: Callable[[int, int], None] = lambda _done, _total: None,
        ranks: Callable[[Sequence[str]], Mapping[str, int]] = lambda _incidents: {},
    ) -> None:
        """Create an empty queue; `ranks` returns the ranks of those of some incidents that are known.

        `drain` calls `on_empty` when the queue is empty; it may fill the queue again. `report` gets after
        each incident how many of those queued since the queue was empty are done, and how many there are.
        """
        self._work = work
        self._on_empty = on_empty
        self._report = report
        self._clock = clock
        lock = RLock()
        self._change = Condition(lock)
        """Something changed: for all that wait but the workers."""
        self._takeable = Condition(lock)
        """A worker that waits may find an incident."""
        self._ranks = ranks
        self._ready: dict[int, dict[str, None]] = {}
        self._rank_of: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self._timers: list[tuple[float, str]] = []
        self._due_of: dict[str, float] = {}
        self._threads: list[Thread] = []
        self._stopping = False
        self._done = 0

    def submit(self, incident_ids: Iterable[str]) -> None:
        """Queue these incidents."""
        self._queue(list(_in_order(incident_ids)), {})

    def submit_told(self, ranks: Mapping[str, int | None]) -> None:
        """Queue the incidents of webhooks, by the ranks that these tell; a graver one on record counts.

        An incident without either may be among the gravest.
        """
        self._queue(list(ranks), {ident: rank for ident, rank in ranks.items() if rank is not None})

    def _queue(self, incident_ids: Sequence[str], told: Mapping[str, int]) -> None:
        if not incident_ids:
            return
        # the ledger is asked outside of the lock, and not where it could only tell less
        asked = [ident for ident in incident_ids if told.get(ident, Rank.OVER) > Rank.GRAVEST]
        ranks = self._ranks(asked) if asked else {}
        with self._change:
            for incident_id in incident_ids:
                known = [among[incident_id] for among in (ranks, told) if incident_id in among]
                self._put(incident_id, min(known, default=Rank.GRAVEST))
            self._notify()

    def _notify(self) -> None:
        self._change.notify_all()
        self._takeable.notify_all()

    def _put(self, incident_id: str, rank: int) -> None:
        """Queue an incident, or move one that is queued to the graver of both ranks."""
        before = self._rank_of.get(incident_id)
        if before is not None and before <= rank:
            return
        if before is not None:
            del self._ready[before][incident_id]
            if not self._ready[before]:
                # a rank without incidents would have light ones give way for nothing
                del self._ready[before]
        self._rank_of[incident_id] = rank
        self._ready.setdefault(rank, {})[incident_id] = None

    def reserve(self, incident_ids: Iterable[str]) -> list[str]:
        """Take the free slots of these incidents and return those taken; `release` gives them back."""
        with self._change:
            taken = [incident_id for incident_id in incident_ids if incident_id not in self._busy]
            self._busy.update(dict.fromkeys(taken, RESERVED))
            return taken

    def release(self, incident_ids: Iterable[str]) -> None:
        """Give reserved slots back."""
        with self._change:
            for incident_id in _in_order(incident_ids):
                self._busy.pop(incident_id, None)
            self._notify()

    def wake(self) -> None:
        """Move due incidents from the timers to the queue."""
        now = self._clock.boottime()
        with self._change:
            due = []
            while self._timers and self._timers[0][0] <= now:
                at, incident_id = heapq.heappop(self._timers)
                # an earlier timer took the place of this one
                if self._due_of.get(incident_id) == at:
                    del self._due_of[incident_id]
                    due.append(incident_id)
        self._queue(due, {})

    def next_due(self) -> float | None:
        """Return the boot time at which the first timer is due, None without timers."""
        with self._change:
            return self._timers[0][0] if self._timers else None

    def start(self, workers: int, prepare: Callable[[], None] = lambda: None) -> None:
        """Start the worker threads, and those of `BESIDE`; each calls `prepare` first."""
        for number, least in enumerate([Rank.OVER] * workers + list(BESIDE)):
            thread = Thread(target=self._loop, args=(least, prepare), name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> bool:
        """Start nothing new and wait for the workers; return True if all of them ended in time."""
        with self._change:
            self._stopping = True
            self._notify()
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

    def queued(self) -> int:
        """Return how many incidents wait for a worker (timers do not count)."""
        with self._change:
            return len(self._queued())

    def _queued(self) -> Collection[str]:
        return self._rank_of

    def is_grave(self, incident_id: str) -> bool:
        """Return True if the incident in this slot was queued as grave, or because a notice waits."""
        return self._busy.get(incident_id, Rank.OVER) <= Rank.NOTICE

    def drain(self) -> None:
        """Work through the queue in the caller's own thread until it is empty."""
        while True:
            while (incident_id := self._take(block=False)) is not None:
                self._one(incident_id)
            self._on_empty()
            if self._stopping or self.idle():
                return

    def _take(self, *, block: bool, least: int = Rank.OVER) -> str | None:
        """Take the slot of the gravest incident that waits, at least as grave as `least`; None: none is."""
        with self._change:
            while not self._stopping:
                for rank in sorted(rank for rank in self._ready if rank <= least):
                    # a caller without workers is alone with the interpreter
                    if block and rank > Rank.NOTICE and self._must_yield():
                        break
                    waiting = self._ready[rank]
                    # an incident in work stays queued and gets its turn afterwards
                    incident_id = next((ident for ident in waiting if ident not in self._busy), None)
                    if incident_id is None:
                        continue
                    del waiting[incident_id], self._rank_of[incident_id]
                    if not waiting:
                        del self._ready[rank]
                    self._busy[incident_id] = rank
                    return incident_id
                if not block:
                    return None
                self._takeable.wait()
        return None

    def give_way(self, incident_id: str) -> None:
        """Let grave incidents go first in the middle of a light one's work, for `GIVES_WAY` at most."""
        if not self.threaded or self.is_grave(incident_id):
            return
        with self._change:
            self._change.wait_for(lambda: self._stopping or not self._has_grave(), GIVES_WAY)

    def let_work(self) -> None:
        """Let the workers go first until none is busy and nothing is queued, for `GIVES_WAY` at most.

        For a reader whose news can wait: all threads share one interpreter.
        """
        if not self.threaded:
            return
        with self._change:
            self._change.wait_for(lambda: self._stopping or not self._in_work(), GIVES_WAY)

    def _in_work(self) -> bool:
        return bool(self._queued()) or any(rank != RESERVED for rank in self._busy.values())

    def _has_grave(self) -> bool:
        """Return True if grave incidents wait or are worked on."""
        ranks = chain(self._ready, self._busy.values())
        # mails need little of the interpreter, and a mail server may be slow
        return any(rank <= Rank.GRAVE and rank != Rank.MAILS for rank in ranks)

    def _must_yield(self) -> bool:
        """Return True if enough light incidents are worked on beside grave ones."""
        light = [rank for rank in self._busy.values() if Rank.GRAVE < rank <= Rank.OVER]
        return len(light) >= LIGHT_BESIDE and self._has_grave()

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
            woken = list(_in_order(later.wake))
            ranks = self._ranks_or_none(woken)
            with self._change:
                rank = self._busy.pop(incident_id, Rank.GRAVEST)
                if later.seconds is not None:
                    due = self._clock.boottime() + later.seconds
                    # one timer each: the work at its end tells when to come back
                    if due < self._due_of.get(incident_id, math.inf):
                        self._due_of[incident_id] = due
                        heapq.heappush(self._timers, (due, incident_id))
                for other in woken:
                    self._put(other, ranks.get(other, Rank.GRAVEST))
                self._done += 1
                done, total = self._done, self._done + len(self._queued()) + len(self._busy)
                if done == total:
                    self._done = 0
                self._change.notify_all()
                # the worker of a light incident takes the next one itself: whoever waits would find nothing
                if rank <= Rank.NOTICE or woken or incident_id in self._rank_of:
                    self._takeable.notify_all()
            self._report(done, total)

    def _ranks_or_none(self, incident_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the ranks; none if the ledger cannot tell: the slot must come free all the same."""
        try:
            return self._ranks(incident_ids) if incident_ids else {}
        except Exception as error:  # noqa: BLE001 - whatever it is, the woken incidents meet it as well
            logger.debug("the ledger does not tell ranks: {}", type(error).__name__)
            return {}

    def _loop(self, least: int, prepare: Callable[[], None]) -> None:
        prepare()
        while (incident_id := self._take(block=True, least=least)) is not None:
            self._one(incident_id)


def _in_order(incident_ids: Iterable[str]) -> Iterable[str]:
    """Return the ids in a fixed order: a set has none, and tests replay a history in the same order."""
    return sorted(incident_ids) if isinstance(incident_ids, set | frozenset) else incident_ids
