"""Finds out what became of operations whose outcome is unknown.

A look that finds our mark adopts at once. A look that finds nothing proves nothing before the settle
time has passed on the boot-time clock; after it, the operation is sent again. A look that fails is no
look. Over a reboot the settle time starts anew, wall time settles nothing. Mail cannot be looked up at all:
what kind it is says whether it leaves once more (`syncd.engine.act.kinds.send_mail`).
"""

from __future__ import annotations

from loguru import logger

from syncd.domain.operation import OperationClass, Target
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.kinds.send_mail import after_unknown
from syncd.engine.act.kinds_by_name import ACTS
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import OperationRow
from syncd.remote.errors import RemoteError

LOOK_EVERY = 30.0
"""Seconds between two looks for the same operation."""


def remaining(desk: Desk, row: OperationRow) -> float:
    """Seconds until an absence proves something; a row of an earlier boot starts anew (and is restamped)."""
    now = desk.gave_up()
    if row.gave_up_boot_id != now.boot_id or row.gave_up_boottime is None:
        with desk.ledger.db.write() as session:
            session.add(row)
            row.gave_up_boot_id, row.gave_up_boottime = now.boot_id, now.boottime
    since = row.gave_up_boottime if row.gave_up_boottime is not None else now.boottime
    return max(0.0, since + desk.settle_seconds - now.boottime)


def give_up(desk: Desk, row: OperationRow) -> None:
    """An operation that stands as under way and is not: what became of it is looked up from now on."""
    with desk.ledger.db.write() as session:
        session.add(row)
        outbox.settle(session, row, desk.clock.now(), desk.gave_up(), "its outcome could not be recorded")


def settle(desk: Desk, executor: Executor, row: OperationRow) -> tuple[Verdict, float]:
    """Look for an operation once; return what became of it and the seconds until the next look."""
    if row.op_class == OperationClass.STATE:
        return _decide_anew(desk, row), 0.0
    if not ACTS[row.kind].findable:
        return (Verdict.AGAIN if after_unknown(desk, row) else Verdict.ENDED), 0.0
    wait = remaining(desk, row)
    try:
        found = ACTS[row.kind].look(desk, row)
    except DecideAgain:
        return Verdict.WAIT, LOOK_EVERY
    except RemoteError as error:
        desk.health.failed(error.service, error)
        return Verdict.WAIT, LOOK_EVERY
    desk.health.succeeded(row.target)
    if found is not None:
        logger.info("{} for {} was carried out after all: {}", row.kind, row.incident_id, found.remote_id)
        executor.confirm(ACTS[row.kind], row, found, 0.0)
        return Verdict.DONE, 0.0
    if wait > 0:
        return Verdict.WAIT, min(wait, LOOK_EVERY)
    with desk.ledger.db.write() as session:
        session.add(row)
        outbox.put_back(session, row, desk.clock.now(), "not there after the settle time: sent again")
    return Verdict.AGAIN, 0.0


def _decide_anew(desk: Desk, row: OperationRow) -> Verdict:
    with desk.ledger.db.write() as session:
        session.add(row)
        outbox.end_unknown(session, row, desk.clock.now(), "outcome unknown")
        moment = desk.ledger.moments.next()
        why = "a write had an unknown outcome"
        jira = row.target == Target.JIRA
        look_again(session, [row.incident_id], desk.clock.now(), moment, why, ticket=jira)
    return Verdict.ENDED
