"""The ledger of a simulation: it records when syncd goes back to an older snapshot."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cheap_ledgers import memory, put_empty_ledger

_MONOTONE = """
CREATE TABLE simulated_backward (what TEXT);
CREATE TRIGGER simulated_incident AFTER UPDATE ON incident WHEN NEW.read_seq < OLD.read_seq
BEGIN INSERT INTO simulated_backward VALUES ('incident ' || NEW.id); END;
CREATE TRIGGER simulated_ticket AFTER UPDATE ON ticket WHEN NEW.read_seq < OLD.read_seq
OR (NEW.read_seq > OLD.read_seq AND NEW.read_seq <= OLD.written_seq)
BEGIN INSERT INTO simulated_backward VALUES ('ticket ' || NEW.key); END;
CREATE TRIGGER simulated_notes AFTER UPDATE ON incident WHEN NEW.notes_read_seq < OLD.notes_read_seq
BEGIN INSERT INTO simulated_backward VALUES ('notes ' || NEW.id); END;
"""


@cache
def watched_ledger() -> bytes:
    """Return an empty ledger with triggers that record when it goes back to an older snapshot."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        file = Path(folder) / "empty.db"
        put_empty_ledger(file)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(_MONOTONE)
        return file.read_bytes()


class Place(Protocol):
    """Where a simulation's ledger is, for the people and judges who look into it."""

    @property
    def url(self) -> str:
        """The ledger's URL."""
        ...

    def fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query in SQL, with `?` for each of the values."""
        ...


@dataclass(frozen=True)
class LedgerFile:
    """A ledger in a file (`Place`)."""

    file: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file.absolute()}"

    def fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query, values).fetchall()
