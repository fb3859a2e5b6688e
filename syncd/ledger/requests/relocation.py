"""Record that the PagerDuty account or the Jira site of a ledger has another address now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import col

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.identity import get_meta, set_meta
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.tables import IncidentRow, TicketRow
from syncd.policy.case import TicketState


def owner_of(ledger: Transactions, name: str) -> str | None:
    """Return whose ledger this is (`pagerduty`, `jira` or `edition`), None before the first contact."""
    with ledger.read() as session:
        return get_meta(session, f"owner.{name}")


def newest_tickets(ledger: Transactions, limit: int) -> list[TicketState]:
    """Return the newest tickets."""
    with ledger.read() as session:
        return load(session, TicketState, _TICKETS, {"limit": limit})


def newest_incidents(ledger: Transactions, limit: int) -> list[IncidentRecord]:
    """Return the incidents that were triggered last."""
    with ledger.read() as session:
        return load(session, IncidentRecord, _INCIDENTS, {"limit": limit})


def relocate(
    ledger: Transactions, now: datetime, name: str, address: str, compared: Collection[str], by: str
) -> None:
    """Store the new address of a service; `compared` are the ids that proved it, `by` the system user."""
    with ledger.write() as session:
        before = get_meta(session, f"owner.{name}")
        set_meta(session, f"owner.{name}", address)
        data: dict[str, JsonValue] = {"service": name, "from": before, "to": address}
        data |= {"compared": [*compared], "by": audit.salted(session, by)}
        audit.append(session, now, "ledger.relocated", data=data)


_TICKETS = select_records(TicketState).order_by(col(TicketRow.created_at).desc()).limit(bindparam("limit"))
_INCIDENTS = (
    select_records(IncidentRecord).order_by(col(IncidentRow.created_at).desc()).limit(bindparam("limit"))
)
