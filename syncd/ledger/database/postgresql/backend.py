"""The backend of a ledger in PostgreSQL."""

from __future__ import annotations

import shlex
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, SQLModel

from syncd.ledger.database import migrate as revisions
from syncd.ledger.database.backend import FirstRows, OwnBackup, VerifyTrail
from syncd.ledger.database.postgresql.address import ledger_url, name_of
from syncd.ledger.database.postgresql.checks import check_server
from syncd.ledger.database.room import Disk

CONNECTIONS = 16
"""How many connections stay open: one for each worker and each of the daemon's other threads."""
_AWAY = ("08", "53", "57", "58")
"""Classes of PostgreSQL's codes: connection, resources, operator, system. The server takes no write now."""
_READ_ONLY = ("0A000", "25006", "25P03")
"""PostgreSQL's codes for a server that is a standby, for one that became it, and for a transaction that stood
still too long. The first is that of a writing transaction which a standby does not even begin."""

_LINEAGE = text(
    "SELECT (SELECT system_identifier FROM pg_control_system()) || ', timeline '"
    " || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
)


class NoWatch:
    """No file can be put in the place of a ledger on a server (`syncd.ledger.database.backend.Watch`)."""

    def begin(self, engine: Engine) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""

    def after_commit(self) -> None:
        """Do nothing."""

    def look(self) -> str:
        """Return a word that says nothing."""
        return "-"

    def before_close(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def after_close(self) -> None:
        """Do nothing."""


class PostgreSQLBackend:
    """A ledger in PostgreSQL (`syncd.ledger.database.backend.Backend`)."""

    def __init__(self, url: str, state_dir: Path | None) -> None:
        self._url = ledger_url(url)
        self.url = url
        self.name = name_of(self._url)
        self.shared = True
        self._state_dir = state_dir
        self.head_file = state_dir / "postgresql.head" if state_dir is not None else None

    def engines(self) -> tuple[Engine, Engine]:
        """Return an engine for readers and one for writers."""
        from syncd.ledger.database.postgresql.connection import postgresql_engines

        return postgresql_engines(self._url, self.name, CONNECTIONS)

    def is_open(self, connection: Any) -> bool:
        """Return True while a transaction is open in which no statement failed."""
        from psycopg.pq import TransactionStatus

        return bool(connection.info.transaction_status == TransactionStatus.INTRANS)

    def why_unwritable(self, error: DBAPIError) -> str | None:
        """Return PostgreSQL's words if it is away, full, read-only or ends our connection."""
        code = str(getattr(error.orig, "sqlstate", None) or "")
        away = error.connection_invalidated or code[:2] in _AWAY or code in _READ_ONLY
        refused = isinstance(error, OperationalError) and not code
        return (str(error.orig).strip() or code).splitlines()[0] if away or refused else None

    def hint_unwritable(self) -> str:
        """Return what the operator can do about a server that rejects writes."""
        return "look at PostgreSQL: its log tells why; syncd tries again by itself"

    def empty_log(self, engine: Engine) -> bool:
        """Let PostgreSQL clear deleted rows; its log and its backups keep them for as long as they last.

        Raise `LedgerUnreachable`.
        """
        from syncd.ledger.database.postgresql.lock import reached

        tables = ", ".join(table.name for table in SQLModel.metadata.sorted_tables)
        with reached(self.name), engine.connect() as connection:
            # the connection's own statements: VACUUM cannot run inside a transaction
            driver: Any = connection.connection.driver_connection
            driver.execute("SET statement_timeout = 0")
            try:
                driver.execute(f"VACUUM {tables}")
            finally:
                # the next user of the connection gets a fresh one
                connection.invalidate()
        return True

    def _revision(self) -> str | None:
        from syncd.ledger.database.postgresql.lock import connected

        with connected(self._url, self.name) as connection:
            if connection.execute("SELECT to_regclass('alembic_version')").fetchone()[0] is None:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None

    def tables(self) -> list[str]:
        """Return the names of the tables in the schema of the ledger."""
        from syncd.ledger.database.postgresql.lock import connected

        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
        with connected(self._url, self.name) as connection:
            return [str(name) for (name,) in connection.execute(query).fetchall()]

    def drop(self) -> None:
        """Drop the ledger's tables."""
        from syncd.ledger.database.postgresql.lock import connected

        ours = {"alembic_version", *(table.name for table in SQLModel.metadata.sorted_tables)}
        with connected(self._url, self.name) as connection, connection.transaction():
            for name in sorted(ours):
                connection.execute(f"DROP TABLE IF EXISTS {name} CASCADE")
            connection.execute("DROP FUNCTION IF EXISTS audit_event_refuse_change")

    def exists(self) -> bool:
        """Return True if the database has tables of a ledger; raise `LedgerUnreachable`."""
        return self._revision() is not None

    def is_current(self) -> bool:
        """Return True if the ledger has this version's tables."""
        return revisions.is_head(self._revision(), self.name)

    def check_place(self) -> None:
        """Check the server and a connection as a start does; nothing stays in doubt."""
        from syncd.ledger.database.postgresql.lock import connected

        with connected(self._url, self.name) as connection:
            check_server(connection, self.name)

    def lock(self) -> Any:
        """Return the advisory lock, not yet taken."""
        from syncd.ledger.database.postgresql.lock import AdvisoryLock

        note = self._state_dir / "postgresql.trouble" if self._state_dir is not None else None
        return AdvisoryLock(self._url, self.name, note)

    def prepare(self, noted_look: str | None, verify: VerifyTrail) -> None:
        """Make the folder for the note about the ledger; the lock has checked the server."""
        if self._state_dir is not None:
            self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def migrate(self, now: datetime, first_rows: FirstRows | None = None) -> str | None:
        """Bring the ledger to this version's tables in one transaction; return the former revision."""
        before = self._revision()
        if revisions.is_head(before, self.name):
            return before
        reading, writing = self.engines()
        try:
            with writing.begin() as connection:
                revisions.upgrade(connection, first_rows)
        finally:
            reading.dispose()
        return before

    def lineage(self, session: Session) -> str | None:
        """Return the cluster's system identifier and timeline: a failover or a restore begins another one."""
        return str(session.connection().scalar(_LINEAGE))

    def watch(self) -> NoWatch:
        """Return a watch that sees nothing."""
        return NoWatch()

    def own_backup(self) -> OwnBackup | None:
        """Return the lines with PostgreSQL's own programs."""
        where = shlex.quote(self.name) if "service" not in self._url.query else "service=…"
        return OwnBackup(
            f"pg_dump --format=custom --file=syncd.dump --dbname={where}",
            f"pg_restore --clean --if-exists --single-transaction --dbname={where} syncd.dump",
        )

    def disk(self) -> Disk | None:
        """Return None: the disk is the server's."""
        return None

    def copy_to(self, file: Path, now: datetime) -> None:
        """Copy the ledger, also while it is in use, to a new SQLite file."""
        # imported here: both open ledgers by their backends
        from syncd.ledger.database.backend import backend_of
        from syncd.ledger.database.connection import Database
        from syncd.ledger.database.rows import copy_rows

        url = f"sqlite:///{file}"
        backend_of(url).migrate(now)
        with (
            closing(Database(self.url)) as source,
            closing(Database(url)) as target,
            source.read() as read,
            target.write() as write,
        ):
            copy_rows(read, write, lambda _table, _rows: None)
