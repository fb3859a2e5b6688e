"""Reads operations and audit events from a ledger file with plain SQL.

Only this file has the names of tables and columns: a renamed column is changed here and leaves no difference
in a trace.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUDIT_TABLE, OPERATION_TABLE = "audit_event", "operation"

AUDIT_COLUMNS = {
    "seq": "seq",
    "at": "at",
    "kind": "kind",
    "incident": "incident_id",
    "issue": "issue_id",
    "operation": "operation_id",
    "text": "text",
}
"""The trace's word for each column of the audit trail; the hash is left out."""

OPERATION_COLUMNS = {
    "id": "id",
    "key": "key",
    "op": "op",
    "class": "op_class",
    "kind": "kind",
    "target": "target",
    "incident": "incident_id",
    "object": "object",
    "aspect": "aspect",
    "needs": "needs",
    "meaning": "meaning",
    "reason": "reason",
    "state": "state",
    "rendered": "rendered",
    "attempts": "attempts",
    "remote": "remote_id",
    "error": "error",
}
"""The trace's word for each column of an operation."""

JSON_WORDS = frozenset({"text", "needs", "meaning", "rendered"})
PARKED = "parked"


@dataclass(frozen=True)
class AuditEvent:
    """One event of the audit trail."""

    seq: int
    at: str
    kind: str
    incident: str
    issue: str
    operation: str
    text: Any


Row = dict[str, Any]


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection, table: str, columns: dict[str, str], rest: str) -> list[Row]:
    selection = ", ".join(f'"{column}" AS "{word}"' for word, column in columns.items())
    # The names are this file's own constants.
    rows = connection.execute(f'SELECT {selection} FROM "{table}" {rest}').fetchall()  # noqa: S608
    return [{word: _value(word, row[word]) for word in columns} for row in rows]


def _value(word: str, value: Any) -> Any:
    return json.loads(value) if word in JSON_WORDS and isinstance(value, str) else value


def operations(file: Path) -> list[Row]:
    """Return all operations in the order in which they were recorded."""
    with _connected(file) as connection:
        return _rows(connection, OPERATION_TABLE, OPERATION_COLUMNS, f"ORDER BY {OPERATION_COLUMNS['id']}")


def parked(file: Path) -> list[int]:
    """Return the ids of the operations that wait for a person."""
    with _connected(file) as connection:
        rest = f"WHERE {OPERATION_COLUMNS['state']} = '{PARKED}' ORDER BY {OPERATION_COLUMNS['id']}"
        rows = _rows(connection, OPERATION_TABLE, {"id": OPERATION_COLUMNS["id"]}, rest)
        return [int(row["id"]) for row in rows]


def audit_events(file: Path, after: int = 0) -> list[AuditEvent]:
    """Return the events behind number `after`, oldest first; an operation is named by its key."""
    with _connected(file) as connection:
        words = {"id": OPERATION_COLUMNS["id"], "key": OPERATION_COLUMNS["key"]}
        keys = {row["id"]: str(row["key"]) for row in _rows(connection, OPERATION_TABLE, words, "")}
        seq = AUDIT_COLUMNS["seq"]
        rest = f"WHERE {seq} > {int(after)} ORDER BY {seq}"
        return [
            AuditEvent(
                int(row["seq"]),
                str(row["at"]),
                str(row["kind"]),
                str(row["incident"] or "-"),
                str(row["issue"] or "-"),
                keys.get(row["operation"], "-"),
                row["text"],
            )
            for row in _rows(connection, AUDIT_TABLE, AUDIT_COLUMNS, rest)
        ]
