"""Answers what people asked for at the command line, in one transaction with what it changes."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session, col, select

from syncd.domain.clock import Clock
from syncd.domain.operation import OperationState, Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.requests import waivers
from syncd.ledger.store import audit, holds, operation_states, outbox
from syncd.ledger.store.forget import PrintOf, forget
from syncd.ledger.store.requests import NEW, Result, answer_in, waiting_in
from syncd.ledger.store.tables import OperationRow, RequestRow


def serve(ledger: Transactions, clock: Clock, print_of: PrintOf) -> list[str]:
    """Answer what was asked, errands aside; return the incidents to look at.

    `print_of` says what an incident that is over is compared by (`syncd.ledger.store.forget`).
    """
    with ledger.read() as session:
        waiting = waiting_in(session)
    if not waiting:
        return []
    incidents: list[str] = []
    with ledger.write() as session:
        # asked again under the lock: a cycle and a tick may have seen the same request
        query = select(RequestRow).where(col(RequestRow.id).in_(waiting), RequestRow.state == NEW)
        for row in session.exec(query).all():
            result = _answer(session, row, clock, print_of)
            answer_in(session, row, result, clock)
            incidents += result["incidents"]
    return incidents


def _answer(session: Session, row: RequestRow, clock: Clock, print_of: PrintOf) -> Result:
    if row.kind == "forget":
        return _forget(session, row, clock, print_of)
    handler = _HANDLERS.get(row.kind)
    if handler is None:
        said = f"this daemon does not know {row.kind}"
        return {"lines": [said], "incidents": [], "failed": True}
    return handler(session, row, clock)


def _chosen(
    session: Session, ids: list[int], lines: list[str], *states: OperationState
) -> list[OperationRow]:
    """The operations of these ids that stand in one of the states; says which do not."""
    chosen = []
    for wanted in ids:
        row = session.get(OperationRow, wanted)
        if row is None:
            lines.append(f"there is no operation {wanted}; see: syncd outbox")
        elif row.state not in states:
            lines.append(f"operation {wanted} is {row.state}, not {' or '.join(states)}: left as it is")
        else:
            chosen.append(row)
    return chosen


def _retry(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    ids = request.arguments.get("ids", [])
    parked = OperationState.PARKED
    rows = _chosen(session, ids, lines, parked) if ids else outbox.listing(session, [parked])
    count = operation_states.retry(session, rows, clock.now(), request.asked_by)
    lines.append(f"{count} operations are tried again")
    return {"lines": lines, "incidents": sorted({row.incident_id for row in rows}), "failed": len(lines) > 1}


def _drop(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    held = OperationState.HELD
    rows = _chosen(session, request.arguments["ids"], lines, OperationState.PARKED, held)
    if request.arguments.get("held"):
        rows += [row for row in outbox.listing(session, [held]) if row not in rows]
    reason = str(request.arguments["reason"])
    for row in rows:
        # the words stay with the operation, where they can be forgotten; the trail has their hash
        row.error = f"dropped by {request.asked_by}: {reason}"
        why = f"dropped by a person: {audit.salted(session, row.error)}"
        operation_states.finish(session, row, OperationState.DROPPED, clock.now(), why=why)
    if not holds.held_tickets(session):
        holds.end_mass(session)
    lines.append(f"{len(rows)} operations are dropped")
    return {"lines": lines, "incidents": [], "failed": len(lines) > 1}


def _release(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    asked = request.arguments.get("ids", [])
    held = OperationState.HELD
    rows = _chosen(session, asked, lines, held) if asked else outbox.listing(session, [held])
    ids = [row.id for row in rows if row.id is not None]
    incidents = holds.release(session, clock.now(), request.asked_by, ids=ids)
    lines.append(f"{len(rows)} operations on {len(incidents)} tickets are released")
    return {"lines": lines, "incidents": incidents, "failed": len(lines) > 1}


def _accept(session: Session, request: RequestRow, clock: Clock) -> Result:
    counts = holds.accept_first_load(session, request.asked_by, clock.now())
    if counts is None:
        return {"lines": ["nothing waits to be accepted"], "incidents": [], "failed": False}
    said = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    return {
        "lines": [f"accepted: {said}"],
        "incidents": outbox.incidents_with_work(session),
        "failed": False,
    }


def _pause(session: Session, request: RequestRow, clock: Clock) -> Result:
    targets = [Target(one) for one in request.arguments["targets"]]
    reason = str(request.arguments["reason"])
    holds.pause(session, targets, reason, request.asked_by, clock.now())
    said = ", ".join(targets)
    return {"lines": [f"paused: {said}; syncd resume ends it"], "incidents": [], "failed": False}


def _resume(session: Session, request: RequestRow, clock: Clock) -> Result:
    targets = [Target(one) for one in request.arguments["targets"]]
    lifted = holds.resume(session, targets, request.asked_by, clock.now())
    said = f"resumed: {', '.join(lifted)}" if lifted else "nothing of that was paused"
    return {"lines": [said], "incidents": outbox.incidents_with_work(session), "failed": False}


def _forget(session: Session, request: RequestRow, clock: Clock, print_of: PrintOf) -> Result:
    asked = request.arguments
    done = forget(session, str(asked["address"]), asked.get("names", []), clock.now(), print_of)
    request.arguments = {}  # who was to be forgotten is not to stand here
    lines = [f"{done.rows} rows and {done.texts} texts are emptied" if done.rows else "nothing was emptied"]
    if done.incidents:
        lines.append(f"left, because it is not over: {', '.join(done.incidents)}; run it again when it is")
    if done.operations:
        lines.append(f"open operations that name them: {', '.join(map(str, done.operations))}")
    return {"lines": lines, "incidents": [], "failed": bool(done.incidents or done.operations)}


_HANDLERS: dict[str, Callable[[Session, RequestRow, Clock], Result]] = {
    "accept": _accept,
    "outbox.retry": _retry,
    "outbox.drop": _drop,
    "outbox.release": _release,
    "pause": _pause,
    "resume": _resume,
    "waive": waivers.waive,
    "unwaive": waivers.unwaive,
    "correct": waivers.correct,
}
