"""Record a decision: its operations, the values agreed on, the states of the duties.

A newer decision refreshes or drops pending once-operations that it contradicts: syncd does not copy a deleted
note, copies an edited note as it stands now, and sends only the last of several comments about one subject.
The ledger records each dropped operation with the reason.

If syncd cannot read the postmortem or the action items, it records only the operations that the ticket needs;
all others stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.operation import CommentOnTicket, Kind, Operation
from syncd.domain.operation import OperationClass as Class
from syncd.domain.operation.postmortem import DutyIssueComment
from syncd.engine.context import EngineContext
from syncd.engine.notify.mail_history import undecided, untrue
from syncd.engine.notify.security_lead import mail_to_lead, warn_of_untold
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import decisions, outbox
from syncd.ledger.store.change_queue import ChangeNotice
from syncd.ledger.store.decisions import Amendment, Judged, Recorded, RecordingRules
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.communications.cadence import cadence_of
from syncd.policy.decide import decide_unseen
from syncd.policy.exercises import exercise_of
from syncd.policy.postmortem.duties import why_no_postmortem
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
    """Store a decision and remove the change notices that it answers; return the incident's new state.

    `read` is the incident as the case has it. Return None where somebody changed the incident meanwhile.
    """
    now = context.clock.now()
    judged = _judged(read, case, book, decision, notices, fingerprint, now)
    rules, held = _rules(context, case, book)
    recorded = decisions.record(context.ledger, judged, rules, now)
    if recorded is not None:
        _note_held(context, held, book, notices)
        _warn(context, read.id, decision)
    return recorded


def record_unseen(
    context: EngineContext, read: IncidentRecord, case: Case, book: Rulebook
) -> Recorded | None:
    """Store the operations that the ticket needs where syncd cannot read the postmortem or action items.

    The notices stay, and so do pending operations that these do not replace. Return None where somebody
    changed the incident meanwhile.
    """
    now, made = context.clock.now(), list[Decision]()

    def decide(waiting: Sequence[OperationRecord]) -> Decision:
        made.append(decide_unseen(as_if_untried(case, waiting), book))
        return made[-1]

    judged = _judged(read, case, book, Decision(), (), {}, now)
    rules, held = _rules(context, case, book)
    recorded = decisions.record_unseen(context.ledger, judged, decide, rules, now)
    _note_held(context, held, book)
    for decision in made:
        _warn(context, read.id, decision)
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
        no_postmortem=why_no_postmortem(case, book),
        cadence=_cadence(read, case, book),
        exercise=exercise_of(case),
        decision=decision,
        notices=notices,
        severity=severity.name,
        assumed=severity.assumed,
        since=(incident.updated_at or now) if read.severity_periods else incident.created_at,
        settled_fingerprint=fingerprint,
        version=book.mapping.version,
    )


def _cadence(row: IncidentRecord, case: Case, book: Rulebook) -> dict[str, JsonValue] | None:
    """Return the updates of an incident as judged; as on record while its times are not known."""
    cadence = cadence_of(case, book)
    if cadence is None:
        return row.cadence if case.state_changes is None and not case.restricted else None
    return cadence.model_dump(mode="json")


Held = tuple[IncidentRecord, frozenset[str]]
"""An incident, and the keys of its operations that begin as held."""


def _rules(context: EngineContext, case: Case, book: Rulebook) -> tuple[RecordingRules, list[Held]]:
    """Return the rules for recording, and a list that gets what they hold: it counts once it is stored."""
    held: list[Held] = []
    rules = RecordingRules(
        allowed=partial(_allowed, context, book, held),
        amendments=partial(amendments, case),
        lead_mail=partial(mail_to_lead, context),
    )
    return rules, held


def _note_held(
    context: EngineContext, held: Iterable[Held], book: Rulebook, notices: tuple[ChangeNotice, ...] = ()
) -> None:
    for row, keys in held:
        context.brakes.note_held(row, keys, book.mapping.version, notices)


def _warn(context: EngineContext, incident_id: str, decision: Decision) -> None:
    for remark in decision.remarks:
        if remark.rule == LEFT:
            warn_of_untold(context.ledger, incident_id, remark.reason)


def nothing_to_write(
    row: IncidentRecord, operations: Sequence[OperationRecord], decision: Decision, case: Case
) -> bool:
    """Return True if recording the decision would change nothing, so that no transaction is needed."""
    if decision.agreed or decision.remarks or decision.noise_rule != row.noise_rule:
        return False
    if not _up_to_date(case, operations, decision):
        return False
    over = row.status == IncidentStatus.RESOLVED and decision.again is None and not operations
    if over != row.finished or list(decision.dry_run_notes) != row.dry_run_notes:
        return False
    states = [op for op in decision.operations if op.aspect]
    if not outbox.stand_as_decided(operations, states):
        return False
    return all(op.aspect or op.key in case.once for op in decision.operations)


def _allowed(
    context: EngineContext,
    book: Rulebook,
    noted: list[Held],
    row: IncidentRecord,
    has_ticket: bool,
    decision: Decision,
) -> tuple[list[Operation], frozenset[str]]:
    """Return the operations that may be recorded, and the keys of those that a brake holds."""
    operations = [op for op in decision.operations if _may_be_made(context, row, op.kind, book)]
    held = context.brakes.unprovoked(row, has_ticket, operations, book.mapping.version)
    if held:
        noted.append((row, held))
    return operations, held


def _may_be_made(context: EngineContext, row: IncidentRecord, kind: str, book: Rulebook) -> bool:
    """Return True unless a create has to wait for a search.

    An incident older than the ledger, or one that another tool handles too, may have a ticket that this
    ledger does not know. After a restore the creates of postmortems and action items wait until Jira's index
    shows all writes of the lost ledger.
    """
    if kind not in CREATES:
        return True
    older = context.predates_ledger(row.created_at)
    if kind != Kind.CREATE_TICKET:
        return not (older and context.search_index.awaited)
    return row.searched or not (older or book.mapping.coexist is Coexist.ADOPT)


ROUNDED_SECONDS = 1.0
"""Two times that lie closer together count as equal."""


def news(
    row: IncidentRecord,
    items: Sequence[ItemState],
    case: Case,
    book: Rulebook,
    decision: Decision,
    now: datetime,
) -> bool:
    """Return True if the decision changes a duty, why none is owed, an item's facts, or when to decide again.

    `items` are the incident's action items as the case has them.
    """
    again = None if decision.again is None else now + timedelta(seconds=decision.again)
    if (again is None) != (row.due_at is None):
        return True
    # the moment is computed from now, so it always differs by a little
    if again and row.due_at and abs((again - row.due_at).total_seconds()) > ROUNDED_SECONDS:
        return True
    if why_no_postmortem(case, book) != row.no_postmortem or _cadence(row, case, book) != row.cadence:
        return True
    exercise = exercise_of(case)
    if (exercise.since if exercise else None) != row.exercise_at:
        return True
    for item in items:
        facts = decision.facts.get(item.issue_id, {})
        if {**item.facts, **facts} != item.facts:
            return True
    duties = {duty.place: duty for duty in case.duties}
    return any(duties.get(duty.place) != duty for duty in decision.duties)


def as_if_untried(case: Case, rows: Iterable[OperationRecord]) -> Case:
    """Return the case without operations that never left, so that the rules decide them again."""
    rows = list(rows)
    if not rows:
        return case
    return case.model_copy(update={"once": case.once - outbox.untried(rows).keys() - undecided(rows).keys()})


def _up_to_date(case: Case, rows: Iterable[OperationRecord], decision: Decision) -> bool:
    """Return True if the decision wants all waiting operations as they are."""
    rows = list(rows)
    waiting = outbox.untried(rows)
    if any(untrue(rows, decision)):
        return False
    return not any(_gone(case, waiting, decision)) and not any(_changed(waiting, decision))


def amendments(case: Case, decision: Decision, operations: Sequence[OperationRecord]) -> Iterator[Amendment]:
    """Yield the drops and refreshes of pending operations that the decision contradicts.

    `operations` are the incident's operations after the decision was recorded.
    """
    dropped = set()
    for mail, why in untrue(operations, decision):
        dropped.add(mail.key)
        yield Amendment(mail, drop=why)
    waiting = {key: row for key, row in outbox.untried(operations).items() if key not in dropped}
    for operation, op in _changed(waiting, decision):
        yield Amendment(operation, renew=op)
    for operation, why in _gone(case, waiting, decision):
        yield Amendment(operation, drop=why)
        waiting.pop(operation.key)
    for operation in _passed_over(waiting.values()):
        yield Amendment(operation, drop="not sent: a later comment replaces it")


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
    """Yield the operations that the decision does not want any more, with the reason.

    An operation stays while syncd cannot tell that its cause is gone: an unread list of notes proves nothing.
    """
    decided = {op.key for op in decision.operations if op.op_class is Class.ONCE}
    issue = case.ticket.issue if case.ticket else None
    listed = {
        Kind.MIRROR_NOTE: case.notes is not None,
        Kind.MIRROR_COMMENT: issue is not None and issue.comments is not None,
    }
    for key, row in list(waiting.items()):
        # the decision still asks for it
        if key in decided:
            continue
        kind = Kind(row.kind)
        if kind in listed and (case.restricted or listed[kind]):
            yield row, "not sent: the text that it copies is gone"
            continue
        comment = row.operation
        if isinstance(comment, CommentOnTicket) and comment.companion is not None:
            yield row, "not sent: the change that it reports did not happen"
        elif isinstance(comment, DutyIssueComment) and comment.step is not None:
            yield row, "not sent: it is no longer true"


def _passed_over(waiting: Iterable[OperationRecord]) -> Iterator[OperationRecord]:
    last: dict[str, OperationRecord] = {}
    for row in waiting:
        if row.kind != Kind.COMMENT_ON_TICKET:
            continue
        subject = row.typed(CommentOnTicket).subject
        if subject in last:
            yield last[subject]
        last[subject] = row
