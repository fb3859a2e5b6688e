"""The requests of a whole life: an incident that is triggered, acknowledged, noted and resolved.

The engine runs in this process under the sandbox's clock, because a life takes minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from crash.worker import SharedClock, Task, make_context
from crash.world import Sandbox, start_sandbox
from loguru import logger

from bench.figure import Figure
from syncd.engine.loop import ControlLoop

POLLING = ("/log_entries", "/incidents", "/search/jql", "/issue/bulkfetch")
GOAL = 7


class _Engine:
    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self._context = make_context(sandbox, Task(folder / "bench.db", "boot", 0, 30.0, 600.0, 0))
        self._loop = ControlLoop(self._context)
        self._loop.make_first_contact()

    def cycle(self, seconds: float = 30.0) -> None:
        """Run one cycle with its work, `seconds` after the last."""
        if isinstance(self._context.clock, SharedClock):
            self._context.clock.advance(seconds)
        self._loop.cycle()
        self._loop.work_queue.drain()

    def requests(self) -> dict[str, int]:
        """Return the number of requests so far, by kind."""
        rows = self.sandbox.read("counts")["counts"]
        return {f"{row['service']} {row['method']} {row['path']}": row["count"] for row in rows}


def _is_polling(name: str) -> bool:
    _service, method, path = name.split(" ", 2)
    return path.endswith(POLLING) and (method == "GET" or not path.endswith("/incidents"))


def _life(engine: _Engine, label: str, goal: float | None) -> Figure:
    """Count trigger, acknowledge, note and resolve of an incident that owes nothing."""
    act = engine.sandbox.act
    before = engine.requests()
    made = act("pagerduty", "trigger", service="Alipay Integration", title="A life", priority="P4")
    engine.cycle()
    engine.cycle()
    for what in ("acknowledge", "note", "resolve"):
        more = {"content": "looking"} if what == "note" else {}
        act("pagerduty", what, incident=made["id"], by="Amara Osei", **more)
        engine.cycle()
    engine.cycle(360.0)
    engine.cycle()
    beyond = {
        name: count - before.get(name, 0)
        for name, count in engine.requests().items()
        if count > before.get(name, 0) and not _is_polling(name)
    }
    notes = tuple(f"{count} x {name}" for name, count in sorted(beyond.items()))
    return Figure(
        f"a whole life, {label}: requests beyond polling", sum(beyond.values()), "", goal, notes=notes
    )


def measure() -> Iterator[Figure]:
    """Count the first life after a start, and the second."""
    logger.remove()
    sandbox = start_sandbox(1, others_per_hour=0.0, search_lag=0.0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine = _Engine(sandbox, Path(folder))
            yield _life(engine, "the first after a start", None)
            yield _life(engine, "the next", GOAL)
    finally:
        sandbox.stop()
