"""The lock of a ledger in PostgreSQL: a session-level advisory lock on a connection of its own.

It ends with the connection: when the process ends, or when either side finds the other gone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
from sqlalchemy import URL

from syncd.ledger.database.leadership import HOLDS, Leadership
from syncd.ledger.database.lock import Holder
from syncd.ledger.database.postgresql.address import connect_options, holder_of
from syncd.ledger.database.postgresql.checks import check_server
from syncd.ledger.database.postgresql.connection import set_up
from syncd.ledger.database.postgresql.dialect import SCHEMA_KEY
from syncd.ledger.errors import LedgerBusy, LedgerMisconfigured, LedgerUnreachable

PROVED_EVERY = 2.0
"""Seconds between two proofs that the lock is held."""
SILENT_SECONDS = 12
"""Seconds after which PostgreSQL ends the session of a silent leader, and with it the lock."""
_ENDS_SILENT = 140_000
"""The first server that does so, in PostgreSQL's own counting."""
EXECUTOR = 0x73796E02
"""The first half of the advisory lock that the executor of a ledger holds; the second is the schema's."""
_HOLDER = f"""
SELECT activity.application_name
FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND held.classid::bigint = {EXECUTOR} AND held.objid::bigint = {SCHEMA_KEY}::bigint & 4294967295
"""  # noqa: S608 - constants


def connect(url: URL, name: str, suffix: str = "") -> Any:
    """Return a connection that belongs to no pool; raise `LedgerUnreachable`."""
    try:
        with reached(name):
            connection = psycopg.connect(**connect_options(url, suffix))
            try:
                set_up(connection, name)
            except BaseException:
                connection.close()
                raise
    except psycopg.ProgrammingError as error:
        # the driver refuses the options before it connects
        raise LedgerMisconfigured(
            f"SYNCD_LEDGER_URL cannot be used: {_first_line(error)}", "correct what stands behind the `?`"
        ) from None
    return connection


@contextmanager
def reached(name: str) -> Iterator[None]:
    """Raise `LedgerUnreachable` if the server cannot be reached, or ends its connection meanwhile."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise LedgerUnreachable(
            f"the ledger {name} cannot be reached: {_first_line(error)}",
            "check that PostgreSQL is running and accepts syncd's role and password",
        ) from error


@contextmanager
def connected(url: URL, name: str) -> Iterator[Any]:
    """Connect for a few statements, each committed at once; raise `LedgerUnreachable`."""
    with reached(name), connect(url, name) as connection:
        yield connection


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class AdvisoryLock:
    """The lock of one ledger (`syncd.ledger.database.lock.LedgerLock`)."""

    def __init__(self, url: URL, name: str, note_file: Path | None) -> None:
        self._url = url
        self._name = name
        self._note_file = note_file
        self._connection: Any = None
        self.leadership: Leadership | None = None
        self._released = Event()

    def acquire(self, holder_name: str) -> None:
        """Take the lock at once, or raise `LedgerBusy` with the name of its holder."""
        connection = connect(self._url, self._name, f"{holder_name}, pid {os.getpid()}")
        try:
            with reached(self._name):
                check_server(connection, self._name)
                query = f"SELECT pg_try_advisory_lock({EXECUTOR}, {SCHEMA_KEY})"
                if not connection.execute(query).fetchone()[0]:
                    holder = _holder(connection)
                    raise LedgerBusy(f"the lock of {self._name}", holder or "")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self.note(None)

    def lead(self, boottime: Callable[[], float]) -> None:
        """Begin to lead: a thread proves every two seconds that the lock is still held.

        Raise `LedgerUnreachable`.
        """
        connection = self._connection
        limits = f"SET statement_timeout = {HOLDS:.0f}000"
        if connection.info.server_version >= _ENDS_SILENT:
            # also where the link is cut behind a proxy, which keeps both connections open
            limits += f"; SET idle_session_timeout = {SILENT_SECONDS}000"
        with reached(self._name):
            connection.execute(limits, prepare=False)
        self.leadership = Leadership(boottime, secrets.token_hex(8))
        Thread(target=self._prove, args=(boottime, self.leadership), name="lock", daemon=True).start()

    def _prove(self, boottime: Callable[[], float], leadership: Leadership) -> None:
        pid = self._connection.info.backend_pid
        while not self._released.wait(PROVED_EVERY):
            asked_at = boottime()
            try:
                answer = self._connection.execute("SELECT pg_backend_pid()").fetchone()[0]
            except Exception as error:  # noqa: BLE001 - whatever it is, the lock may be lost
                if not self._released.is_set():
                    leadership.lose(f"the connection that holds its lock broke: {_first_line(error)}")
                return
            if answer != pid:
                leadership.lose("a pooler gave the connection of its lock to another session")
                return
            leadership.prove(asked_at)

    def note(self, words: str | None) -> None:
        """Show a line about the ledger to other processes of this machine; None removes it."""
        if self._connection is None or self._note_file is None:
            return
        with suppress(OSError):
            if words is None:
                self._note_file.unlink(missing_ok=True)
            else:
                self._note_file.write_text(words[:200], "utf-8")

    def release(self) -> None:
        """Give the lock back; do nothing if this process does not hold it."""
        self.note(None)
        self._released.set()
        if self._connection is not None:
            # a closed session ends a moment later, and holds its lock until then
            if self.leadership is None or self.leadership.why_lost() is None:
                with suppress(Exception):
                    self._connection.execute(f"SELECT pg_advisory_unlock({EXECUTOR}, {SCHEMA_KEY})")
            self._connection.close()
            self._connection = None

    def holder(self) -> Holder | None:
        """Return the process that holds the lock, on any machine; None if there is none."""
        with connected(self._url, self._name) as connection:
            name = _holder(connection)
        if name is None:
            return None
        words = None
        if self._note_file is not None:
            with suppress(OSError):
                words = self._note_file.read_text("utf-8") or None
        return Holder(name, words)


def _holder(connection: Any) -> str | None:
    row = connection.execute(_HOLDER).fetchone()
    return None if row is None else holder_of(str(row[0]))
