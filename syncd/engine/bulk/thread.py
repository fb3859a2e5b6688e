"""The thread that sends batches of creates while the workers decide."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread

from loguru import logger

from syncd.engine.bulk.create import BulkCreates
from syncd.engine.context import EngineContext
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.records import IncidentRecord, OperationRecord

BATCH_EVERY = 0.05
"""Real seconds between two looks for creates that can go in a batch, while workers decide."""
LEDGER_AGAIN = 1.0
"""Real seconds until the batches go on after the ledger could not be used."""


class BatchThread:
    """At most one thread, which runs while batches are under way.

    `reading`: a cycle still reads, so more creates may come although the queue is empty.
    """

    def __init__(
        self, context: EngineContext, work_queue: WorkQueue, bulk: BulkCreates, reading: Callable[[], bool]
    ) -> None:
        self._context = context
        self._work_queue = work_queue
        self._bulk = bulk
        self._reading = reading
        self._thread: Thread | None = None
        self._lock = Lock()

    def start_if_needed(self) -> None:
        """Start the thread if batches are under way and workers decide beside it."""
        with self._lock:
            if self._bulk.under_way and self._work_queue.threaded and self._thread is None:
                self._thread = Thread(target=self._run, name="batches", daemon=True)
                self._thread.start()

    def takes(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        """Return True if a create goes in a batch; start the thread that sends it."""
        if not self._bulk.takes(operation, incident):
            return False
        self.start_if_needed()
        return True

    def run_inline(self) -> None:
        """Send batches in the caller's own thread, whose queue is empty; then let the rest go alone."""
        if self._bulk.under_way:
            self._bulk.run()
            if self._work_queue.idle():
                self._bulk.end()

    def _run(self) -> None:
        """Send batches while the workers decide; the rest goes alone when they are done."""
        failed = False
        while not self._context.stop.is_set():
            try:
                if failed:
                    # a batch that blows up must not keep its creates back
                    self._bulk.end()
                    failed = False
                self._send()
                return
            except LedgerUnwritable:
                # the creates wait, as all else does, until the ledger can be used again
                self._context.stop.wait(LEDGER_AGAIN)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other creates go alone
                logger.opt(exception=error).error("a batch of creates failed: {}", type(error).__name__)
                failed = True

    def _send(self) -> None:
        while not self._context.stop.is_set():
            self._bulk.run()
            # all is decided: send the last batch and let the rest go alone
            if self._work_queue.idle() and not self._reading():
                self._bulk.run()
                self._bulk.end()
            with self._lock:
                if not self._bulk.under_way:
                    self._thread = None
                    return
            self._context.stop.wait(BATCH_EVERY)
