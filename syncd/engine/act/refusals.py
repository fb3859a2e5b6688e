"""What a service refuses: how often it is asked again, and when it is left to a person. The one rule for all.

A state operation is decided anew from a fresh read, because what it was decided upon may have changed, and is
left to a person when the same is refused a second time in a row. A once-operation means the same after every
read, so the first refusal is final. A conflict may pass by itself and is tried five times. What names fields
is final at once: no fresh read fills them. What says nothing of the operation (a service that is down, a rate
limit, an unknown outcome) is no refusal.
"""

from __future__ import annotations

from syncd.domain.operation import OperationClass
from syncd.domain.operation.rendered import FieldValues, RenderedMove, assignee_in
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import forget
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.leaving import refusals_before
from syncd.remote.errors import Cause, NotDone

LATER = frozenset({Cause.PAUSED, Cause.UNREACHABLE, Cause.LIMITED, Cause.CREDENTIALS, Cause.REDIRECT})
"""Failures that say nothing about the operation: it waits for the service."""
ONCE, STATE, CONFLICT = 1, 2, 5
"""Refusals in a row after which an operation waits for a person."""


def is_final(context: EngineContext, operation: OperationRecord, error: NotDone) -> bool:
    """Return True if an operation that was refused just now waits for a person from now on."""
    if error.field_errors:
        return True
    once = operation.op_class == OperationClass.ONCE
    refusals = operation.attempts if once else 1 + refusals_before(context.ledger, operation)
    if error.cause is Cause.CONFLICT:
        return refusals >= CONFLICT
    return refusals >= (ONCE if once else STATE)


def words_of(operation: OperationRecord, error: NotDone) -> str:
    """The service's words, and what people can do about it."""
    rendered = operation.rendering
    missing = rendered.missing if isinstance(rendered, RenderedMove) else ""
    return f"{error.describe()}; {missing}" if missing else error.describe()


def forget_refused_assignee(context: EngineContext, fields: FieldValues, error: NotDone) -> None:
    """Where Jira refused the assignee of these fields, who that address is in Jira is asked again."""
    assignee = assignee_in(fields)
    if "assignee" in error.field_errors and assignee is not None:
        forget(context, assignee)
