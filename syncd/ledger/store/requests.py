"""What people asked for at the command line: written, taken, answered.

What only changes the ledger is answered at once (`syncd.ledger.requests`). What reads the services first (a
resync) is an errand: the executor takes it and says how far it has come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.clock import Clock
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import RequestRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import get
from syncd.ledger.store.tables import RequestRow

Result = dict[str, Any]

RESYNC, RELOAD, REPORT = "resync", "reload", "report.send"
JOBS = frozenset({RESYNC, RELOAD, REPORT})
"""Requests that take their time and are worked through outside any transaction."""
NEW, RUNNING, DONE = "new", "running", "done"


def ask(ledger: Transactions, kind: str, arguments: dict[str, Any], who: str, now: datetime) -> int:
    """Store what somebody asks for and return the request's number."""
    row = RequestRow(kind=kind, arguments=arguments, asked_by=who, asked_at=now)
    with ledger.write() as session:
        session.add(row)
        session.flush()
        return row.id or 0


def request_of(ledger: Transactions, number: int) -> RequestRecord | None:
    """Return a request as it stands, None where there is none of this number."""
    with ledger.read() as session:
        return get(session, RequestRecord, number)


def waiting_in(session: Session) -> list[int]:
    """Return the numbers of the requests that nobody has answered, without the errands."""
    return list(session.connection().scalars(_WAITING))


_WAITING = columns(col(RequestRow.id)).where(
    col(RequestRow.state) == NEW, col(RequestRow.kind).not_in(sorted(JOBS))
)


def answer_in(session: Session, row: RequestRow, result: Result, clock: Clock) -> None:
    """Write down a request's answer, and that it was answered."""
    row.result, row.state, row.finished_at = result, DONE, clock.now()
    session.add(row)
    data = {"kind": row.kind, "by": audit.salted(session, row.asked_by)}
    audit.append(session, clock.now(), "request", data=dict(data))


def take_job(ledger: Transactions, kind: str = RESYNC) -> RequestRecord | None:
    """Take the oldest errand of a kind that nobody works on; None: there is none."""
    with ledger.read() as session:
        if session.connection().scalar(_NEXT, {"kind": kind}) is None:
            return None
    with ledger.write() as session:
        number = session.connection().scalar(_NEXT, {"kind": kind})
        if number is None:
            return None
        session.connection().execute(_TAKE, {"number": number})
        return get(session, RequestRecord, number)


_NEXT = (
    columns(col(RequestRow.id))
    .where(col(RequestRow.state) == NEW, col(RequestRow.kind) == bindparam("kind"))
    .order_by(col(RequestRow.id))
    .limit(1)
)
_TAKE = update(RequestRow).where(col(RequestRow.id) == bindparam("number")).values(state=RUNNING)


def requeue_jobs(ledger: Transactions) -> None:
    """Make errands new again that did not come to their end: at the start and at the end."""
    with ledger.write() as session:
        session.connection().execute(_GIVE_BACK)


_GIVE_BACK = update(RequestRow).where(col(RequestRow.state) == RUNNING).values(state=NEW)


def report_job_progress(ledger: Transactions, number: int, words: str) -> None:
    """Say how far an errand has come, for whoever waits for it."""
    with ledger.write() as session:
        session.connection().execute(_PROGRESS, {"number": number, "words": words})


_PROGRESS = (
    update(RequestRow).where(col(RequestRow.id) == bindparam("number")).values(progress=bindparam("words"))
)


def answer_of(ledger: Transactions, number: int) -> Result:
    """Return a request's answer; that of one without an answer says so."""
    request = request_of(ledger, number)
    if request is None or request.result is None:
        said = "it could not be done now; the request stays on record"
        return {"lines": [said], "incidents": [], "failed": True}
    return dict(request.result)


def finish_job(ledger: Transactions, number: int, result: Result, clock: Clock) -> None:
    """Write an errand's answer down."""
    with ledger.write() as session:
        row = session.get(RequestRow, number)
        if row is not None:
            answer_in(session, row, result, clock)
