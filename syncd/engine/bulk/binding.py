"""Read what batches created back, a hundred at a time, and bind it to its operations by the marks.

Jira's answer to a batch names no input and promises no order, so only a mark that was read tells whose ticket
an issue is. The read is stored as the ticket's snapshot: nothing is read twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from loguru import logger

from syncd.domain.base import JsonValue
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.ticket import Issue
from syncd.engine.act.find_created import marked_after
from syncd.engine.act.kind import Outcome
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.engine.context import EngineContext
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.database.connection import concerns_all
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirming import ReadBack, confirm_batch
from syncd.remote.errors import RemoteError

READ = 100
"""Issues in one bulk fetch: Jira's limit."""

CREATE = CreateTicketKind()


def bind(context: EngineContext, operations: Sequence[OperationRecord], ids: Sequence[str]) -> list[Issue]:
    """Read issues and confirm the creates whose marks they bear; return the issues that were bound.

    Raise `RemoteError`.
    """
    bound: list[Issue] = []
    for start in range(0, len(ids), READ):
        read_seq, keep = context.ledger.logical_clock.next(), context.shared_reads.updates.keeper()
        issues = context.fetch(ids[start : start + READ]).issues
        confirmed, stored = _confirm(context, operations, issues, read_seq)
        bound += confirmed
        # the search for changed issues names them next
        keep({issue.id: issue.updated for issue in confirmed if issue.id in stored})
    return bound


def look_up(context: EngineContext, operations: Sequence[OperationRecord]) -> list[Issue]:
    """Look creates of unknown outcome up together; bind and return what Jira shows of them.

    The others wait for the settle time and are looked up again. Raise `RemoteError`.
    """
    by_project: dict[str, list[OperationRecord]] = defaultdict(list)
    for operation in operations:
        if isinstance(operation.rendering, RenderedCreate) and operation.probe_from is not None:
            by_project[operation.rendering.project].append(operation)
    bound: list[Issue] = []
    for project, lost in by_project.items():
        marks = marked_after(context, project, min(operation.probe_from or 0 for operation in lost))
        made = [marks[operation.op].id for operation in lost if operation.op in marks]
        bound += bind(context, lost, made)
    return bound


def find_lost(
    context: EngineContext, operations: Sequence[OperationRecord], error: RemoteError
) -> list[OperationRecord]:
    """Mark a batch without an answer as unknown; look its tickets up and bind those that exist.

    Return the creates of which Jira showed no ticket; none if it could not be asked.
    """
    context.health.failed(error.service, error)
    unknown = doubt(context, operations, error.describe())
    logger.warning(
        "unknown whether Jira created a batch of {} tickets ({}); syncd looks them up",
        len(unknown),
        error.describe(),
    )
    try:
        issues = look_up(context, unknown)
    except RemoteError as worse:
        context.health.failed(worse.service, worse)
        return []
    bound = {issue.mark.op for issue in issues if issue.mark is not None}
    return [operation for operation in unknown if operation.op not in bound]


def doubt(context: EngineContext, operations: Sequence[OperationRecord], words: str) -> list[OperationRecord]:
    """Mark creates as unknown, so that syncd looks them up; return them so."""
    context.shared_reads.forget()
    return leaving.mark_unknown(context.ledger, operations, context.clock.now(), context.gave_up(), words)


def _confirm(
    context: EngineContext, operations: Sequence[OperationRecord], issues: Sequence[Issue], read_seq: int
) -> tuple[list[Issue], frozenset[str]]:
    """Confirm the creates with these issues in one transaction; return the issues, none if that fails.

    The second value holds the ids of those that were stored as they were read.
    """
    by_op = {issue.mark.op: issue for issue in issues if issue.mark is not None}
    now, jira_now = context.clock.now(), context.transport.date_of("jira")
    try:
        made = [
            _read_of(context, operation, by_op[operation.op])
            for operation in operations
            if operation.op in by_op
        ]
        stored = confirm_batch(context.ledger, storage_rules(context), made, read_seq, now, jira_now)
    except Exception as error:
        if concerns_all(error):
            raise
        # each is looked up and recorded by itself, so that the one at fault is parked alone
        logger.opt(exception=error).debug("a batch of {}", len(issues))
        logger.warning("syncd could not record a batch of {} tickets: it takes each alone", len(issues))
        return [], frozenset()
    if made:
        logger.info("created {} tickets in one batch", len(made))
    return [read_back.issue for read_back in made], stored


def _read_of(context: EngineContext, operation: OperationRecord, issue: Issue) -> ReadBack:
    """Return a create with its issue as read back; the issue may have its final status already."""
    outcome = Outcome(issue.id, key=issue.key)
    CREATE.learn(context, operation, outcome)
    born = operation.rendered_as(RenderedCreate).born
    state: dict[str, JsonValue] = {"state": born.state} if born is not None else {}
    return ReadBack(
        operation,
        CREATE.confirmation(context, operation, outcome),
        issue,
        born.status if born is not None else None,
        state,
    )
