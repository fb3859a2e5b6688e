"""The real worker, forked from a prepared parent without threads or lock, and killed at a seeded step.

The world can end before and after a request, and before and after a commit: these are the steps. The worker
sends SIGKILL to itself at the chosen step, so it cannot clean up anything.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from loguru import logger
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from rig import PlainRenderer, mapping
from sqlalchemy import event
from sqlmodel import Session

from crash.world import Sandbox
from syncd.engine.context import EngineContext, build_context
from syncd.engine.loop import ControlLoop
from syncd.engine.rules import Rules
from syncd.ledger.open import open_for_work
from syncd.remote.http.budget import Budget
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START


class SharedClock:
    """The sandbox's clock seen from the worker's process; sleeping moves it for everybody."""

    def __init__(self, sandbox: Sandbox, boot: str) -> None:
        self._sandbox = sandbox
        self._boot = boot
        self._now = datetime.fromisoformat(sandbox.read("clock")["now"])

    def now(self) -> datetime:
        return self._now

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

    `aimed` counts only the steps right after a request that writes, where an end does most harm.
    """

    ledger: Path
    boot: str
    cycles: int
    cycle_seconds: float
    settle_seconds: float
    die_at: int
    aimed: bool = False


READING_POSTS = ("/search/jql", "/issue/bulkfetch")


def _count_steps(die_at: int, aimed: bool) -> None:
    steps = 0

    def step(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    send = HTTPAdapter.send

    def counted(self: HTTPAdapter, request: PreparedRequest, **kwargs: Any) -> Any:
        writes = request.method != "GET" and not (request.url or "").endswith(READING_POSTS)
        if not aimed:
            step()
        try:
            return send(self, request, **kwargs)
        finally:
            if writes or not aimed:
                step()

    HTTPAdapter.send = counted  # type: ignore[method-assign] # the step before and after a request
    if aimed:
        return
    event.listen(Session, "before_commit", step)
    event.listen(Session, "after_commit", step)


def make_context(sandbox: Sandbox, task: Task, **rules: Any) -> EngineContext:
    """Return the real engine's context on the ledger of the task; `rules` changes the mapping."""
    clock = SharedClock(sandbox, task.boot)
    ledger = open_for_work(f"sqlite:///{task.ledger}", "crash worker", clock.now())
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
    """Work as the forked child does, until the end of the task or the kill."""
    logger.remove()
    if task.die_at:
        _count_steps(task.die_at, task.aimed)
    context = make_context(sandbox, task)
    loop = ControlLoop(context)
    mutate(loop)
    loop.recover()
    for _ in range(task.cycles):
        loop.cycle()
        loop.work_queue.drain()
        clock = context.clock
        if isinstance(clock, SharedClock):
            clock.advance(task.cycle_seconds)
    context.ledger.close()


def run_worker(sandbox: Sandbox, task: Task, mutate: Callable[[ControlLoop], None]) -> bool:
    """Fork a worker and wait. Return True if it was killed. Raise RuntimeError if it failed otherwise."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work(sandbox, task, mutate)
            code = 0
        except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
            import traceback

            traceback.print_exc()
        finally:
            # Without cleanup: the child shares files and handlers with its parent.
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return False
    raise RuntimeError(f"the worker ended with status {status}")
