"""What is expensive about a ledger is made once in a test process: its tables, and its statements as SQL."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from syncd.ledger.database import connection
from syncd.ledger.database.sqlite.migrate import migrate
from syncd.sandbox.cast import START

ROOM = 512 * 1024 * 1024
"""Bytes that a folder in memory must have free; a container often has less there than the tests need."""
_COMPILED: dict[Any, Any] = {}


def put_empty_ledger(file: Path) -> None:
    """Write a migrated ledger that nobody has opened yet; leave an existing ledger alone."""
    if not file.exists():
        file.write_bytes(_empty_ledger())


@cache
def _empty_ledger() -> bytes:
    with TemporaryDirectory(dir=memory()) as folder:
        file = Path(folder) / "empty.db"
        migrate(file, START)
        with closing(sqlite3.connect(file)) as database:
            # Without a write-ahead log the file alone is the whole ledger, so its bytes can be copied.
            database.execute("PRAGMA journal_mode=delete")
        return file.read_bytes()


def share_statements() -> None:
    """Let every ledger that this process opens reuse the statements compiled for another one."""
    connection.open_engines = _sharing_engines


def _sharing_engines(backend: Any) -> tuple[Any, Any]:
    engines = _open_engines(backend)
    for engine in engines:
        engine.dialect = _COMPILED.setdefault(engine.url.drivername, engine.dialect)
        engine.update_execution_options(compiled_cache=_COMPILED)
    return engines


_open_engines = connection.open_engines


def memory() -> str | None:
    """Return a folder in memory, or None if the machine has none with room."""
    folder = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    usable = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM
    return str(folder) if usable else None
