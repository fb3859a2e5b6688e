"""The real worker, forked from a prepared parent without threads or lock, and killed at a seeded step.

The world can end before and after a request, and before and after a commit: these are the steps. The worker
sends SIGKILL to itself at the chosen step, so it cannot clean up anything.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from threading import Event
from typing import Any

from loguru import logger
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from rig import PlainRenderer, mapping
from sqlmodel import Session

from crash.world import Sandbox
from syncd.engine.context import EngineContext, build_context
from syncd.engine.loop import ControlLoop
from syncd.engine.rules import Rules
from syncd.ledger.errors import LedgerBusy, LedgerReplaced
from syncd.ledger.open import Ledger, open_for_work
from syncd.remote.http.budget import Budget
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START


def _wall_minus_boot() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


_APART = _wall_minus_boot()


class SharedClock:
    """The sandbox's clock seen from the worker's process; sleeping moves it for everybody.

    Somebody who sets the machine's wall clock sets this one, too.
    """

    def __init__(self, sandbox: Sandbox, boot: str) -> None:
        self._sandbox = sandbox
        self._boot = boot
        self._now = datetime.fromisoformat(sandbox.read("clock")["now"])

    def now(self) -> datetime:
        return self._now + timedelta(seconds=round(_wall_minus_boot() - _APART))

    def boottime(self) -> float:
        return (self._now - START).total_seconds() + 1000.0

    def boot_id(self) -> str:
        return self._boot

    def sleep(self, seconds: float, until: Event) -> bool:
        self.advance(seconds)
        return until.is_set()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass in the sandbox."""
        self._now = datetime.fromisoformat(self._sandbox.control("clock", advance=seconds)["now"])


@dataclass(frozen=True)
class Task:
    """The task of one worker: ledger, number of cycles, and the step at which it dies (0: never).

    `ledger` is a file, or the URL of a ledger on a server.
    `aimed` counts only the steps right after a request that writes, where an end does most harm.
    """

    ledger: Path | str
    boot: str
    cycles: int
    cycle_seconds: float
    settle_seconds: float
    die_at: int
    aimed: bool = False

    @property
    def url(self) -> str:
        """The ledger's URL."""
        return self.ledger if isinstance(self.ledger, str) else f"sqlite:///{self.ledger}"


PATIENCE = 500
"""How often a worker asks for a lock that the killed one may still hold."""
READING_POSTS = ("/search/jql", "/issue/bulkfetch")

Happenings = Mapping[int, Callable[[], None]]
"""What happens outside the worker at which of its steps, while it stands still."""


class End(Enum):
    """How a worker ended: it did its task, was killed, or stopped because its ledger was taken away."""

    DONE = 0
    KILLED = 1
    STOPPED = 3


class Steps:
    """The steps of this process: it tells the other process of some, waits for it, and dies at one."""

    def __init__(self, task: Task, told: Happenings, up: int, down: int) -> None:
        self._task, self._told, self._up, self._down = task, told, up, down
        self._number = 0

    def count(self) -> None:
        """Count every request, answer and commit, or with an aimed task the answers to writes."""
        task, send = self._task, HTTPAdapter.send

        def counted(adapter: HTTPAdapter, request: PreparedRequest, **kwargs: Any) -> Any:
            writes = request.method != "GET" and not (request.url or "").endswith(READING_POSTS)
            if not task.aimed:
                self._step()
            try:
                return send(adapter, request, **kwargs)
            finally:
                if writes or not task.aimed:
                    self._step()

        HTTPAdapter.send = counted  # type: ignore[method-assign] # the step before and after a request
        if not task.aimed:
            self._count_commits()

    def _count_commits(self) -> None:
        """Count each commit twice: before it and after it."""
        write, step = Ledger.write, self._step

        @contextmanager
        def counted(ledger: Ledger, *, leading: bool = True) -> Iterator[Session]:
            with write(ledger, leading=leading) as session:
                yield session
                step()
            step()

        Ledger.write = counted  # type: ignore[method-assign] # the step before and after a commit

    def _step(self, *_: Any) -> None:
        self._number += 1
        if self._number in self._told:
            os.write(self._up, self._number.to_bytes(4, "big"))
            os.read(self._down, 1)
        if self._number == self._task.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _open(task: Task, clock: SharedClock) -> Ledger:
    """Open the ledger of a task; a server notices a moment later that the last worker was killed."""
    for _ in range(PATIENCE):
        with suppress(LedgerBusy):
            return open_for_work(task.url, "crash worker", clock.now())
        time.sleep(0.02)
    return open_for_work(task.url, "crash worker", clock.now())


def make_context(sandbox: Sandbox, task: Task, **rules: Any) -> EngineContext:
    """Return the real engine's context on the ledger of the task; `rules` changes the mapping."""
    clock = SharedClock(sandbox, task.boot)
    ledger = _open(task, clock)
    transport = Transport(clock, budget=Budget(clock))
    clients = (
        lambda: pagerduty_client(
            sandbox.urls["pagerduty"], PAGERDUTY_KEY, "amara.osei@qrpay.example", transport
        ),
        lambda: jira_client(sandbox.urls["jira"], JIRA_KEY, transport, email=BOT_EMAIL),
    )
    return build_context(
        ledger,
        clock,
        clients,
        transport,
        Rules((mapping(**rules),), PlainRenderer()),
        settle_seconds=task.settle_seconds,
    )


def work(sandbox: Sandbox, task: Task, mutate: Callable[[ControlLoop], None]) -> None:
    """Work until the end of the task. Raise `LedgerReplaced` if somebody takes the ledger away."""
    logger.remove()
    context = make_context(sandbox, task)
    # also without a ledger the daemon closes it before it ends
    with closing(context.ledger):
        loop = ControlLoop(context)
        mutate(loop)
        loop.recover()
        for _ in range(task.cycles):
            loop.cycle()
            loop.work_queue.drain()
            clock = context.clock
            if isinstance(clock, SharedClock):
                clock.advance(task.cycle_seconds)
        context.ledger.check_in_place()


def run_worker(
    sandbox: Sandbox,
    task: Task,
    mutate: Callable[[ControlLoop], None],
    happenings: Happenings | None = None,
) -> End:
    """Fork a worker, let happen what belongs to its steps, and return how it ended.

    Raise RuntimeError if it failed.
    """
    happenings = happenings or {}
    (told, up), (down, answer) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        os.close(answer)
        code = 1
        try:
            if task.die_at or happenings:
                Steps(task, happenings, up, down).count()
            work(sandbox, task, mutate)
            code = End.DONE.value
        except LedgerReplaced:
            code = End.STOPPED.value
        except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
            import traceback

            traceback.print_exc()
        finally:
            # Without cleanup: the child shares files and handlers with its parent.
            os._exit(code)
    os.close(up)
    os.close(down)
    # the pipe ends with the worker
    while number := os.read(told, 4):
        happenings[int.from_bytes(number, "big")]()
        os.write(answer, b"!")
    os.close(told)
    os.close(answer)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return End.KILLED
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) in (End.DONE.value, End.STOPPED.value):
        return End(os.WEXITSTATUS(status))
    raise RuntimeError(f"the worker ended with status {status}")
