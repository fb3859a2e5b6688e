"""What Jira refused of a ticket's state: asked once more after a fresh read, then left to a person.

A state operation that was refused is decided anew, because a transition may have changed since it was
read. Deciding the same again and being refused again would go on for ever, so refusals in a row are
counted for each ticket and aspect. The count lives in memory: after a restart it costs one more request.
"""

from __future__ import annotations

from syncd.domain.operation import EditTicket, MoveTicket
from syncd.domain.operation.postmortem import DutyIssueEdit
from syncd.domain.operation.rendered import FieldValues, assignee_in
from syncd.engine.act.kind import shown
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.observe.accounts import forget
from syncd.ledger.records import OperationRecord
from syncd.remote.errors import Cause, NotDone

AT_MOST = {Cause.REJECTED: 2, Cause.MISSING: 2, Cause.FORBIDDEN: 2, Cause.CONFLICT: 5}
"""Refusals in a row after which an operation is parked; other failures are the service's."""


def place(operation: OperationRecord) -> str:
    """What of a ticket an operation is about."""
    return f"{operation.object}/{operation.aspect}"


def _goal(operation: OperationRecord) -> str:
    decided = operation.operation
    if isinstance(decided, MoveTicket):
        return decided.status
    return str(decided.agree) if isinstance(decided, EditTicket | DutyIssueEdit) else ""


def stop_where_refused(context: EngineContext, operation: OperationRecord) -> None:
    """Raise `CannotRender` with Jira's words where an operation was refused often enough."""
    words = context.facts.trail(place(operation), _goal(operation)).words
    if words:
        context.facts.end_trail(place(operation))
        raise CannotRender(words)


def note_refusal(context: EngineContext, operation: OperationRecord, error: NotDone, hint: str = "") -> None:
    """Jira refused an operation; `hint` says what people can do about it.

    A refusal that names fields is final at once: no fresh read fills them.
    """
    error = shown(context, operation, error)
    limit = AT_MOST.get(error.cause)
    if limit is None:
        return
    trail = context.facts.trail(place(operation), _goal(operation))
    trail.refusals += 1
    if error.field_errors or trail.refusals >= limit:
        trail.words = f"{error.describe()}; {hint}" if hint else error.describe()


def forget_refused_assignee(context: EngineContext, fields: FieldValues, error: NotDone) -> None:
    """Where Jira refused the assignee of these fields, who that address is in Jira is asked again."""
    assignee = assignee_in(fields)
    if "assignee" in error.field_errors and assignee is not None:
        forget(context, assignee)
