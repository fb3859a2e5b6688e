"""Find out whether operations with an unknown outcome were carried out.

If syncd finds our mark, it adopts the issue or text at once. If it finds nothing, that proves nothing before
the settle time has passed on the boot-time clock: Jira's search lags behind its writes. After the settle time
syncd sends the operation again. A look that fails, or that does not prove our login, tells nothing. A reboot
starts the settle time anew: the boot-time clock begins at zero, and the wall clock may be set. Nobody can
look up a mail or a post: its kind decides whether it leaves once more (`after_unknown`).
"""

from __future__ import annotations

from syncd.domain.operation import OPEN_STATES, OperationClass, OperationState
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.kind import Outcome, look_up
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.refusals import trouble_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.engine.notify.mail_history import may_have_left
from syncd.engine.runtime.waits import awaited_after
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.mails import of_keys
from syncd.ledger.store.names import log_and_name
from syncd.remote.errors import RemoteError

SETTLES = "the end of the settle time: nobody knows yet if it was done"
ANSWERED = "Jira answered that it made the ticket"
"""The begin of the error of a create that was done, but whose ticket was not read: it never leaves again by
itself."""
HIDDEN = (
    f"{ANSWERED}, but does not show it: give syncd's account the right to see it (a security level may hide"
    " it), or move or delete it, before a retry makes another one"
)
LOOK_EVERY = 30.0
"""Seconds between two looks for the same operation."""


def remaining(context: EngineContext, operation: OperationRecord) -> float:
    """Return the seconds until an absence proves something; restart the settle time after a reboot."""
    now = context.gave_up()
    # boot times of two boots cannot be compared
    if operation.gave_up_boot_id != now.boot_id or operation.gave_up_boottime is None:
        operation = leaving.restart_settle_time(context.ledger, operation, now)
    since = operation.gave_up_boottime if operation.gave_up_boottime is not None else now.boottime
    return max(0.0, since + context.settle_seconds - now.boottime)


def give_up(context: EngineContext, operation: OperationRecord) -> None:
    """Mark an operation as unknown that is in flight in the ledger although no request is under way."""
    context.shared_reads.forget()
    words = "syncd could not record the outcome"
    leaving.mark_unknown(context.ledger, [operation], context.clock.now(), context.gave_up(), words)


def resolve_unknown(
    context: EngineContext, executor: Executor, operation: OperationRecord
) -> tuple[Verdict, float]:
    """Look for an operation once; return the verdict and the seconds until the next look."""
    # a fresh read shows if a state operation was done, so nobody looks for it
    if operation.op_class == OperationClass.STATE:
        why, look = "outcome unknown", "a write had an unknown outcome"
        return executor.decide_anew(operation, why, look, unknown=True, error=operation.error), 0.0
    # nobody can look up a mail or a post: its kind decides
    if not KINDS[operation.kind].findable:
        again = KINDS[operation.kind].after_unknown(context, operation)
        return (Verdict.AGAIN if again else Verdict.ENDED), 0.0
    wait = remaining(context, operation)
    try:
        outcome = look_up(context, KINDS[operation.kind], operation)
    except DecideAgain:
        context.waits.store(operation, SETTLES)
        return Verdict.WAIT, LOOK_EVERY
    except RemoteError as error:
        if not context.troubles.failed(operation.incident_id, trouble_of(operation), error):
            context.health.failed(error.service, error)
        context.waits.store(operation, f"{awaited_after(error)}: only a look tells if it was done")
        return Verdict.WAIT, LOOK_EVERY
    context.health.succeeded(operation.service)
    if outcome is not None:
        log, name = log_and_name(context.ledger, operation.incident_id)
        action = operation.kind.replace("_", " ")
        log.info("{}: {} was done after all: syncd found {}", name, action, outcome.remote_id)
        executor.confirm(KINDS[operation.kind], operation, outcome, 0.0, written=False)
        return Verdict.DONE, 0.0
    # Jira's index may still lag behind the create
    if wait > 0:
        context.waits.store(operation, SETTLES)
        return Verdict.WAIT, min(wait, LOOK_EVERY)
    if operation.error is not None and operation.error.startswith(ANSWERED):
        return executor.park(operation, HIDDEN), 0.0
    words = "not found when the settle time was over: sent again"
    leaving.put_back(context.ledger, [operation], context.clock.now(), words)
    return Verdict.AGAIN, 0.0


def resolve_told_with_another(
    context: EngineContext, executor: Executor, notice: OperationRecord, carrier_key: str
) -> Verdict:
    """End a notice that left in another notice's mail as that mail ended, or let it wait again.

    It waits while nobody knows whether that mail arrived. If that mail certainly did not leave, the notice
    may leave by itself.
    """
    carrier = of_keys(context.ledger, [carrier_key])[0]
    if carrier.state == OperationState.DONE:
        executor.confirm(KINDS[notice.kind], notice, Outcome(carrier.remote_id or ""), 0.0)
        return Verdict.DONE
    now = context.clock.now()
    # the mail certainly did not leave, so the notice may leave by itself
    if not may_have_left(carrier):
        words = "the mail with this notice did not leave"
        leaving.put_back(context.ledger, [notice], now, words, anew=True)
        return Verdict.AGAIN
    # the carrier's own outcome decides for both
    if carrier.state in OPEN_STATES:
        context.waits.store(notice, f"the mail that carries it (operation {carrier.id})")
        return Verdict.WAIT
    why = "nobody knows whether the mail with this notice arrived, and it is not sent again"
    leaving.end(context.ledger, notice, OperationState.DROPPED, now, why)
    return Verdict.ENDED
