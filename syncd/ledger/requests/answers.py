"""Requests from the command line: stored, taken by the daemon, answered.

A request that only changes the ledger is answered in one transaction with its change. A request that reads
the services first (a resync, a reload, a report) is a job: the daemon takes it and reports its progress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from loguru import logger
from sqlalchemy import bindparam, literal, update
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.clock import Clock
from syncd.domain.operation import OPEN_STATES, OperationState, Target
from syncd.domain.text import counted, counts_words
from syncd.ledger.database.connection import Database, Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import RequestRecord
from syncd.ledger.requests import waivers
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store import audit, first_load, holds, operation_states, outbox
from syncd.ledger.store.forget import PrintOf, forget
from syncd.ledger.store.identity import run_name_in
from syncd.ledger.store.loading import get
from syncd.ledger.store.moved import refuse_half_of_a_move
from syncd.ledger.store.names import names_in
from syncd.ledger.store.operation_states import GivenUp
from syncd.ledger.store.tables import OperationRow, RequestRow


class Served(NamedTuple):
    """The work that answered requests leave: incidents to decide on or to try again, resumed targets."""

    incidents: list[str]
    resumed: list[str]
    retried: list[str]


def serve(ledger: Database, clock: Clock, print_of: PrintOf) -> Served:
    """Answer the waiting requests that are no jobs; return what they leave to do.

    `print_of` returns the fingerprint of an incident that is over (`syncd.ledger.store.forget`).
    """
    with ledger.read_one() as session:
        waiting = _WAITING.scalars(session)
    served, forgot = Served([], [], []), False
    if not waiting:
        return served
    with ledger.write() as session:
        # read again inside the writing transaction: a cycle and a tick may have seen the same request
        query = select(RequestRow).where(col(RequestRow.id).in_(waiting), RequestRow.state == NEW)
        for row in session.exec(query.order_by(col(RequestRow.id))).all():
            result = _answer(session, row, clock, print_of)
            answer_in(session, row, result, clock)
            served.incidents.extend(result["incidents"])
            forgot = forgot or row.kind == "forget"
            if row.kind == "resume":
                served.resumed.extend(row.arguments["targets"])
            if row.kind == "outbox.retry":
                served.retried.extend(result["incidents"])
    if forgot and not ledger.empty_log():
        logger.warning(
            "a reader holds back the ledger's write-ahead log, which still has texts of the person forgotten;"
            " it is emptied when syncd stops"
        )
    return served


def _answer(session: Session, row: RequestRow, clock: Clock, print_of: PrintOf) -> Result:
    # the one request that needs the fingerprint of incidents
    if row.kind == "forget":
        return _forget(session, row, clock, print_of)
    handler = _HANDLERS.get(row.kind)
    if handler is None:
        line = f"this daemon does not know the request {row.kind}"
        return {"lines": [line], "incidents": [], "failed": True}
    return handler(session, row, clock)


def _chosen(
    session: Session, ids: list[int], lines: list[str], *states: OperationState
) -> list[OperationRow]:
    """Return the operations of these ids that are in one of the states; add a line for each other id."""
    chosen = []
    run = run_name_in(session)
    for operation_id in ids:
        row = session.get(OperationRow, operation_id)
        if row is None:
            lines.append(f"there is no operation {operation_id}; see: syncd outbox")
        elif row.state not in states:
            wanted = f", not {states[0]}" if len(states) == 1 else ""
            lines.append(f"operation {operation_id} is {row.state}{wanted}: left as it is")
        elif row.state == OperationState.IN_FLIGHT and row.instance == run:
            lines.append(f"operation {operation_id} is being sent at this moment: left as it is")
        else:
            chosen.append(row)
    return chosen


def _retry(session: Session, request: RequestRow, clock: Clock) -> Result:
    refused: list[str] = []
    ids = request.arguments.get("ids", [])
    parked = OperationState.PARKED
    rows = _chosen(session, ids, refused, *OPEN_STATES) if ids else outbox.listing(session, [parked])
    given_up = GivenUp(clock.boot_id(), clock.boottime())
    lines = []
    for row in rows:
        meaning = operation_states.retry(session, row, clock.now(), given_up, request.asked_by)
        lines += [f"operation {row.id} {meaning}"] if meaning else []
    holds.end_mass_if_gone(session)
    lines = [*refused, *lines, f"tried again: {counted(len(rows), 'operation')}"]
    incidents = sorted({row.incident_id for row in rows})
    return {"lines": lines, "incidents": incidents, "failed": bool(refused)}


def _drop(session: Session, request: RequestRow, clock: Clock) -> Result:
    refused: list[str] = []
    held = OperationState.HELD
    rows = _chosen(session, request.arguments["ids"], refused, *OPEN_STATES)
    if request.arguments.get("held"):
        rows += [row for row in outbox.listing(session, [held]) if row not in rows]
    lines = []
    for row in rows:
        reason = str(request.arguments["reason"])
        meaning = operation_states.drop(session, row, clock.now(), request.asked_by, reason)
        lines += [f"operation {row.id} {meaning}"] if meaning else []
    holds.end_mass_if_gone(session)
    lines = [*refused, *lines, f"dropped: {counted(len(rows), 'operation')}"]
    return {"lines": lines, "incidents": [], "failed": bool(refused)}


def _release(session: Session, request: RequestRow, clock: Clock) -> Result:
    lines: list[str] = []
    asked = request.arguments.get("ids", [])
    held = OperationState.HELD
    rows = _chosen(session, asked, lines, held) if asked else outbox.listing(session, [held])
    ids = [row.id for row in rows if row.id is not None]
    incidents = holds.release(session, clock.now(), request.asked_by, ids=ids)
    tickets = counted(len(incidents), "ticket")
    lines.append(f"released: {counted(len(rows), 'operation')} on {tickets}")
    return {"lines": lines, "incidents": incidents, "failed": len(lines) > 1}


def _accept(session: Session, request: RequestRow, clock: Clock) -> Result:
    counts = first_load.accept(session, request.asked_by, clock.now())
    if counts is None:
        return {"lines": ["nothing waits to be accepted"], "incidents": [], "failed": False}
    return {
        "lines": [f"accepted: {counts_words(counts)}"],
        "incidents": outbox.incidents_with_work(session),
        "failed": False,
    }


def _pause(session: Session, request: RequestRow, clock: Clock) -> Result:
    targets = [Target(name) for name in request.arguments["targets"]]
    reason = str(request.arguments["reason"])
    holds.pause(session, targets, reason, request.asked_by, clock.now())
    line = f"paused: {', '.join(targets)}; syncd resume ends it"
    return {"lines": [line], "incidents": [], "failed": False}


def _resume(session: Session, request: RequestRow, clock: Clock) -> Result:
    targets = [Target(name) for name in request.arguments["targets"]]
    lifted = holds.resume(session, targets, request.asked_by, clock.now())
    # it may also wait for a service that refused its login, which is no pause of an operator's
    line = f"resumed: {', '.join(lifted)}" if lifted else "none of these was paused; syncd asks them at once"
    return {"lines": [line], "incidents": outbox.incidents_with_work(session), "failed": False}


def _forget(session: Session, request: RequestRow, clock: Clock, print_of: PrintOf) -> Result:
    asked = request.arguments
    done = forget(session, str(asked["address"]), asked.get("names", []), clock.now(), print_of)
    # the request itself names the person
    request.arguments = {}
    emptied = f"emptied: {counted(done.rows, 'row')} and {counted(done.texts, 'text')}"
    lines = [emptied if done.rows else "nothing was emptied"]
    if done.incidents:
        names = names_in(session, done.incidents)
        left = [name for _number, _key, name in sorted(names.values(), key=lambda name: name[0] or 0)]
        lines.append(f"left, because it is not over: {', '.join(left)}; run it again when it is")
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


RESYNC, RELOAD, REPORT, ADOPT = "resync", "reload", "report.send", "adopt"
JOBS = frozenset({RESYNC, RELOAD, REPORT, ADOPT})
"""Requests that the daemon works through outside any transaction, because they read the services."""
NEW, RUNNING, DONE = "new", "running", "done"


def ask(ledger: Transactions, kind: str, arguments: dict[str, Any], asked_by: str) -> int:
    """Store a request and return its number; `asked_by` is the system user who typed the command.

    Raise `LedgerMoved` where no daemon will ever answer it.
    """
    row = RequestRow(kind=kind, arguments=arguments, asked_by=asked_by)
    with ledger.write() as session:
        refuse_half_of_a_move(session)
        session.add(row)
        session.flush()
        return row.id or 0


def request_of(ledger: Transactions, number: int) -> RequestRecord | None:
    """Return a request as it is now, None if there is none with this number."""
    with ledger.read() as session:
        return get(session, RequestRecord, number)


# the requests without an answer, jobs left out
_WAITING = Prepared(
    columns(col(RequestRow.id))
    .where(
        col(RequestRow.state) == NEW, col(RequestRow.kind).not_in([literal(kind) for kind in sorted(JOBS)])
    )
    .order_by(col(RequestRow.id))
)


def answer_in(session: Session, row: RequestRow, result: Result, clock: Clock) -> None:
    """Store a request's answer, with its audit event."""
    row.result, row.state = result, DONE
    session.add(row)
    data = {"kind": row.kind, "by": audit.salted(session, row.asked_by)}
    audit.append(session, clock.now(), "request", data=dict(data))


def take_job(ledger: Transactions, kind: str = RESYNC) -> RequestRecord | None:
    """Take the oldest waiting job of a kind, None if there is none."""
    # asked at each tick: a read first, so that an idle daemon takes no write lock
    with ledger.read_one() as session:
        if _NEXT.scalar(session, kind=kind) is None:
            return None
    with ledger.write() as session:
        number = _NEXT.scalar(session, kind=kind)
        if number is None:
            return None
        session.connection().execute(_TAKE, {"number": number})
        return get(session, RequestRecord, number)


_NEXT = Prepared(
    columns(col(RequestRow.id))
    .where(col(RequestRow.state) == NEW, col(RequestRow.kind) == bindparam("kind"))
    .order_by(col(RequestRow.id))
    .limit(1)
)
_TAKE = update(RequestRow).where(col(RequestRow.id) == bindparam("number")).values(state=RUNNING)


def requeue_jobs(ledger: Transactions) -> None:
    """Queue unfinished jobs again; the daemon calls this when it starts and when it ends."""
    with ledger.write() as session:
        session.connection().execute(_GIVE_BACK)


_GIVE_BACK = update(RequestRow).where(col(RequestRow.state) == RUNNING).values(state=NEW)


def report_job_progress(ledger: Transactions, number: int, words: str) -> None:
    """Store a job's progress for the command that waits for it."""
    with ledger.write() as session:
        session.connection().execute(_PROGRESS, {"number": number, "words": words})


_PROGRESS = (
    update(RequestRow).where(col(RequestRow.id) == bindparam("number")).values(progress=bindparam("words"))
)


def answer_of(ledger: Transactions, number: int) -> Result:
    """Return a request's answer; without one, an answer that says so."""
    request = request_of(ledger, number)
    if request is None or request.result is None:
        line = "it could not be done now; the request stays on record"
        return {"lines": [line], "incidents": [], "failed": True}
    return dict(request.result)


def finish_job(ledger: Transactions, number: int, result: Result, clock: Clock) -> None:
    """Store a job's answer."""
    with ledger.write() as session:
        row = session.get(RequestRow, number)
        if row is not None:
            answer_in(session, row, result, clock)
