"""Why nothing happens just now: what keeps an incident's ticket back, or its status, and until when.

Read from the row as the last decision left it; `syncd show` says it, so that nobody takes a wait for a
failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import Kind
from syncd.ledger.records import IncidentRecord, OperationRecord, TicketRecord
from syncd.policy.ticket.revert_counter import in_conflict
from syncd.policy.ticket.status import held_until, same_state

Data = dict[str, Any]


def waits(
    row: IncidentRecord, ticket: TicketRecord | None, operations: Sequence[OperationRecord], now: datetime
) -> list[Data]:
    """What is waited for, each with `why` and `until` (ISO, None where no moment ends it)."""
    found = _no_ticket(row, operations, now) if ticket is None else _resolve(row, ticket, now)
    return [{"why": why, "until": until.isoformat() if until else None} for why, until in found]


def _no_ticket(
    row: IncidentRecord, operations: Sequence[OperationRecord], now: datetime
) -> Iterator[tuple[str, datetime | None]]:
    coming = row.due_at if row.due_at and row.due_at > now else None
    if row.team is None:
        yield "no mapping claims its service, so it gets no ticket", None
    elif row.noise_rule:
        yield f"the noise rule {row.noise_rule} keeps its ticket back", coming
    elif any(one.kind == Kind.CREATE_TICKET for one in operations):
        return
    elif row.finished:
        yield "it was over before the rules began (`enforce_from`), so it gets no ticket", None
    elif coming and row.status != IncidentStatus.RESOLVED:
        yield "another tool may make its ticket (`coexist: adopt`), so none is made yet", coming


def _resolve(
    row: IncidentRecord, ticket: TicketRecord, now: datetime
) -> Iterator[tuple[str, datetime | None]]:
    incident = Incident.model_validate(row.snapshot)
    until = held_until(incident)
    carried = same_state(str(ticket.agreed.get("state")), incident.state)
    left = "status" in ticket.refused or in_conflict(ticket.agreed, "status")
    if until is not None and now < until and not carried and not left:
        yield "the ticket follows the resolve five minutes later, unless it is opened again before", until
