"""Connect to a SQLite file: set what the ledger's promises rest on, read it back, refuse it if it differs.

Readers begin with BEGIN, writers with BEGIN IMMEDIATE: a writer that began as a reader could fail in the
middle.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url
from sqlalchemy.pool import PoolProxiedConnection

from syncd.ledger.errors import LedgerError, LedgerUnsafe, LedgerUnwritable

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "secure_delete": 1,
}
"""The settings of every connection. 2 is synchronous=FULL; secure_delete overwrites deleted texts."""

UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
"""The error codes (low byte) with which SQLite says that the disk rejects writes."""


def ledger_file(url: str) -> Path:
    """Return the database file of a ledger URL; raise `LedgerError` if the URL names no SQLite file."""
    parsed = make_url(url)
    place = parsed.database or ""
    # SQLite reads what begins with file: as an address, such as that of a database in memory
    if parsed.get_backend_name() != "sqlite" or not place or place.startswith((":memory:", "file:")):
        raise LedgerError(
            f"SYNCD_LEDGER_URL {parsed.render_as_string()!r} is not a SQLite file",
            "use sqlite:////var/lib/syncd/syncd.db",
        )
    return Path(place)


def _on_connect(connection: Any, _record: object) -> None:
    # the driver would begin transactions by itself; `Reading` and `Writing` begin them here
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
        # some file systems ignore WAL silently, so the value is read back
        value_in_force = cursor.execute(f"PRAGMA {name}").fetchone()[0]
        if value_in_force != value:
            connection.close()
            raise LedgerUnsafe(
                f"the ledger refuses {name}={value} and stays at {value_in_force}",
                "keep the ledger on a local disk that supports WAL",
            )
    cursor.close()


class Reading(SQLiteDialect_pysqlite):
    """The dialect of readers: it begins each transaction, since the driver does not (`_on_connect`).

    A listener on the engine could begin as well, but with any listener each statement takes a fifth longer.
    """

    supports_statement_cache = True
    begin = "BEGIN"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        dbapi_connection.cursor().execute(self.begin)


class Writing(Reading):
    """The dialect of writers: it takes SQLite's write lock when a transaction begins, and counts commits.

    `user_version` grows with each commit that changed a row. It lies in the file's header, so each checkpoint
    writes it: a file whose header goes back was overwritten with an older content (`commits_in`). SQLite's
    own change counter stands still for most commits of a write-ahead log.
    """

    supports_statement_cache = True
    begin = "BEGIN IMMEDIATE"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction, and remember how many rows this connection changed before it."""
        super().do_begin(dbapi_connection)
        dbapi_connection.info["changes"] = _changes(dbapi_connection)

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Begin a savepoint, past SQLAlchemy's compiler: each writer that shares a commit needs one.

        All have one name, so that each connection prepares the statement once. SQLite takes the latest.
        """
        _driver(connection).execute("SAVEPOINT writer")

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """End a savepoint and keep its changes."""
        _driver(connection).execute("RELEASE writer")

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo the changes since a savepoint; a full disk may have ended the whole transaction already."""
        driver = _driver(connection)
        if is_open(driver):
            driver.execute("ROLLBACK TO writer")
            # it would stay, and take the place of the one around it
            driver.execute("RELEASE writer")

    def do_commit(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Count the commit if it changes a row, then commit."""
        if _changes(dbapi_connection) != dbapi_connection.info.get("changes"):
            cursor = dbapi_connection.cursor()
            commits = cursor.execute("PRAGMA user_version").fetchone()[0]
            cursor.execute(f"PRAGMA user_version={commits + 1}")
        dbapi_connection.commit()


def _changes(connection: PoolProxiedConnection) -> int:
    driver: Any = connection.driver_connection
    return int(driver.total_changes)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.driver_connection
    return cast(sqlite3.Connection, driver)


def is_open(connection: sqlite3.Connection) -> bool:
    """Return True while a transaction is open: SQLite ends one by itself after some errors (a full disk)."""
    return connection.in_transaction


_COMMITS_AT = 60
"""Where the header of a SQLite file holds `user_version`: four bytes, big-endian."""


def commits_in(descriptor: int) -> int:
    """Return how many commits the main file of a ledger holds, from the header of the open file."""
    return int.from_bytes(os.pread(descriptor, 4, _COMMITS_AT), "big")


# SQLAlchemy finds a dialect by the driver name in the URL
for _dialect in (Reading, Writing):
    registry.register(f"sqlite.{_dialect.__name__.lower()}", __name__, _dialect.__name__)


def sqlite_engines(url: str, connections: int) -> tuple[Engine, Engine]:
    """Return an engine for readers and one for writers, on the same pool of `connections`.

    Each connection has the settings of `PRAGMAS`; raise `LedgerUnsafe` on connecting if one is refused.
    """
    parsed, place = make_url(url), ledger_file(url).absolute().as_uri()

    def connect() -> sqlite3.Connection:
        # a file that is gone must not come back empty: SQLite would then delete the log of the right one
        # a pooled connection serves one thread after another
        return sqlite3.dbapi2.connect(f"{place}?mode=rw", uri=True, check_same_thread=False)

    # the connection used last has the pages in its cache
    pool: dict[str, Any] = {"creator": connect, "pool_size": connections, "pool_use_lifo": True}
    # errors must not show the texts of incidents
    options: dict[str, Any] = {"hide_parameters": True, "json_deserializer": _read_json}
    reading = create_engine(parsed.set(drivername="sqlite+reading"), **pool, **options)
    writing = create_engine(parsed.set(drivername="sqlite+writing"), pool=reading.pool, **options)
    event.listen(reading, "connect", _on_connect)
    return reading, writing


_JSON = json.JSONDecoder()


def _read_json(text: str) -> Any:
    """Return the value of a JSON column: a decision reads sixty, and most of them are as short as `{}`."""
    value, end = _JSON.raw_decode(text)
    # `loads` also takes space around a value, and says what is wrong with anything else
    return value if end == len(text) else json.loads(text)


def check_folder(file: Path) -> None:
    """Raise `LedgerError` if this user cannot keep a ledger's file in its folder, as a trial file shows."""
    # the daemon makes a folder that is missing
    folder = next(place for place in file.absolute().parents if place.exists())
    try:
        if file.exists():
            os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
        with (
            TemporaryDirectory(prefix=".syncd-check-", dir=folder) as trial,
            closing(sqlite3.connect(Path(trial, "trial.db"))) as connection,
        ):
            _on_connect(connection, None)
            connection.execute("CREATE TABLE trial (id INTEGER)")
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnwritable(
            f"{folder} takes no ledger: {error}",
            "free space on its disk, and give the folder and the file to the daemon's user",
        ) from error


def empty_log(engine: Engine) -> bool:
    """Move the write-ahead log into the file and cut it to nothing; return False if a reader holds it."""
    with engine.connect() as connection:
        # the connection's own statement: a checkpoint cannot run inside a transaction
        driver: Any = connection.connection.driver_connection
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
