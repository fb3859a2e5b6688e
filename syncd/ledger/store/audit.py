"""The audit trail: append-only rows, chained by hash, so that an auditor can find any later change.

A row's hash is SHA-256 over the previous hash and the row's canonical text. Rows hold ids, states and
syncd's own reasons. Texts of incidents and people appear only as salted hashes, so that syncd can forget a
person without breaking the chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.trail.account import Account
from syncd.domain.trail.chain import GENESIS, Anchor, Broken, Chain, TrailRow, canonical, data_of, hash_of
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.driver import Driver
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.database.triggers import unprotected
from syncd.ledger.errors import LedgerUnreadable, LedgerUnsafe
from syncd.ledger.store.tables import AuditEventRow, AuditHeadRow, MetaRow

_APPEND = (
    "INSERT INTO audit_event (seq, at, kind, incident_id, issue_id, operation_id, text, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ROWS = (
    "SELECT seq, at, kind, incident_id, issue_id, operation_id, text, hash FROM audit_event"
    " WHERE seq >= ? ORDER BY seq"
)
_HEAD = "SELECT seq, hash FROM audit_head WHERE id = 1"
END = "audit end"
"""The key of a session's `info` with the last event that it appended, as an anchor."""


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
    driver = Driver(session)
    row = driver.one(_HEAD)
    if row is None:
        raise LedgerUnsafe("the audit trail has no head row", "restore a backup: syncd restore")
    seq = int(row[0]) + 1
    text = json.dumps(data or {}, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    at = at.astimezone(UTC)
    digest = hash_of(row[1], canonical(seq, at.isoformat(), kind, incident, issue, operation, text))
    stored = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    values = (seq, stored, kind, incident, issue, operation, text, digest)
    driver.write(_APPEND, values)
    driver.write("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1", (seq, digest))
    session.info[END] = (seq, digest)
    return seq


def salted(session: Session, text: str) -> str:
    """Return the hash that replaces a text of a person or an incident in the trail."""
    salt = _SALT.scalar(session)
    if salt is None:
        raise LedgerUnsafe("the ledger has no salt", "restore a backup: syncd restore")
    return sha256((salt + text).encode()).hexdigest()[:32]


_SALT = Prepared(columns(col(MetaRow.value)).where(col(MetaRow.key) == "salt"))


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
    row = _END.first(session)
    return (row[0], row[1]) if row else (0, GENESIS)


_END = Prepared(columns(col(AuditHeadRow.seq), col(AuditHeadRow.hash)).where(col(AuditHeadRow.id) == 1))


def hash_at(session: Session, seq: int) -> str | None:
    """Return the hash of an event, None if there is no such event; 0 is the beginning of the chain."""
    return GENESIS if seq == 0 else session.connection().scalar(_HASH, {"seq": seq})


_HASH = columns(col(AuditEventRow.hash)).where(col(AuditEventRow.seq) == bindparam("seq"))


def event_data(seq: int, text: str) -> dict[str, Any]:
    """Return the data of an event; raise `LedgerUnreadable` if its row is damaged."""
    try:
        return data_of(text)
    except (TypeError, ValueError) as error:
        why = f"row {seq} of the audit trail is damaged: its text is no JSON object"
        raise LedgerUnreadable(why, "to see what is broken: syncd audit verify") from error


_LEAST = -(2**63)
"""The lowest sequence number that a database can store; a forged row may have it."""


def rows(session: Session, first: int = _LEAST) -> Iterator[TrailRow]:
    """Yield the rows from the `first` one on in their order, also damaged ones; raise `DBAPIError`."""
    # the driver's plain values: a model would refuse what is damaged
    for seq, at, *rest in Driver(session).stream(_ROWS, (first,)):
        yield TrailRow(seq, _moment(at), *rest)


def _moment(stored: Any) -> Any:
    """Return a stored time in UTC, as the hash has it; return what is no time as None."""
    try:
        at = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored).replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat()
    except (TypeError, ValueError):
        return None


def verify(
    session: Session,
    anchors: Iterable[Anchor] = (),
    account: Account | None = None,
    kept: Mapping[Anchor, str] | None = None,
) -> Broken | None:
    """Check the chain and its triggers; return the first broken or missing row, None if there is none.

    The chain must pass through the `anchors`, which come from mails, exports or the log, and through those
    that the ledger `kept` itself, each with its name. `account` takes in what the rows tell.
    """
    chain = Chain(anchors=anchors, kept=kept)
    try:
        for row in rows(session):
            broken = chain.add(row)
            if broken is None and row.seq == 1 and row.kind != "ledger.born":
                broken = Broken(1, "row 1 is missing: a trail begins with the birth of its ledger")
            if broken is not None:
                return broken
            if account is not None:
                account.add(row)
        stored = Driver(session).one(_HEAD)
    except DBAPIError as error:
        return Broken(chain.last + 1, f"it is damaged: the database cannot read it: {error.orig}")
    if chain.last == 0:
        return Broken(1, "row 1 is missing: a trail begins with the birth of its ledger")
    # rows cut off at the end leave a chain that fits: only the head row tells
    broken = chain.end(stored and (stored[0], stored[1]))
    if broken is None and (wrong := unprotected(session)):
        return Broken(None, "; ".join(wrong))
    return broken
