"""What people asked for at the command line, worked through by whoever holds the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlmodel import Session, col, select

from syncd.domain.clock import Clock
from syncd.domain.operation import OperationState
from syncd.ledger import audit, outbox
from syncd.ledger.ledger import Ledger
from syncd.ledger.tables import OperationRow, RequestRow

Result = dict[str, Any]


def _chosen(session: Session, ids: list[int], lines: list[str]) -> list[OperationRow]:
    if not ids:
        return outbox.listing(session, [OperationState.PARKED])
    chosen = []
    for wanted in ids:
        row = session.get(OperationRow, wanted)
        if row is None:
            lines.append(f"there is no operation {wanted}; see: syncd outbox")
        elif row.state != OperationState.PARKED:
            lines.append(f"operation {wanted} is {row.state}, not parked: left as it is")
        else:
            chosen.append(row)
    return chosen


def _retry(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    rows = _chosen(session, request.arguments.get("ids", []), lines)
    count = outbox.retry(session, rows, clock.now(), request.asked_by)
    lines.append(f"{count} operations are tried again")
    return {"lines": lines, "incidents": sorted({row.incident_id for row in rows}), "failed": len(lines) > 1}


def _drop(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    rows = _chosen(session, request.arguments["ids"], lines)
    reason = str(request.arguments["reason"])
    for row in rows:
        outbox.finish(session, row, OperationState.DROPPED, clock.now(), why=f"{request.asked_by}: {reason}")
    lines.append(f"{len(rows)} operations are dropped")
    return {"lines": lines, "incidents": [], "failed": len(lines) > 1}


HANDLERS: dict[str, Callable[[Session, RequestRow, Clock], Result]] = {
    "outbox.retry": _retry,
    "outbox.drop": _drop,
}


def ask(session: Session, kind: str, arguments: dict[str, Any], who: str, clock: Clock) -> RequestRow:
    """Write down what somebody asks for."""
    row = RequestRow(kind=kind, arguments=arguments, asked_by=who, asked_at=clock.now())
    session.add(row)
    session.flush()
    return row


def serve(ledger: Ledger, clock: Clock) -> list[str]:
    """Work through what was asked; return the incidents to look at."""
    with ledger.db.read() as session:
        waiting = session.exec(select(RequestRow.id).where(RequestRow.state == "new")).all()
    if not waiting:
        return []
    incidents: list[str] = []
    with ledger.db.write() as session:
        # asked again under the lock: a cycle and a tick may have seen the same request
        query = select(RequestRow).where(col(RequestRow.id).in_(waiting), RequestRow.state == "new")
        for row in session.exec(query).all():
            handler = HANDLERS.get(row.kind)
            said = f"this daemon does not know {row.kind}"
            unknown: Result = {"lines": [said], "incidents": [], "failed": True}
            result = handler(session, row, clock) if handler else unknown
            row.result, row.state, row.finished_at = result, "done", clock.now()
            session.add(row)
            incidents += result["incidents"]
            data = {"kind": row.kind, "by": audit.salted(session, row.asked_by)}
            audit.append(session, clock.now(), "request", data=dict(data))
    return incidents
