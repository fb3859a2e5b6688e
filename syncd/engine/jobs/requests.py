"""What people asked for at the command line, worked through by whoever holds the ledger.

What only changes the ledger is done at once, in one transaction with its answer. What reads the services
first (a resync) is an errand: it is taken by `take_errand` and says how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.clock import Clock
from syncd.domain.operation import OperationState, Target
from syncd.engine.jobs import waivers
from syncd.engine.runtime import brakes
from syncd.ledger.open import Ledger
from syncd.ledger.store import audit, holds, outbox
from syncd.ledger.store.forget import forget
from syncd.ledger.store.tables import OperationRow, RequestRow

Result = dict[str, Any]

RESYNC, RELOAD, REPORT = "resync", "reload", "report.send"
ERRANDS = frozenset({RESYNC, RELOAD, REPORT})
"""Requests that take their time and are worked through outside any transaction."""
NEW, RUNNING, DONE = "new", "running", "done"


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
    count = outbox.retry(session, rows, clock.now(), request.asked_by)
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
        outbox.finish(session, row, OperationState.DROPPED, clock.now(), why=why)
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


def _forget(session: Session, request: RequestRow, clock: Clock) -> Result:
    asked = request.arguments
    done = forget(session, str(asked["address"]), asked.get("names", []), clock.now(), brakes.print_of)
    request.arguments = {}  # who was to be forgotten is not to stand here
    lines = [f"{done.rows} rows and {done.texts} texts are emptied" if done.rows else "nothing was emptied"]
    if done.incidents:
        lines.append(f"left, because it is not over: {', '.join(done.incidents)}; run it again when it is")
    if done.operations:
        lines.append(f"open operations that name them: {', '.join(map(str, done.operations))}")
    return {"lines": lines, "incidents": [], "failed": bool(done.incidents or done.operations)}


HANDLERS: dict[str, Callable[[Session, RequestRow, Clock], Result]] = {
    "accept": _accept,
    "forget": _forget,
    "outbox.retry": _retry,
    "outbox.drop": _drop,
    "outbox.release": _release,
    "pause": _pause,
    "resume": _resume,
    "waive": waivers.waive,
    "unwaive": waivers.unwaive,
    "correct": waivers.correct,
}


def ask(session: Session, kind: str, arguments: dict[str, Any], who: str, clock: Clock) -> RequestRow:
    """Write down what somebody asks for."""
    row = RequestRow(kind=kind, arguments=arguments, asked_by=who, asked_at=clock.now())
    session.add(row)
    session.flush()
    return row


def serve(ledger: Ledger, clock: Clock) -> list[str]:
    """Work through what was asked, errands aside; return the incidents to look at."""
    with ledger.db.read() as session:
        waiting = session.connection().scalars(_WAITING).all()
    if not waiting:
        return []
    incidents: list[str] = []
    with ledger.db.write() as session:
        # asked again under the lock: a cycle and a tick may have seen the same request
        query = select(RequestRow).where(col(RequestRow.id).in_(waiting), RequestRow.state == NEW)
        for row in session.exec(query).all():
            handler = HANDLERS.get(row.kind)
            said = f"this daemon does not know {row.kind}"
            unknown: Result = {"lines": [said], "incidents": [], "failed": True}
            result = handler(session, row, clock) if handler else unknown
            _answer(session, row, result, clock)
            incidents += result["incidents"]
    return incidents


_WAITING = columns(col(RequestRow.id)).where(
    col(RequestRow.state) == NEW, col(RequestRow.kind).not_in(sorted(ERRANDS))
)


def _answer(session: Session, row: RequestRow, result: Result, clock: Clock) -> None:
    row.result, row.state, row.finished_at = result, DONE, clock.now()
    session.add(row)
    data = {"kind": row.kind, "by": audit.salted(session, row.asked_by)}
    audit.append(session, clock.now(), "request", data=dict(data))


def take_errand(ledger: Ledger, kind: str = RESYNC) -> RequestRow | None:
    """Take the oldest errand of a kind that nobody works on; None: there is none."""
    query = select(RequestRow).where(RequestRow.state == NEW, RequestRow.kind == kind)
    query = query.order_by(col(RequestRow.id))
    with ledger.db.read() as session:
        if session.exec(query).first() is None:
            return None
    with ledger.db.write() as session:
        row = session.exec(query).first()
        if row is not None:
            row.state = RUNNING
            session.add(row)
        return row


def give_back_errands(ledger: Ledger) -> None:
    """At the start and at the end: errands that did not come to their end are new again."""
    with ledger.db.write() as session:
        for row in session.exec(select(RequestRow).where(RequestRow.state == RUNNING)).all():
            row.state = NEW
            session.add(row)


def errand_progress(ledger: Ledger, number: int, words: str) -> None:
    """Say how far an errand has come, for whoever waits for it."""
    with ledger.db.write() as session:
        row = session.get(RequestRow, number)
        if row is not None:
            row.progress = words
            session.add(row)


def answer_of(ledger: Ledger, number: int) -> Result:
    """A request's answer; that of one without an answer says so."""
    with ledger.db.read() as session:
        row = session.get(RequestRow, number)
    if row is None or row.result is None:
        said = "it could not be done now; the request stays on record"
        return {"lines": [said], "incidents": [], "failed": True}
    return dict(row.result)


def end_errand(ledger: Ledger, number: int, result: Result, clock: Clock) -> None:
    """Write an errand's answer down."""
    with ledger.db.write() as session:
        row = session.get(RequestRow, number)
        if row is not None:
            _answer(session, row, result, clock)
