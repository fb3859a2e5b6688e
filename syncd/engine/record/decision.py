"""Writes a decision down: its operations, what is agreed, how the duties stand.

Where what follows the incident cannot be read, what the ticket needs is recorded alone, and what waits stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from loguru import logger

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.operation import Kind, Operation
from syncd.engine.context import EngineContext
from syncd.engine.notify.security_lead import mail_to_lead
from syncd.engine.record.pending_operations import amendments, as_if_untried, up_to_date
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import decisions, outbox
from syncd.ledger.store.change_queue import ChangeNotice
from syncd.ledger.store.decisions import Judged, Recorded, Rules
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.decide import decide_unseen
from syncd.policy.restricted import LEFT
from syncd.policy.severity import decide_severity

CREATES = frozenset({Kind.CREATE_TICKET, Kind.CREATE_POSTMORTEM, Kind.CREATE_ACTION_ITEM})


def record(
    context: EngineContext,
    read: IncidentRecord,
    case: Case,
    book: Rulebook,
    decision: Decision,
    notices: tuple[ChangeNotice, ...],
    fingerprint: dict[str, JsonValue],
) -> Recorded | None:
    """Write a decision down with the notices that it answers; return how the incident stands then.

    `read` is the incident as the case has it. None where somebody changed it meanwhile.
    """
    now = context.clock.now()
    judged = _judged(read, case, book, decision, notices, fingerprint, now)
    recorded = decisions.record(context.ledger, judged, _rules(context, case, book), now)
    if recorded is not None:
        _warn(read.id, decision)
    return recorded


def record_unseen(
    context: EngineContext, read: IncidentRecord, case: Case, book: Rulebook
) -> Recorded | None:
    """Store what the ticket needs where what follows the incident cannot be read; the notices stay.

    What waits stays as it is, except what this replaces. None where somebody changed it meanwhile.
    """
    now, made = context.clock.now(), list[Decision]()

    def decide(waiting: Sequence[OperationRecord]) -> Decision:
        made.append(decide_unseen(as_if_untried(case, waiting), book))
        return made[-1]

    judged = _judged(read, case, book, Decision(), (), {}, now)
    recorded = decisions.record_unseen(context.ledger, judged, decide, _rules(context, case, book), now)
    for decision in made:
        _warn(read.id, decision)
    return recorded


def _judged(
    read: IncidentRecord,
    case: Case,
    book: Rulebook,
    decision: Decision,
    notices: tuple[ChangeNotice, ...],
    fingerprint: dict[str, JsonValue],
    now: datetime,
) -> Judged:
    severity, incident = decide_severity(case.incident, book.mapping, book.section), case.incident
    return Judged(
        read=read,
        restricted=case.restricted,
        has_ticket=case.ticket is not None,
        decision=decision,
        notices=notices,
        severity=severity.name,
        assumed=severity.assumed,
        since=(incident.updated_at or now) if read.severity_periods else incident.created_at,
        settled_fingerprint=fingerprint,
        version=book.mapping.version,
    )


def _rules(context: EngineContext, case: Case, book: Rulebook) -> Rules:
    return Rules(
        allowed=partial(_allowed, context, book),
        amendments=partial(amendments, case),
        lead_mail=partial(mail_to_lead, context),
    )


def _warn(incident_id: str, decision: Decision) -> None:
    for remark in decision.remarks:
        if remark.rule == LEFT:
            logger.bind(incident=incident_id).warning(
                "the security lead has to hear of {}: {}", incident_id, remark.reason
            )


def nothing_to_write(
    row: IncidentRecord, operations: Sequence[OperationRecord], decision: Decision, case: Case
) -> bool:
    """Whether recording the decision would change nothing: no transaction is begun then."""
    if decision.agreed or decision.remarks or decision.noise_rule != row.noise_rule:
        return False
    if not up_to_date(case, operations, decision):
        return False
    over = row.status == IncidentStatus.RESOLVED and decision.again is None and not operations
    if over != row.finished or list(decision.dry_run_notes) != row.dry_run_notes:
        return False
    states = [op for op in decision.operations if op.aspect]
    if not outbox.stand_as_decided(operations, states):
        return False
    return all(op.aspect or op.key in case.once for op in decision.operations)


def _allowed(
    context: EngineContext, book: Rulebook, row: IncidentRecord, has_ticket: bool, decision: Decision
) -> tuple[list[Operation], frozenset[str]]:
    """The operations that may be recorded, and the keys of those that a brake holds."""
    operations = [op for op in decision.operations if _may_be_made(context, row, op.kind, book)]
    held = context.brakes.unprovoked(row, has_ticket, operations, book.mapping.version)
    return operations, held


def _may_be_made(context: EngineContext, row: IncidentRecord, kind: str, book: Rulebook) -> bool:
    """A create waits until it was searched whether an incident may have a ticket that we do not know.

    That is one older than the ledger, and any where other tools make tickets too. After a restore, the
    creates of all other issues wait with it until a search can be believed.
    """
    if kind not in CREATES:
        return True
    older = context.predates_ledger(row.created_at)
    if kind != Kind.CREATE_TICKET:
        return not (older and context.search_index.awaited)
    return row.searched or not (older or book.mapping.coexist is Coexist.ADOPT)


ROUNDED_SECONDS = 1.0
"""Two moments that are so close to each other are the same."""


def news(
    row: IncidentRecord, items: Sequence[ItemState], case: Case, decision: Decision, now: datetime
) -> bool:
    """Whether recording the decision's duties, or when to decide again, would change anything.

    `items` are the incident's action items as the case has them.
    """
    again = None if decision.again is None else now + timedelta(seconds=decision.again)
    if (again is None) != (row.due_at is None):
        return True
    if again and row.due_at and abs((again - row.due_at).total_seconds()) > ROUNDED_SECONDS:
        return True
    for item in items:
        facts = decision.facts.get(item.issue_id, {})
        if {**item.facts, **facts} != item.facts:
            return True
    known = {duty.place: duty for duty in case.duties}
    return any(known.get(duty.place) != duty for duty in decision.duties)
