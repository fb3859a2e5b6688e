"""Two issues that one operation made: what the nightly duplicate search stores of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from syncd.domain.operation import Kind, Operation
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import IncidentRow, PostmortemRow, TicketRow

_KEY = "duplicates"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two issues that bear one mark: ids and keys of both, and what links and closes the younger.

    `kind` is what made them and `incident` for which incident; `touched`: somebody touched the younger.
    """

    older: str
    older_key: str
    younger: str
    younger_key: str
    incident: str
    kind: str
    touched: bool
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to: the incidents for which something is to be done, and what it found first."""

    incidents: tuple[str, ...]
    fresh: tuple[Duplicate, ...]


def last_sweep(ledger: Transactions) -> datetime | None:
    """Return when the last sweep ended (UTC), None where there was none."""
    with ledger.read() as session:
        at = get_cursor_in(session, _KEY).get("at")
    return datetime.fromisoformat(str(at)) if at is not None else None


def store_sweep(ledger: Transactions, duplicates: Sequence[Duplicate], now: datetime) -> Swept:
    """Have duplicates linked and closed where that is ours to do; put on record what is left, and why."""
    left: list[dict[str, str]] = []
    incidents: list[str] = []
    fresh: list[Duplicate] = []
    with ledger.write() as session:
        before = get_cursor_in(session, _KEY).get("seen")
        seen: dict[str, Any] = {**before} if isinstance(before, dict) else {}
        for duplicate in duplicates:
            incident = session.get(IncidentRow, duplicate.incident)
            if incident is not None and duplicate.younger not in seen:
                seen[duplicate.younger] = duplicate.older
                fresh.append(duplicate)
                data = {"older": duplicate.older, "younger": duplicate.younger}
                audit.append(session, now, "duplicate.found", incident=incident.id, data={**data})
            why = "its incident is not on record" if incident is None else _settle(session, duplicate, now)
            if why:
                keys = {"older": duplicate.older_key, "younger": duplicate.younger_key}
                left.append({**keys, "reason": why})
            else:
                incidents.append(duplicate.incident)
        set_cursor_in(session, _KEY, at=now.isoformat(), seen=seen, left=left)
    return Swept(tuple(incidents), tuple(fresh))


def _settle(session: Session, duplicate: Duplicate, now: datetime) -> str | None:
    """Have a duplicate linked and closed; return why it is left instead, None where that was decided."""
    if outbox.on_record(session, duplicate.operations[0].key):
        return None
    rows = (session.get(TicketRow, duplicate.incident), session.get(PostmortemRow, duplicate.incident))
    if duplicate.older not in [row.issue_id for row in rows if row is not None]:
        what = "postmortem" if duplicate.kind == Kind.CREATE_POSTMORTEM else "ticket"
        return f"the ledger does not hold the older one for the {what}"
    if duplicate.touched:
        return "somebody touched the younger one"
    outbox.add(session, duplicate.operations, now)
    return None
