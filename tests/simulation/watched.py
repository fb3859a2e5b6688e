"""An empty ledger that records when syncd goes back to an older snapshot."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

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
