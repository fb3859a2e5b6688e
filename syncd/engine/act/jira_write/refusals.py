"""What Jira refused of a ticket's state: asked once more after a fresh read, then left to a person.

A state operation that was refused is decided anew, because a transition may have changed since it was
read. Deciding the same again and being refused again would go on for ever, so refusals in a row are
counted for each ticket and aspect. The count lives in memory: after a restart it costs one more request.
"""

from __future__ import annotations

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.operation import EditTicket, MoveTicket
from syncd.domain.operation.postmortem import DutyIssueEdit
from syncd.engine.act.jira_write.field_values import key_to_add
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.kind import Outcome, Rendered, mark_of, shown
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


def sent_fields(rendered: Rendered) -> dict[str, JsonValue]:
    """The fields of a rendered create; raises `CannotRender` where it holds none."""
    fields = rendered["fields"]
    if not isinstance(fields, dict):
        raise CannotRender("the rendered request holds no fields")
    return fields


def create_issue(context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
    """Send one create with its mark; an assignee whom Jira refuses is looked up again.

    Raises `NotDone` or `Unknown`.
    """
    fields = sent_fields(rendered)
    try:
        created = context.services.jira.create(fields, mark_of(context, operation))
    except NotDone as error:
        forget_refused_assignee(context, fields, error)
        raise
    return Outcome(created.id, {"key": created.key})


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


def forget_refused_assignee(context: EngineContext, fields: dict[str, JsonValue], error: NotDone) -> None:
    """Where Jira refused the assignee of these fields, who that address is in Jira is asked again."""
    assignee = fields.get("assignee")
    if "assignee" in error.field_errors and isinstance(assignee, dict):
        forget(context, str(assignee.get("accountId") or assignee.get("name")))


def with_keys_to_add(
    context: EngineContext, operation: OperationRecord, fields: dict[str, JsonValue], error: NotDone
) -> NotDone:
    """The refusal of a create, with the mapping's keys that would fill what Jira demands of it."""
    unfilled = [name for name in error.field_errors if name not in fields]
    if not unfilled:
        return error
    _, book = incident_and_book(context, operation)
    known = book.project.fields
    hint = key_to_add([known.get(name) or FieldFacts(id=name, name="") for name in unfilled])
    return NotDone(
        error.service,
        error.request,
        error.cause,
        "; ".join(part for part in (error.message, hint) if part),
        status=error.status,
        field_errors=error.field_errors,
        retry_after=error.retry_after,
        scope=error.scope,
    )
