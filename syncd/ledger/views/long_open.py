"""What the report asks about incidents that are open for long."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col

from syncd.domain.incident import IncidentStatus
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.loading import load, record_of, select_records
from syncd.ledger.store.postmortems import merged_source_rows
from syncd.ledger.store.tables import IncidentRow
from syncd.ledger.views.report_facts import of_team


def open_since(ledger: Transactions, before: datetime, team: str | None) -> list[IncidentRecord]:
    """Return the incidents that were created before a moment and are open, oldest first."""
    query = select_records(IncidentRecord).where(
        col(IncidentRow.status) != IncidentStatus.RESOLVED,
        col(IncidentRow.created_at) < before,
        of_team(team),
    )
    with ledger.read() as session:
        return load(session, IncidentRecord, query.order_by(col(IncidentRow.created_at)))


def merged_sources(ledger: Transactions, incident_id: str) -> list[IncidentRecord]:
    """Return what was merged into an incident, then what was merged into that, and so on."""
    with ledger.read() as session:
        return [record_of(IncidentRecord, row) for row in merged_source_rows(session, incident_id)]
