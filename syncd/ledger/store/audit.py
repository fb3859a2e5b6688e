"""The audit trail: append-only rows, chained by hash, so that an auditor can find any later change.

A row's hash is SHA-256 over the previous hash and the row's canonical text. Rows hold ids, states and
syncd's own reasons. Texts of incidents and people appear only as salted hashes, so that syncd can forget a
person without breaking the chain.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.errors import LedgerUnsafe
from syncd.ledger.store.tables import AuditEventRow, AuditHeadRow, MetaRow

GENESIS = "0" * 64
"""The hash before the first row."""


_APPEND = (
    "INSERT INTO audit_event (seq, at, kind, incident_id, issue_id, operation_id, text, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class Broken:
    """The first row at which the chain is broken, and why."""

    seq: int
    why: str


def canonical(
    seq: int,
    at: datetime,
    kind: str,
    incident_id: str | None,
    issue_id: str | None,
    operation_id: int | None,
    text: str,
) -> str:
    """Return the text of a row over which its hash is computed; the time is in UTC."""
    return json.dumps(
        [seq, at.astimezone(UTC).isoformat(), kind, incident_id, issue_id, operation_id, text],
        ensure_ascii=True,
        separators=(",", ":"),
    )


def append(
    session: Session,
    at: datetime,
    kind: str,
    *,
    incident: str | None = None,
    issue: str | None = None,
    operation: int | None = None,
    data: dict[str, JsonValue] | None = None,
) -> int:
    """Append an event to the chain and return its sequence number.

    `data` must hold ids, states and syncd's own words only; use `salted` for any other text. Raise
    `LedgerUnsafe` if the trail has no head, `DBAPIError` if the disk rejects the write.
    """
    # the driver's plain statements: this is the most frequent write, several times for each operation
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise LedgerUnsafe("the ledger is not connected", "start the daemon again")
    try:
        row = driver.execute("SELECT seq, hash FROM audit_head WHERE id = 1").fetchone()
        if row is None:
            raise LedgerUnsafe("the audit trail has no head row", "restore a backup: syncd restore")
        seq = int(row[0]) + 1
        text = json.dumps(data or {}, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        spelled = canonical(seq, at, kind, incident, issue, operation, text)
        digest = sha256((row[1] + spelled).encode()).hexdigest()
        stored = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        driver.execute(_APPEND, (seq, stored, kind, incident, issue, operation, text, digest))
        driver.execute("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1", (seq, digest))
    except sqlite3.Error as error:
        # SQLAlchemy would raise this class: `Database.write` tells a full disk by it
        raise DBAPIError.instance(_APPEND, None, error, sqlite3.Error) from error
    return seq


def salted(session: Session, text: str) -> str:
    """Return the hash that replaces a text of a person or an incident in the trail."""
    salt = session.connection().scalar(_SALT)
    if salt is None:
        raise LedgerUnsafe("the ledger has no salt", "restore a backup: syncd restore")
    return sha256((salt + text).encode()).hexdigest()[:32]


_SALT = columns(col(MetaRow.value)).where(col(MetaRow.key) == "salt")


def last_event(ledger: Transactions, kind: str, operation_id: int) -> datetime | None:
    """Return when the last event of a kind about an operation was appended (UTC), None if none was."""
    with ledger.read() as session:
        return session.connection().scalar(_LAST, {"kind": kind, "operation": operation_id})


_LAST = (
    columns(col(AuditEventRow.at))
    .where(
        col(AuditEventRow.kind) == bindparam("kind"),
        col(AuditEventRow.operation_id) == bindparam("operation"),
    )
    .order_by(col(AuditEventRow.seq).desc())
    .limit(1)
)


def head(session: Session) -> tuple[int, str]:
    """Return sequence and hash of the chain's end: the anchor that mails and exports carry."""
    # `append` writes past the session, so a cached row may be old
    row = session.get(AuditHeadRow, 1, populate_existing=True)
    return (row.seq, row.hash) if row else (0, GENESIS)


def verify(session: Session, anchor: tuple[int, str] | None = None) -> Broken | None:
    """Check the whole chain; return the first broken row, None if there is none.

    `anchor` is a sequence and hash from an earlier mail or export: the chain must pass through it.
    """
    previous, last = GENESIS, 0
    anchored = anchor is None or anchor == (0, GENESIS)
    events = select(AuditEventRow).order_by("seq").execution_options(yield_per=1000)
    for row in session.exec(events):
        if row.seq != last + 1:
            return Broken(last + 1, f"row {last + 1} is missing")
        spelled = canonical(
            row.seq, row.at, row.kind, row.incident_id, row.issue_id, row.operation_id, row.text
        )
        if sha256((previous + spelled).encode()).hexdigest() != row.hash:
            return Broken(row.seq, "its hash does not follow from its text and the row before")
        if anchor is not None and row.seq == anchor[0]:
            if row.hash != anchor[1]:
                return Broken(row.seq, "its hash differs from the anchor")
            anchored = True
        previous, last = row.hash, row.seq
    # rows cut off at the end leave a chain that fits: only the head row tells
    if (last, previous) != head(session):
        return Broken(last + 1, "the chain ends before its head row says so")
    return None if anchored else Broken(last + 1, f"the chain ends before the anchor {anchor and anchor[0]}")
