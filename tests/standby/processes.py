"""Several daemons on one queue of moments: each is a process that can be killed or stopped alone."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from simulation.baton import Hub, Task
from simulation.line import DaemonClock

from syncd.engine.loop import ControlLoop
from syncd.ledger.open import Ledger
from syncd.sandbox.clock import SandboxClock


class Process:
    """One run of a daemon: its threads, and if it is stopped (by SIGSTOP), ending or dead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: list[Task] = []
        self.dead = self.stopped = self.ending = False
        self.late: list[Task] = []
        """The threads whose moment came while the process was stopped, in their order."""
        self.travelling: set[Task] = set()
        """The threads whose request is under way: it arrives although the process is stopped."""
        self.idle: Callable[[], bool] = lambda: True


@dataclass
class Machine:
    """One of the two machines: its clock, the link to the database, the daemon on it."""

    name: str
    clock: DaemonClock
    folder: Path
    cut: bool = False
    process: Process | None = None


@dataclass
class Leader:
    """A process that leads or led, with its ledger and loop."""

    machine: Machine
    process: Process
    ledger: Ledger
    loop: ControlLoop = field(init=False)


class SharedHub(Hub):
    """The queue of moments of several processes."""

    _running: Task | None = None

    def __init__(self, clock: SandboxClock) -> None:
        self.processes: dict[Task, Process] = {}
        self._beginning: Process | None = None
        super().__init__(clock)

    @property
    def process(self) -> Process | None:
        """The process whose thread runs or is being started; None for the thread that plays."""
        running = self._running
        return self.processes.get(running) if running is not None else self._beginning

    @property  # type: ignore[override] # here it depends on who asks
    def dead(self) -> bool:
        """True if the process that asks has ended."""
        process = self.process
        return process is not None and process.dead

    @dead.setter
    def dead(self, dead: bool) -> None:
        if self.process is not None:
            self.process.dead = dead

    @property  # type: ignore[override] # each process has its own work
    def idle(self) -> Callable[[], bool]:
        """Return what tells if the process that asks has no work."""
        return self.process.idle if self.process is not None else lambda: True

    @idle.setter
    def idle(self, idle: Callable[[], bool]) -> None:
        if self.process is not None:
            self.process.idle = idle

    def begin(self, process: Process, work: Callable[[], None]) -> None:
        """Start the first thread of a process."""
        self._beginning = process
        try:
            self.spawn(work)
        finally:
            self._beginning = None

    def spawn(self, work: Callable[[], None]) -> None:
        """Start a thread of the process that asks, now."""
        process = self.process
        assert process is not None
        task = Task(self, work)
        self.processes[task] = process
        process.tasks.append(task)
        self.at(self.now(), task)

    def stop(self, process: Process) -> None:
        """Stop a process; if one of its threads calls this, it goes on when the process does."""
        process.stopped = True
        if self.process is process and self._running is not None:
            # it may be inside a transaction, for which the other threads wait: it goes on before them
            process.late.append(self._running)
            self._hand_on()

    def go_on(self, process: Process) -> None:
        """Let a stopped process go on; the thread that met the stop comes first."""
        process.stopped = False
        late, process.late = process.late, []
        for task in late:
            self.at(self.now(), task)

    @contextmanager
    def travel(self) -> Iterator[None]:
        """Note that a request of the running thread is under way while the block runs."""
        process, task = self.process, self._running
        if process is None or task is None:
            yield
            return
        process.travelling.add(task)
        try:
            yield
        finally:
            process.travelling.discard(task)

    def bury(self, process: Process) -> None:
        """Unwind and forget every thread of a process; the thread that plays calls this."""
        process.dead, process.stopped = True, False
        for task in process.tasks:
            super()._switch(task)
            self.processes.pop(task, None)
        gone = set(process.tasks)
        process.tasks.clear()
        self._queue = [entry for entry in self._queue if entry[2] not in gone]
        heapq.heapify(self._queue)

    def _switch(self, task: Task) -> None:
        process = self.processes.get(task)
        if process is not None and process.stopped and task not in process.travelling:
            process.late.append(task)
            return
        super()._switch(task)

    def _wake(self) -> None:
        for process in dict.fromkeys(self.processes.values()):
            if process.dead or process.stopped or process.ending or process.idle():
                continue
            parked = next((task for task in process.tasks if task.parked and not task.done), None)
            if parked is not None:
                parked.parked = False
                self.at(self.now(), parked)


class HubEvent(Event):
    """An event for which a thread of a daemon waits in the time of the world."""

    def __init__(self, hub: SharedHub, hold: Callable[[], None]) -> None:
        super().__init__()
        self._hub, self._hold = hub, hold

    def wait(self, timeout: float | None = None) -> bool:
        """Let `timeout` seconds of the world pass, and more if the process is held; return True if set."""
        if not self.is_set():
            self._hub.pause(timeout or 0.0)
            self._hold()
        return self.is_set()


class HubThread:
    """A thread that a daemon starts by itself, on the hub."""

    def __init__(self, hub: SharedHub, target: Callable[..., None], args: tuple[Any, ...], **_: Any) -> None:
        self._hub = hub
        self._work = lambda: target(*args)

    def start(self) -> None:
        """Start it."""
        self._hub.spawn(self._work)
