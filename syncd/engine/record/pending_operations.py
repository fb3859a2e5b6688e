"""Once-operations that wait and never left say what is true when they leave, or nothing.

What waited for a pause, a release or a service is decided again with everything else: a note that was
deleted is not copied, one that was edited is copied as it stands now, and of several words about the same
thing only the last go out. What was passed over is on record as dropped, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from syncd.domain.operation import CommentOnTicket, Kind, Operation
from syncd.domain.operation import OperationClass as Class
from syncd.domain.operation.postmortem import DutyIssueComment
from syncd.engine.notify.mail_history import undecided, untrue
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.decisions import Amendment
from syncd.policy.case import Case, Decision


def as_if_untried(case: Case, rows: Iterable[OperationRecord]) -> Case:
    """The case as it is for the rules if what never left were not on record yet."""
    rows = list(rows)
    return case.model_copy(update={"once": case.once - outbox.untried(rows).keys() - undecided(rows).keys()})


def up_to_date(case: Case, rows: Iterable[OperationRecord], decision: Decision) -> bool:
    """Whether what waits is what the decision wants."""
    rows = list(rows)
    waiting = outbox.untried(rows)
    if any(untrue(rows, decision)):
        return False
    return not any(_gone(case, waiting, decision)) and not any(_changed(waiting, decision))


def amendments(case: Case, decision: Decision, operations: Sequence[OperationRecord]) -> Iterator[Amendment]:
    """What of an incident's operations is dropped because it is no longer true, and what is renewed.

    `operations` are as they stand after the decision was recorded.
    """
    dropped = set()
    for mail, why in untrue(operations, decision):
        dropped.add(mail.key)
        yield Amendment(mail, drop=why)
    waiting = {key: one for key, one in outbox.untried(operations).items() if key not in dropped}
    for operation, op in _changed(waiting, decision):
        yield Amendment(operation, renew=op)
    for operation, why in _gone(case, waiting, decision):
        yield Amendment(operation, drop=why)
        waiting.pop(operation.key)
    for operation in _passed_over(waiting.values()):
        yield Amendment(operation, drop="not sent: a later word says it")


def _changed(
    waiting: dict[str, OperationRecord], decision: Decision
) -> Iterator[tuple[OperationRecord, Operation]]:
    for op in decision.operations:
        row = waiting.get(op.key)
        mirrors = op.kind in (Kind.MIRROR_NOTE, Kind.MIRROR_COMMENT)
        if row is not None and mirrors and not outbox.means_the_same(op, row):
            yield row, op


def _gone(
    case: Case, waiting: dict[str, OperationRecord], decision: Decision
) -> Iterator[tuple[OperationRecord, str]]:
    """What the decision does not want any more, where its cause can be told to be gone."""
    wanted = {op.key for op in decision.operations if op.op_class is Class.ONCE}
    issue = case.ticket.issue if case.ticket else None
    listed = {
        Kind.MIRROR_NOTE: case.notes is not None,
        Kind.MIRROR_COMMENT: issue is not None and issue.comments is not None,
    }
    for key, row in list(waiting.items()):
        if key in wanted:
            continue
        kind = Kind(row.kind)
        if kind in listed and (case.restricted or listed[kind]):
            yield row, "not sent: what it would have copied is not there any more"
            continue
        comment = row.operation
        if isinstance(comment, CommentOnTicket) and comment.companion is not None:
            yield row, "not sent: what it speaks of did not happen"
        elif isinstance(comment, DutyIssueComment) and comment.step is not None:
            yield row, "not sent: it is not so any more"


def _passed_over(waiting: Iterable[OperationRecord]) -> Iterator[OperationRecord]:
    last: dict[str, OperationRecord] = {}
    for row in waiting:
        if row.kind != Kind.COMMENT_ON_TICKET:
            continue
        subject = row.typed(CommentOnTicket).subject
        if subject in last:
            yield last[subject]
        last[subject] = row
