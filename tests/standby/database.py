"""The database of two simulated daemons: a ledger in PostgreSQL that ends their connections at a strike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psycopg
from postgresql import Cluster
from simulation.wire import WatchedLedger
from sqlalchemy.engine import make_url
from sqlmodel import Session as LedgerSession

from standby.processes import HubEvent, HubThread, SharedHub
from syncd.ledger.database.postgresql import address, lock
from syncd.ledger.open import Ledger

_MONOTONE = """
CREATE TABLE IF NOT EXISTS simulated_backward (what TEXT);
TRUNCATE simulated_backward;
CREATE OR REPLACE FUNCTION simulated_note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO simulated_backward VALUES (TG_ARGV[0] || ' ' || (to_jsonb(NEW)->>TG_ARGV[1])); RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER simulated_incident AFTER UPDATE ON incident FOR EACH ROW
WHEN (NEW.read_seq < OLD.read_seq) EXECUTE FUNCTION simulated_note('incident', 'id');
CREATE OR REPLACE TRIGGER simulated_ticket AFTER UPDATE ON ticket FOR EACH ROW
WHEN (NEW.read_seq < OLD.read_seq OR (NEW.read_seq > OLD.read_seq AND NEW.read_seq <= OLD.written_seq))
EXECUTE FUNCTION simulated_note('ticket', 'key');
CREATE OR REPLACE TRIGGER simulated_notes AFTER UPDATE ON incident FOR EACH ROW
WHEN (NEW.notes_read_seq < OLD.notes_read_seq) EXECUTE FUNCTION simulated_note('notes', 'id');
"""  # noqa: E501
"""The same as the triggers of a simulated ledger in a file (`simulation.watched`)."""
_END = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE %s AND state LIKE %s
"""


class LedgerOnServer:
    """A ledger in PostgreSQL (`simulation.watched.Place`), and the hand that ends connections to it."""

    def __init__(self, cluster: Cluster) -> None:
        self.url = cluster.empty_ledger()
        self._connection: Any = cluster.connect(str(make_url(self.url).database))
        self._connection.execute(_MONOTONE)

    def fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(query.replace("?", "%s"), values).fetchall()
        return rows

    def end(self, machine: str, *, only_lock: bool = False, state: str = "%") -> None:
        """End the connections of a machine, or only that of its lock, or those in a state."""
        name = f"syncd {machine}: %" if only_lock else f"syncd {machine}%"
        self._connection.execute(_END, (name, state))

    def close(self) -> None:
        """End the hand's own connection."""
        self._connection.close()


class HeldLedger(WatchedLedger):
    """A ledger of one machine: a link that is cut holds each transaction before it begins."""

    def __init__(self, ledger: Ledger, step: Callable[[str], None], hold: Callable[[], None]) -> None:
        super().__init__(ledger, step)
        self._hold = hold

    @contextmanager
    def write(self, *, leading: bool = True) -> Iterator[LedgerSession]:
        """Open a transaction once the link is there."""
        self._hold()
        with super().write(leading=leading) as session:
            yield session

    @contextmanager
    def _counted_read(self) -> Iterator[LedgerSession]:
        self._hold()
        with super()._counted_read() as session:
            yield session


def drop_lock(ledger: Ledger) -> None:
    """Close the connection of a ledger's lock, as the end of its process does."""
    connection = vars(ledger.lock)["_connection"]
    if connection is not None:
        connection.close()


def machines(
    hub: SharedHub, name: Callable[[], str], reach: Callable[[], None], hold: Callable[[], None]
) -> AbstractContextManager[object]:
    """Return a patch under which the running process is on the machine of this name.

    `reach` is called before each connection: it waits or raises while the database cannot be reached. `hold`
    waits while the link is cut.
    """
    connect = psycopg.connect

    def connected(*arguments: Any, **options: Any) -> Any:
        reach()
        return connect(*arguments, **options)

    stack = ExitStack()
    stack.enter_context(patch.object(address, "socket", SimpleNamespace(gethostname=name)))
    stack.enter_context(patch.object(lock, "Event", lambda: HubEvent(hub, hold)))
    stack.enter_context(
        patch.object(lock, "Thread", lambda target, args, **more: HubThread(hub, target, args, **more))
    )
    stack.enter_context(patch.object(psycopg, "connect", connected))
    return stack
