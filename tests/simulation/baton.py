"""Concurrency from a seed: of several real threads exactly one runs, until it hands over during a request.

The order is that of simulated time, so a run repeats to the last byte. Everything that happens in the world
(an act of a person, a fault, a request that arrives although nobody waits for it) is in the same queue of
moments.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from threading import Lock, RLock, Thread

from simulation.wire import Killed
from syncd.sandbox.cast import START
from syncd.sandbox.clock import SandboxClock

LOCK, REENTRANT_LOCK = type(Lock()), type(RLock())
STEP = 0.01
"""Seconds of the world between two attempts to take a lock that another thread holds."""
STUCK = 20.0
"""Real seconds after which a task that does not hand over counts as deadlocked."""


def _closed() -> Lock:
    """Return a gate that one thread opens for another: a lock that is taken from the start."""
    gate = Lock()
    gate.acquire()
    return gate


class Task:
    """One thread of the daemon."""

    def __init__(self, hub: Hub, work: Callable[[], None]) -> None:
        self._hub, self._work = hub, work
        self.go = _closed()
        self.done = False
        self.parked = False
        self.blocked: Callable[[], bool] | None = None
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.go.acquire()
        try:
            # A thread that starts after the end of the daemon must not work any more.
            if not self._hub.dead:
                self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the thread that plays, which raises it
            self._hub.failure = error
        self.done = True
        self._hub.back.release()


class Hub:
    """The queue of moments, and the thread that runs."""

    def __init__(self, clock: SandboxClock) -> None:
        self.clock = clock
        self.back = _closed()
        self.dead = False
        self.failure: BaseException | None = None
        self.tasks: list[Task] = []
        self.idle: Callable[[], bool] = lambda: True
        self._order = count()
        self._queue: list[tuple[float, int, Task | Callable[[], None]]] = []
        self._running: Task | None = None

    @property
    def running(self) -> Task | None:
        """The thread of the daemon that runs now; None for the thread that plays."""
        return self._running

    def now(self) -> float:
        """Return the seconds since the world began."""
        return (self.clock.now() - START).total_seconds()

    def at(self, moment: float, event: Task | Callable[[], None]) -> None:
        """Put an event or a thread into the queue, for a moment."""
        # The counter keeps events of one moment in their order, so that a run repeats exactly.
        heapq.heappush(self._queue, (max(moment, self.now()), next(self._order), event))

    def spawn(self, work: Callable[[], None]) -> None:
        """Start a thread of the daemon, now."""
        task = Task(self, work)
        self.tasks.append(task)
        self.at(self.now(), task)

    def pause(self, seconds: float) -> None:
        """Let other threads run for `seconds`; the running thread calls this.

        Raise `Killed` at the end of all.
        """
        # The thread that plays is no task: it lets the world go on instead of handing over.
        if self._running is None:
            self.run(self.now() + seconds)
            return
        self.at(self.now() + seconds, self._running)
        self._hand_on()

    def pause_while(self, blocked: Callable[[], bool]) -> None:
        """Pause for one `STEP` after the other while `blocked` returns True."""
        task = self._running
        while task is None and blocked():
            self.pause(STEP)
        if task is not None and blocked():
            task.blocked = blocked
            self.pause(STEP)
            task.blocked = None

    def park(self) -> None:
        """Wait until there is work (`idle` returns False); the running thread calls this."""
        if self._running is not None:
            self._running.parked = True
            self._hand_on()

    def kill(self) -> None:
        """End all threads of the daemon here; the running thread calls this."""
        self.dead = True
        raise Killed

    def run(self, until: float) -> None:
        """Play everything until a moment, or until the daemon ends."""
        while self._queue and self._queue[0][0] <= until and not self.dead:
            moment, _, event = heapq.heappop(self._queue)
            self._advance(moment)
            if isinstance(event, Task) and event.blocked is not None and event.blocked():
                # Its thread would only ask the same question, so asking here saves the switch.
                self.at(self.now() + STEP, event)
            elif isinstance(event, Task):
                self._switch(event)
            else:
                event()
            self._wake()
        if self.dead:
            self._bury()
        else:
            self._advance(until)

    def _advance(self, moment: float) -> None:
        now = self.now()
        if moment > now:
            self.clock.advance(moment - now)

    def _wake(self) -> None:
        if not self.idle():
            parked = next((task for task in self.tasks if task.parked and not task.done), None)
            if parked is not None:
                parked.parked = False
                self.at(self.now(), parked)

    def _switch(self, task: Task) -> None:
        if task.done:
            return
        self._running = task
        task.go.release()
        # A thread of the daemon that blocks on a real lock never hands over.
        if not self.back.acquire(timeout=STUCK):
            raise RuntimeError("a thread of the daemon waits for something that will not come")
        self._running = None
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def _hand_on(self) -> None:
        task = self._running
        assert task
        self.back.release()
        task.go.acquire()
        if self.dead:
            raise Killed

    def _bury(self) -> None:
        """Unwind and forget every thread of the daemon; requests that travel stay in the world."""
        for task in self.tasks:
            self._switch(task)
        self.tasks.clear()
        # Acts of people and travelling requests go on after the end of the daemon.
        self._queue = [entry for entry in self._queue if not isinstance(entry[2], Task)]
        heapq.heapify(self._queue)

    def end(self) -> None:
        """End the threads of the daemon without an error."""
        self.dead = True
        self._bury()


class BatonLock:
    """A lock that hands over instead of blocking, for locks that the daemon holds during a request."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._held = False

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock: hand over until it is free, or return at once without `blocking`."""
        if blocking:
            self._hub.pause_while(lambda: self._held)
        taken, self._held = not self._held, True
        return taken

    def release(self) -> None:
        """Release the lock."""
        self._held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class ReentrantBatonLock(BatonLock):
    """The same for a lock that its holder may take again."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._holder: Task | None = None
        self._times = 0

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock, also once more by its holder."""
        mine = self._times > 0 and self._holder is self._hub.running
        taken = mine or super().acquire(blocking)
        if taken:
            self._holder, self._times = self._hub.running, self._times + 1
        return taken

    def release(self) -> None:
        """Release the lock as often as it was taken."""
        self._times -= 1
        if not self._times:
            super().release()


def soften(hub: Hub, *owners: object) -> None:
    """Replace the locks of these objects, because they would block the only thread that runs."""
    for owner in owners:
        for name, value in vars(owner).items():
            if isinstance(value, LOCK):
                setattr(owner, name, BatonLock(hub))
            elif isinstance(value, REENTRANT_LOCK):
                setattr(owner, name, ReentrantBatonLock(hub))
            elif value is Lock:
                setattr(owner, name, partial(BatonLock, hub))
