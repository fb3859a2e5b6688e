"""Decide how often syncd repeats a write that a service refuses, and when the write waits for a person.

- A state operation is decided anew from a fresh read, because the issue may have changed. The second refusal
  in a row is final.
- A once-operation means the same after each read, so the first refusal is final.
- A conflict (409) may pass by itself, and so may a 403 or 404 without the service's words, which a proxy
  wrote: the fifth in a row is final.
- A refusal that names fields is final at once: no fresh read fills them.
- A success that no read has shown is no success: the same write waits for a read, leaves a second time if the
  first had no effect, and then waits for a person.
- A service that is down, a rate limit and an unknown outcome tell nothing about the operation. They are no
  refusals.
"""

from __future__ import annotations

from http import HTTPStatus

from syncd.domain.operation import OperationClass
from syncd.domain.operation.rendered import FieldValues, Rendered, RenderedCreate, RenderedMove, assignee_in
from syncd.engine.act.done_words import answered_words
from syncd.engine.act.kind import retried_at
from syncd.engine.act.notes_refused import KINDS as NOTES
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.errors import CannotRender, NotYet
from syncd.engine.jira_knowledge.project_cache import SEARCH, refuses_search
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.accounts import forget
from syncd.engine.observe.issues import in_projects
from syncd.engine.runtime.troubles import CARRY_OUT
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving, unseen_writes
from syncd.remote.errors import Cause, NotDone, RemoteError

LATER = frozenset({Cause.PAUSED, Cause.UNREACHABLE, Cause.LIMITED, Cause.CREDENTIALS, Cause.REDIRECT})
"""Failures that tell nothing about the operation, so it waits for the service."""
ONCE, STATE, CONFLICT = 1, 2, 5
"""Refusals in a row after which an operation waits for a person."""


def is_final(context: EngineContext, operation: OperationRecord, error: NotDone) -> bool:
    """Return True if an operation that was refused just now waits for a person from now on."""
    # no fresh read fills a field that Jira demands or refuses
    if error.field_errors:
        return True
    once = operation.op_class == OperationClass.ONCE
    refusals = operation.attempts if once else 1 + leaving.refusals_before(context.ledger, operation)
    if error.cause is Cause.CONFLICT or is_proxys(operation, error):
        return refusals >= CONFLICT
    return refusals >= (ONCE if once else STATE)


def is_proxys(operation: OperationRecord, error: NotDone) -> bool:
    """Return True for a 403 or 404 without the service's words: it proves nothing about the operation."""
    # a 403 to a note may concern all notes, which `notes_refused` finds out
    a_notes = error.status == HTTPStatus.FORBIDDEN and operation.kind in NOTES
    return is_unspoken(error) and not a_notes


def is_unspoken(error: NotDone) -> bool:
    """Return True for a 403 or 404 without the service's words: a proxy may hide that a write was done."""
    # a chat answers in words of its own
    if error.in_words or error.service not in SERVICES:
        return False
    return error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


def doubt(context: EngineContext, operation: OperationRecord, error: RemoteError) -> OperationRecord:
    """Mark a once-operation whose outcome nobody knows; return it so."""
    context.shared_reads.forget()
    now, words = context.clock.now(), error.describe()
    (unknown,) = leaving.mark_unknown(context.ledger, [operation], now, context.gave_up(), words)
    return unknown


def doubt_unspoken(context: EngineContext, operation: OperationRecord, error: NotDone) -> OperationRecord:
    """Return a refused operation, as unknown if a page of a proxy may hide that it was carried out.

    Each later try looks for it first.
    """
    once = operation.op_class == OperationClass.ONCE
    return doubt(context, operation, error) if once and is_unspoken(error) else operation


def mind(context: EngineContext, operation: OperationRecord, error: NotDone) -> None:
    """Forget what a refusal may have made out of date; after a proxy's page let the next try come later."""
    # the workflow may have changed: the next attempt asks Jira for its transitions
    if isinstance(operation.rendering, RenderedMove):
        context.facts.forget_ways(operation.rendering.workflow, operation.rendering.from_status)
    if is_proxys(operation, error):
        context.troubles.failed(operation.incident_id, trouble_of(operation), error)


def trouble_of(operation: OperationRecord) -> str:
    """Return the trouble of an operation that cannot leave; it stays the same when syncd decides it anew."""
    which = f" ({operation.aspect})" if operation.aspect else f" {operation.id}"
    return f"{CARRY_OUT}{operation.kind.replace('_', ' ')}{which}"


def stops_team(context: EngineContext, operation: OperationRecord, error: NotDone) -> bool:
    """Return True if Jira takes no issues in a create's project: its team is stopped then.

    Jira refuses so where the project was archived or hidden since the last poll.
    """
    rendered = operation.rendering
    if "project" not in error.field_errors or not isinstance(rendered, RenderedCreate):
        return False
    mappings = [mapping for mapping in context.mappings if mapping.jira.project == rendered.project]
    if not mappings:
        return False
    context.facts.forget_projects()
    try:
        context.facts.look(mappings[0])
        context.services.jira.search(in_projects([rendered.project]), limit=1)
    except MappingMismatch:
        return True
    except RemoteError as refusal:
        if refuses_search(refusal):
            teams = [mapping.team for mapping in mappings]
            context.facts.refuse_project(rendered.project, SEARCH, refusal, teams)
        return True
    return False


def words_of(operation: OperationRecord, error: NotDone) -> str:
    """Return the service's words, and the mapping's keys that would fill what a screen demands."""
    rendered = operation.rendering
    missing = rendered.missing if isinstance(rendered, RenderedMove) else ""
    return f"{error.describe()}; {missing}" if missing else error.describe()


def forget_refused_assignee(context: EngineContext, fields: FieldValues, error: NotDone) -> None:
    """Forget the account behind an assignee that Jira refused, so that its address is looked up again."""
    assignee = assignee_in(fields)
    if "assignee" in error.field_errors and assignee is not None:
        forget(context, assignee)


def refuse_unseen(context: EngineContext, operation: OperationRecord, rendered: Rendered) -> None:
    """Let a write leave again only if the same write before it was seen, or had no effect once.

    Raise `NotYet` until a read tells, and `CannotRender` after the second write without effect, unless an
    operator retries it.
    """
    state = operation.op_class == OperationClass.STATE
    doubt = unseen_writes.doubt(context.ledger, operation, rendered) if state else None
    if doubt is None:
        return
    if not doubt.no_effect:
        raise NotYet
    if retried_at(context, operation) is None:
        raise CannotRender(f"{answered_words(rendered)}: {', '.join(doubt.fields)}")
