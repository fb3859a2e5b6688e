"""Finds out what became of operations whose outcome is unknown.

A look that finds our mark adopts at once. A look that finds nothing proves nothing before the settle
time has passed on the boot-time clock; after it, the operation is sent again. A look that fails is no
look. Over a reboot the settle time starts anew, wall time settles nothing. Mail cannot be looked up at all:
what kind it is says whether it leaves once more (`syncd.engine.act.kinds.send_mail`).
"""

from __future__ import annotations

from loguru import logger

from syncd.domain.operation import OPEN_STATES, OperationClass, OperationState
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.kind import Outcome
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.kinds.send_mail import after_unknown
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.mails import of_keys
from syncd.remote.errors import RemoteError

LOOK_EVERY = 30.0
"""Seconds between two looks for the same operation."""


def remaining(context: EngineContext, operation: OperationRecord) -> float:
    """Seconds until an absence proves something; a row of an earlier boot starts anew (and is restamped)."""
    now = context.gave_up()
    if operation.gave_up_boot_id != now.boot_id or operation.gave_up_boottime is None:
        operation = leaving.restart_settle_time(context.ledger, operation, now)
    since = operation.gave_up_boottime if operation.gave_up_boottime is not None else now.boottime
    return max(0.0, since + context.settle_seconds - now.boottime)


def give_up(context: EngineContext, operation: OperationRecord) -> None:
    """An operation that stands as under way and is not: what became of it is looked up from now on."""
    words = "its outcome could not be recorded"
    leaving.mark_unknown(context.ledger, [operation], context.clock.now(), context.gave_up(), words)


def resolve_unknown(
    context: EngineContext, executor: Executor, operation: OperationRecord
) -> tuple[Verdict, float]:
    """Look for an operation once; return what became of it and the seconds until the next look."""
    if operation.op_class == OperationClass.STATE:
        why, look = "outcome unknown", "a write had an unknown outcome"
        return executor.decide_anew(operation, why, look, unknown=True, error=operation.error), 0.0
    if not KINDS[operation.kind].findable:
        return (Verdict.AGAIN if after_unknown(context, operation) else Verdict.ENDED), 0.0
    wait = remaining(context, operation)
    try:
        found = KINDS[operation.kind].find_outcome(context, operation)
    except DecideAgain:
        return Verdict.WAIT, LOOK_EVERY
    except RemoteError as error:
        context.health.failed(error.service, error)
        return Verdict.WAIT, LOOK_EVERY
    context.health.succeeded(operation.target)
    if found is not None:
        logger.info(
            "{} for {} was carried out after all: {}", operation.kind, operation.incident_id, found.remote_id
        )
        executor.confirm(KINDS[operation.kind], operation, found, 0.0)
        return Verdict.DONE, 0.0
    if wait > 0:
        return Verdict.WAIT, min(wait, LOOK_EVERY)
    words = "not there after the settle time: sent again"
    leaving.put_back(context.ledger, [operation], context.clock.now(), words)
    return Verdict.AGAIN, 0.0


def resolve_told_with_another(
    context: EngineContext, executor: Executor, notice: OperationRecord, carrier_key: str
) -> Verdict:
    """End a notice that another one's mail tells as that mail ended, or have it wait again.

    It waits while nobody knows whether that mail arrived. A mail that certainly did not leave frees it.
    """
    carrier = of_keys(context.ledger, [carrier_key])[0]
    if carrier.state == OperationState.DONE:
        executor.confirm(KINDS[notice.kind], notice, Outcome(carrier.remote_id or ""), 0.0)
        return Verdict.DONE
    now = context.clock.now()
    if not may_have_left(carrier):
        words = "the mail that was to tell it did not leave"
        leaving.put_back(context.ledger, [notice], now, words, anew=True)
        return Verdict.AGAIN
    if carrier.state in OPEN_STATES:
        return Verdict.WAIT
    why = "nobody knows whether the mail arrived that told it, and it is not sent again"
    leaving.end(context.ledger, notice, OperationState.DROPPED, now, why)
    return Verdict.ENDED
