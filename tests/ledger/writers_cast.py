"""Writers in threads of their own, whose order and shared commits a test decides and counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Semaphore, Thread
from typing import Any

from sqlalchemy import event
from sqlmodel import Session

from syncd.ledger.open import Ledger
from syncd.ledger.store.key_values import get_value, set_cursor_in

Body = Callable[[Session], None]


class Queue(deque[Any]):
    """The queue of waiting writers; `came` counts those that joined it."""

    def __init__(self) -> None:
        super().__init__()
        self.came = Semaphore(0)
        self.on_arrival: Callable[[Any], None] = lambda _turn: None

    def append(self, turn: Any) -> None:
        """Queue a writer."""
        self.on_arrival(turn)
        super().append(turn)
        self.came.release()


class Crowd:
    """Writers in threads of their own, which come while somebody writes.

    `order` has the writers as they wrote, `stored` those whose row another connection saw when they returned,
    `errors` what the others raised. `commits` and `savepoints` are counted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.queue = Queue()
        ledger._writers._waiting = self.queue
        self.threads: list[Thread] = []
        self.order: list[str] = []
        self.stored: set[str] = set()
        self.errors: dict[str, BaseException] = {}
        self.commits = self.savepoints = 0
        event.listen(ledger._writers._engine, "commit", self._commit)
        event.listen(ledger._writers._engine, "savepoint", self._savepoint)

    def _commit(self, _connection: object) -> None:
        self.commits += 1

    def _savepoint(self, _connection: object, _name: str) -> None:
        self.savepoints += 1

    def write(self, name: str, body: Body = lambda _session: None) -> None:
        """Store a row and call the body, in one transaction."""
        try:
            with self.ledger.write() as session:
                set_cursor_in(session, name, by=name)
                self.order.append(name)
                body(session)
            if self.has(name):
                self.stored.add(name)
        except BaseException as error:  # noqa: BLE001 - each outcome of a writer is asserted
            self.errors[name] = error

    def come(self, name: str, body: Body = lambda _session: None) -> None:
        """Let a writer come that has to wait, and return when it waits."""
        thread = Thread(target=self.write, args=(name, body), daemon=True)
        self.threads.append(thread)
        thread.start()
        assert self.queue.came.acquire(timeout=30)

    def go(self) -> None:
        """Wait until all writers are done."""
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def has(self, name: str) -> bool:
        """Return True if another connection sees the row of a writer."""
        return bool(get_value(self.ledger, name))


def fail(_session: Session) -> None:
    raise ValueError("no")
