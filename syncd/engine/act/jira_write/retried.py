"""Whether a person said "try again" about an operation: then what was given up is looked at anew."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select

from syncd.engine.context import Desk
from syncd.ledger.store.tables import AuditEventRow, OperationRow


def retried_at(desk: Desk, row: OperationRow) -> datetime | None:
    """When somebody last sent the parked operation on its way again (UTC), None if nobody did."""
    with desk.ledger.db.read() as session:
        return session.exec(
            select(AuditEventRow.at)
            .where(AuditEventRow.kind == "operation.retried", AuditEventRow.operation_id == row.id)
            .order_by(col(AuditEventRow.seq).desc())
        ).first()
