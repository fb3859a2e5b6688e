"""Record a decision: its operations and agreements, in one transaction with the change notices it answers.

The engine hands in the rules that judge what the transaction reads (`RecordingRules`): which operations may
be made, which a brake holds, which are untrue by now. They are pure functions of records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, literal, update
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OPEN_STATES, Operation, OperationState
from syncd.domain.operation.base import object_of_ticket
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import audit, holds, operation_states, outbox
from syncd.ledger.store.change_queue import ChangeNotice, drop_notices_in
from syncd.ledger.store.loading import get
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.postmortems import save_duties, save_label_waivers
from syncd.ledger.store.severity_periods import with_severity
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, OperationRow, TicketRow
from syncd.policy.case import ClosedBy, Decision, Remark, TicketState
from syncd.policy.exercises import ExerciseFacts
from syncd.policy.restricted import LEFT
from syncd.policy.ticket.revert_counter import CONFLICT, CONFLICT_OVER

MailToLead = tuple[Sequence[Operation], str]
"""The mails to the security lead and their deputy, and the version of the rules that name the lead."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of a waiting operation: drop it, with the reason, or give it the meaning of `renew`."""

    operation: OperationRecord
    drop: str | None = None
    renew: Operation | None = None


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """The engine's rules for recording a decision; pure functions.

    `allowed`: given the incident, True if it has a ticket, and the decision, return the operations that may
    be recorded and the keys of those that begin as held. `amendments`: given the decision and the incident's
    operations, return the changes of those that wait. `lead_mail`: given the incident and why a restricted
    ticket has no security level, return the mail to the security lead.
    """

    allowed: Callable[[IncidentRecord, bool, Decision], tuple[list[Operation], frozenset[str]]]
    amendments: Callable[[Decision, Sequence[OperationRecord]], Iterable[Amendment]]
    lead_mail: Callable[[IncidentRecord, str], MailToLead | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision with the facts that are stored beside it.

    `read` is the incident as the decision saw it; `restricted` and `has_ticket` come from its case. The
    incident has had its `severity` since `since` (UTC). `no_postmortem` is why it owes none, `exercise` why
    it is an exercise; `cadence` are its updates as judged. `settled_fingerprint` describes the incident while
    nothing is left to do for it.
    """

    read: IncidentRecord
    restricted: bool
    has_ticket: bool
    no_postmortem: str | None
    cadence: dict[str, JsonValue] | None
    exercise: ExerciseFacts | None
    decision: Decision
    notices: tuple[ChangeNotice, ...]
    severity: str
    assumed: bool
    since: datetime
    settled_fingerprint: dict[str, JsonValue]
    version: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An incident and its open operations, as they are after a decision was recorded."""

    incident: IncidentRecord
    operations: list[OperationRecord]


def record(ledger: Transactions, judged: Judged, rules: RecordingRules, now: datetime) -> Recorded | None:
    """Store a decision's operations, agreements and duties, and drop the change notices that it answers.

    Return None and store nothing if the incident became restricted since: the decision may hold texts.
    """
    decision = judged.decision
    with ledger.write() as session:
        stands = _still_as_read(session, judged)
        if stands is None:
            return None
        incident = stands.incident
        # only these: a notice that came meanwhile asks for another decision
        drop_notices_in(session, judged.notices)
        operations, held = rules.allowed(incident, stands.issue is not None, decision)
        if held:
            holds.end_mass_if_gone(session)
        rows = open_operations_in(session, incident.id) if stands.has_work else []
        rows = outbox.record(session, operations, now, judged.version, hold=held, waiting=rows)
        rows = amend(session, rows, rules.amendments(decision, rows), now)
        ticket = _keep_agreement(session, stands, decision, rules, now)
        keep_duties(session, incident.id, ticket, decision, now)
        if any(remark.rule == LEFT for remark in decision.remarks):
            # the mail to the security lead leaves with the others
            rows = open_operations_in(session, incident.id)
        left = _still_open(rows)
        return Recorded(_keep_verdict(session, incident, judged, left, now), left)


def record_unseen(
    ledger: Transactions,
    judged: Judged,
    decide: Callable[[Sequence[OperationRecord]], Decision],
    rules: RecordingRules,
    now: datetime,
) -> Recorded | None:
    """Store the operations that a ticket needs while its postmortem and action items cannot be read.

    `decide` returns that decision, given the open operations. Waiting operations stay, unless the decision
    replaces them. The change notices stay, too, so that a full decision follows. Return None and store
    nothing if the incident became restricted since.
    """
    with ledger.write() as session:
        stands = _still_as_read(session, judged)
        if stands is None:
            return None
        incident = stands.incident
        rows = open_operations_in(session, incident.id)
        decision = decide(rows)
        # other waiting operations may rest on the issues that cannot be read now: they stay
        places = {(op.object, op.aspect) for op in decision.operations}
        replaced = [row for row in rows if (row.object, row.aspect) in places]
        stay = [row for row in rows if (row.object, row.aspect) not in places]
        operations, held = rules.allowed(incident, stands.issue is not None, decision)
        after = outbox.record(session, operations, now, judged.version, hold=held, waiting=replaced)
        _keep_agreement(session, stands, decision, rules, now)
        return Recorded(incident, _still_open(sorted([*stay, *after], key=lambda row: row.id)))


def record_notices(
    ledger: Transactions,
    incident_id: str,
    operations: Sequence[Operation],
    amendments: Callable[[Sequence[OperationRecord]], Iterable[Amendment]],
    now: datetime,
    version: str,
) -> None:
    """Record the operations of notices beside an incident's decisions, and amend its open operations."""
    with ledger.write() as session:
        outbox.add(session, operations, now, version)
        rows = open_operations_in(session, incident_id)
        amend(session, rows, amendments(rows), now)


def drop_notices(ledger: Transactions, notices: Iterable[ChangeNotice]) -> None:
    """Drop change notices that need no decision."""
    with ledger.write() as session:
        drop_notices_in(session, notices)


@dataclass(frozen=True, slots=True)
class _Stands:
    """An incident as it is now, the id of its ticket, if that was closed, and if an operation is open."""

    incident: IncidentRecord
    issue: str | None
    closed: bool
    has_work: bool


def _still_as_read(session: Session, judged: Judged) -> _Stands | None:
    """Return how an incident stands now, None if it is gone or if the decision missed its restriction."""
    read = judged.read
    row = _SINCE.first(session, incident=read.id)
    if row is None:
        return None
    *current, issue, closed, has_work = row
    # these columns tell whether the whole row, which is large, must be read again
    unchanged = current == [read.read_seq, read.restricted, read.notes_read_seq, read.finished]
    incident = read if unchanged else get(session, IncidentRecord, read.id)
    if incident is None or (incident.restricted and not judged.restricted):
        return None
    return _Stands(incident, issue if judged.has_ticket else None, closed is not None, has_work)


_SINCE = Prepared(
    columns(
        col(IncidentRow.read_seq),
        col(IncidentRow.restricted),
        col(IncidentRow.notes_read_seq),
        col(IncidentRow.finished),
        col(TicketRow.issue_id),
        col(TicketRow.closed),
        exists().where(
            col(OperationRow.incident_id) == bindparam("incident"),
            col(OperationRow.state).in_([literal(str(state)) for state in OPEN_STATES]),
        ),
    )
    .select_from(IncidentRow)
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(IncidentRow.id) == bindparam("incident"))
)


def _still_open(rows: Iterable[OperationRecord]) -> list[OperationRecord]:
    return [row for row in rows if row.state in OPEN_STATES]


def amend(
    session: Session, rows: Sequence[OperationRecord], amendments: Iterable[Amendment], now: datetime
) -> list[OperationRecord]:
    """Drop or renew waiting operations among these rows; return all of them as they are afterwards."""
    by_id = {row.id: row for row in rows}
    for amendment in amendments:
        row = by_id[amendment.operation.id]
        if amendment.renew is not None:
            row = operation_states.renew(session, row, amendment.renew, now)
        if amendment.drop is not None:
            row = operation_states.finish(session, row, OperationState.DROPPED, now, why=amendment.drop)
        by_id[row.id] = row
    return list(by_id.values())


def _keep_agreement(
    session: Session, stands: _Stands, decision: Decision, rules: RecordingRules, now: datetime
) -> TicketState | None:
    """Store what is agreed without a write, and record each remark with its reason.

    Return the ticket if there is one and the decision may have to change it.
    """
    incident, issue, ticket = stands.incident, stands.issue, None
    # it is large, and most decisions leave it as it is
    if issue is not None and (decision.agreed or stands.closed):
        ticket = get(session, TicketState, incident.id)
    if ticket is not None and decision.agreed:
        ticket = _agree(session, ticket, decision.agreed)
    for remark in decision.remarks:
        # a restricted ticket lacks its security level: a person has to act, so syncd mails the lead
        if remark.rule == LEFT:
            mail = rules.lead_mail(incident, remark.reason)
            tell_lead_in(session, incident.id, remark.reason, issue, mail, now)
            continue
        kind = remark.rule if remark.rule in (CONFLICT, CONFLICT_OVER) else "left"
        audit.append(session, now, kind, incident=incident.id, issue=issue, data=_spelled(session, remark))
    return ticket


def tell_lead_in(
    session: Session,
    incident_id: str,
    why: str,
    issue: str | None,
    mail: MailToLead | None,
    now: datetime,
) -> None:
    """Record that a restricted issue has no security level, and queue the `mail` to the security lead.

    The event `restricted.untold` names the incident and holds none of its texts.
    """
    audit.append(session, now, "restricted.untold", incident=incident_id, issue=issue, data={"why": why})
    if mail is not None:
        operations, version = mail
        outbox.add(session, operations, now, version)


def _spelled(session: Session, remark: Remark) -> dict[str, JsonValue]:
    """Return a remark as the audit trail has it; a person's name is a salted hash."""
    data: dict[str, JsonValue] = {"rule": remark.rule, "reason": remark.reason}
    if remark.aspect is not None:
        data["aspect"] = remark.aspect
    return data if remark.by is None else {**data, "by": audit.salted(session, remark.by)}


def _agree(session: Session, ticket: TicketState, agreed: dict[str, JsonValue]) -> TicketState:
    after = {**ticket.agreed, **agreed}
    if after == ticket.agreed:
        return ticket
    values: dict[str, Any] = {"agreed": after}
    if "state" in agreed and ticket.issue is not None:
        status_id = ticket.issue.status.id
        if ticket.placed_status is None or _moved_there(session, ticket, status_id):
            # if a person made the first move, syncd had placed the ticket in the status before that move
            first = ticket.closed if ticket.closed is not None and ticket.closed.person else None
            moved = ticket.placed_status is None and first is not None and first.status == status_id
            values["placed_status"] = first.before if moved and first is not None else status_id
    return _change_ticket(session, ticket, values)


def _change_ticket(session: Session, ticket: TicketState, values: dict[str, Any]) -> TicketState:
    _CHANGE_TICKET.change(session, this_ticket=ticket.incident_id, **values)
    return ticket.model_copy(update=values)


def _moved_there(session: Session, ticket: TicketState, status: str) -> bool:
    """Return True if the ticket is in the status to which a move of ours with a lost answer would bring it.

    Then syncd counts as the one that moved it.
    """
    row = outbox.perhaps_done(session, object_of_ticket(ticket.incident_id), "status")
    to = (row.rendered or {}).get("to") if row else None
    return isinstance(to, dict) and to.get("id") == status


def keep_duties(
    session: Session, incident_id: str, ticket: TicketState | None, decision: Decision, now: datetime
) -> None:
    """Store a decision's duties, waivers and facts about action items."""
    save_duties(session, incident_id, decision.duties, now)
    save_label_waivers(session, incident_id, decision.waivers, now)
    for issue_id, facts in decision.facts.items():
        stored = _FACTS.scalar(session, item=issue_id)
        if stored is not None and {**stored, **facts} != stored:
            _CHANGE_FACTS.change(session, this_item=issue_id, facts={**stored, **facts})
    placed = ticket is not None and ticket.placed_status is not None
    # the ticket left the status: the next close has to be read again from the changelog
    if ticket is not None and placed and ticket.closed is not None and _moved_on(ticket, ticket.closed):
        _change_ticket(session, ticket, {"closed": None})


def _moved_on(ticket: TicketState, closed: ClosedBy) -> bool:
    """Return True if the ticket left the status whose last mover is stored."""
    return ticket.issue is None or ticket.issue.status.id != closed.status


def _keep_verdict(
    session: Session,
    incident: IncidentRecord,
    judged: Judged,
    left: Sequence[OperationRecord],
    now: datetime,
) -> IncidentRecord:
    """Store the severity, the notes of rules in `report`, and when to decide again."""
    decision, again = judged.decision, judged.decision.again
    # a moment for another decision, an open operation or a judgement to come keeps a resolved one unfinished
    over = incident.status == IncidentStatus.RESOLVED and again is None and not incident.provisional
    values: dict[str, Any] = {
        "severity": judged.severity,
        "assumed": judged.assumed,
        "dry_run_notes": list(decision.dry_run_notes),
        "noise_rule": decision.noise_rule,
        "no_postmortem": judged.no_postmortem,
        "cadence": judged.cadence,
        "exercise": judged.exercise.why if judged.exercise else None,
        "exercise_by": judged.exercise.by if judged.exercise else None,
        "exercise_at": judged.exercise.since if judged.exercise else None,
        "finished": over and not left,
        "severity_periods": with_severity(incident.severity_periods, judged.severity, judged.since),
        "due_at": None if again is None else now + timedelta(seconds=again),
        # while work is left, keep the fingerprint of the last moment without work
        "settled_fingerprint": incident.settled_fingerprint
        if left or decision.operations
        else judged.settled_fingerprint,
    }
    changed = {name: value for name, value in values.items() if value != getattr(incident, name)}
    if changed:
        _CHANGE_INCIDENT.change(session, this_incident=incident.id, **changed)
    if "exercise_at" in changed:
        told: dict[str, JsonValue] = {"reason": values["exercise"] or "it is no exercise any more"}
        if values["exercise_by"] is not None:
            told["by"] = audit.salted(session, values["exercise_by"])
        audit.append(session, now, "incident.exercise", incident=incident.id, data=told)
    if {"severity", "assumed"} & changed.keys():
        # with this row an export shows without the ledger that a file, or a severity in it, was changed
        data: dict[str, JsonValue] = {
            "number": incident.number,
            "created_at": incident.created_at.isoformat(),
            "severity": judged.severity,
            "assumed": judged.assumed,
            "since": values["severity_periods"][-1]["since"],
            "restricted": incident.restricted,
        }
        audit.append(session, now, "severity.decided", incident=incident.id, data=data)
    return replace(incident, **changed)


_INCIDENTS = SQLModel.metadata.tables["incident"]
_TICKETS = SQLModel.metadata.tables["ticket"]
_CHANGE_INCIDENT = Prepared(update(_INCIDENTS).where(_INCIDENTS.c.id == bindparam("this_incident")))
_CHANGE_TICKET = Prepared(update(_TICKETS).where(_TICKETS.c.incident_id == bindparam("this_ticket")))
_FACTS = Prepared(columns(col(ActionItemRow.facts)).where(col(ActionItemRow.issue_id) == bindparam("item")))
_ITEMS = SQLModel.metadata.tables["action_item"]
_CHANGE_FACTS = Prepared(update(_ITEMS).where(_ITEMS.c.issue_id == bindparam("this_item")))
