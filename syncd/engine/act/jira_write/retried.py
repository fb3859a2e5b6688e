"""Whether a person said "try again" about an operation: then what was given up is looked at anew."""

from __future__ import annotations

from datetime import datetime

from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.audit import last_event


def retried_at(context: EngineContext, operation: OperationRecord) -> datetime | None:
    """When somebody last sent the parked operation on its way again (UTC), None if nobody did."""
    return last_event(context.ledger, "operation.retried", operation.id)
