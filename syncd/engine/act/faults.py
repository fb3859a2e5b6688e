"""Park an operation on which syncd itself fails, so that it fails once and not in each cycle.

The error may come from its rendering, its sending or its confirmation. The incident's other operations go on.
"""

from __future__ import annotations

from loguru import logger

from syncd.config.masks import mask
from syncd.engine.act.kind import is_restricted
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.leaving import basis_of
from syncd.ledger.store.lookups import display_name
from syncd.ledger.store.names import log_about
from syncd.ledger.store.operation_states import park_faulty

LONGEST = 300
"""Characters of an error's first line that the ledger keeps."""


def park(context: EngineContext, operation: OperationRecord, error: Exception) -> bool:
    """Park an operation with the error's words and log it; return False if it is over or parked already."""
    logger.opt(exception=error).debug("operation {} failed", operation.id)
    words = fault_words(context, operation, error)
    if not park_faulty(context.ledger, operation.id, context.clock.now(), context.gave_up(), words):
        return False
    log_about(context.ledger, operation.incident_id).bind(operation=operation.id, kind=operation.kind).error(
        "{}: could not {}: {}; parked, all else goes on. Report it, and after an update run"
        " `syncd outbox retry {}`",
        display_name(context.ledger, operation.incident_id),
        operation.kind.replace("_", " "),
        words,
        operation.id,
    )
    return True


def fault_words(context: EngineContext, operation: OperationRecord, error: Exception) -> str:
    """Return an error's type and the first line of its text, masked.

    Of a restricted incident the type alone: the text may quote the incident's.
    """
    kind = f"a fault in syncd, {type(error).__name__}"
    first = next(iter(str(error).splitlines()), "").strip()
    if not first or is_restricted(context, operation):
        return kind
    incident = basis_of(context.ledger, operation.incident_id).incident
    mapping = context.rules.current.mapping_of(incident.team if incident is not None else None)
    patterns = mapping.redact.patterns if mapping is not None else {}
    return f"{kind}: {mask(first, patterns)[:LONGEST]}"
