"""Writes a decision down: its operations, what is agreed, how the duties stand, in the caller's transaction.

Where what follows the incident cannot be read, what the ticket needs is recorded alone, and what waits stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.operation import OPEN_STATES, Kind, Operation, OperationClass
from syncd.engine.context import Desk
from syncd.engine.notify.security_lead import tell_lead
from syncd.engine.record.pending_operations import as_if_untried, bring_up_to_date, up_to_date
from syncd.ledger.store import audit, outbox, postmortems
from syncd.ledger.store.duties import save_duties, save_label_waivers
from syncd.ledger.store.snapshots import still_as_read, ticket_of
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, OperationRow, TicketRow
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.decide import decide_unseen
from syncd.policy.restricted import LEFT
from syncd.policy.severity import decide_severity
from syncd.policy.ticket.revert_counter import CONFLICT

CREATES = frozenset({Kind.CREATE_TICKET, Kind.CREATE_POSTMORTEM, Kind.CREATE_ACTION_ITEM})


def record(
    session: Session,
    desk: Desk,
    row: IncidentRow,
    case: Case,
    book: Rulebook,
    decision: Decision,
    rest: dict[str, JsonValue],
) -> list[OperationRow]:
    """Write a decision down; return the incident's operations that are open now."""
    incident_id, version = row.id, book.mapping.version
    ticket = ticket_of(session, incident_id) if case.ticket is not None else None
    operations, held = _allowed(desk, session, row, ticket, book, decision)
    waiting = outbox.open_of(session, incident_id)
    made = outbox.record(
        session, incident_id, operations, desk.clock.now(), version, hold=held, waiting=waiting
    )
    rows = [*waiting, *made]
    bring_up_to_date(session, desk, case, decision, rows)
    _keep_agreement(session, desk, incident_id, ticket, decision)
    severity = decide_severity(case.incident, book.mapping, book.section)
    row.severity, row.assumed = severity.name, severity.assumed
    record_duties(session, row, ticket, decision, case, severity.name, desk.clock.now())
    row.would, row.silence = list(decision.would), decision.silence
    over = row.status == IncidentStatus.RESOLVED and decision.again is None
    left = [one for one in rows if one.state in OPEN_STATES]
    row.finished = over and not left
    if not left and not decision.operations:
        row.rest = rest
    session.add(row)
    return left


def record_unseen(
    desk: Desk, read: IncidentRow, case: Case, book: Rulebook
) -> tuple[IncidentRow, list[OperationRow]] | None:
    """Write down what the ticket needs, where what follows the incident cannot be read; the looks stay open.

    What waits stays as it is, except what this replaces. Returns the incident as it was read and its open
    operations; None where somebody changed it meanwhile.
    """
    with desk.ledger.db.write() as session:
        row = still_as_read(session, read)
        if row is None or (row.restricted and not case.restricted):
            return None
        waiting = outbox.open_of(session, row.id)
        decision = decide_unseen(as_if_untried(case, waiting), book)
        places = {(op.object, op.aspect) for op in decision.operations}
        replaced = [one for one in waiting if (one.object, one.aspect) in places]
        ticket = ticket_of(session, row.id) if case.ticket is not None else None
        operations, held = _allowed(desk, session, row, ticket, book, decision)
        now, version = desk.clock.now(), book.mapping.version
        made = outbox.record(session, row.id, operations, now, version, hold=held, waiting=replaced)
        _keep_agreement(session, desk, row.id, ticket, decision)
        return row, [one for one in (*waiting, *made) if one.state in OPEN_STATES]


def nothing_to_write(row: IncidentRow, rows: list[OperationRow], decision: Decision, case: Case) -> bool:
    """Whether recording the decision would change nothing: no transaction is begun then."""
    if decision.agreed or decision.remarks or decision.silence != row.silence:
        return False
    if not up_to_date(case, rows, decision):
        return False
    over = row.status == IncidentStatus.RESOLVED and decision.again is None and not rows
    if over != row.finished or list(decision.would) != row.would:
        return False
    states = {(row.object, row.aspect): row.meaning for row in rows if row.op_class == OperationClass.STATE}
    wanted = {(op.object, op.aspect): op.meaning for op in decision.operations if op.aspect}
    return states == wanted and all(op.aspect or op.key in case.once for op in decision.operations)


def _keep_agreement(
    session: Session, desk: Desk, incident_id: str, ticket: TicketRow | None, decision: Decision
) -> None:
    """What is agreed without a write, and on record what was left and why: it is not decided again."""
    if ticket is not None and decision.agreed:
        _agree(session, ticket, decision.agreed)
    issue = ticket.issue_id if ticket else None
    for remark in decision.remarks:
        if remark.rule == LEFT:
            tell_lead(session, desk, incident_id, remark.reason, issue)
            continue
        kind = CONFLICT if remark.rule == CONFLICT else "left"
        data = _said(session, remark)
        audit.append(session, desk.clock.now(), kind, incident=incident_id, issue=issue, data=data)


def _allowed(
    desk: Desk,
    session: Session,
    row: IncidentRow,
    ticket: TicketRow | None,
    book: Rulebook,
    decision: Decision,
) -> tuple[list[Operation], frozenset[str]]:
    """The operations that may be recorded, and the keys of those that a brake holds."""
    operations = [op for op in decision.operations if _may_be_made(desk, row, op.kind, book)]
    held = desk.brakes.unprovoked(row, ticket is not None, operations, book.mapping.version)
    return operations, held


def _said(session: Session, remark: Remark) -> dict[str, JsonValue]:
    """A remark as the audit trail has it; a person's name is a salted hash."""
    said: dict[str, JsonValue] = {"rule": remark.rule, "reason": remark.reason}
    if remark.aspect is not None:
        said["aspect"] = remark.aspect
    return said if remark.by is None else {**said, "by": audit.salted(session, remark.by)}


def _may_be_made(desk: Desk, row: IncidentRow, kind: str, book: Rulebook) -> bool:
    """A create waits until it was searched whether an incident may have a ticket that we do not know.

    That is one older than the ledger, and any where other tools make tickets too. After a restore, the
    creates of all other issues wait with it until a search can be believed.
    """
    if kind not in CREATES:
        return True
    older = row.created_at < desk.ledger.born
    if kind != Kind.CREATE_TICKET:
        return not (older and desk.patient)
    return row.searched or not (older or book.mapping.coexist is Coexist.ADOPT)


def _agree(session: Session, ticket: TicketRow, agreed: dict[str, JsonValue]) -> None:
    after = {**ticket.agreed, **agreed}
    if after != ticket.agreed:
        ticket.agreed = after
        if "state" in agreed and ticket.snapshot:
            stands = str(ticket.snapshot["status"]["id"])
            if ticket.placed_status is None or _moved_there(session, ticket, stands):
                # where a person moved it first, the daemon put it where it stood before
                first = ticket.closed if ticket.closed and ticket.closed.get("person") else {}
                moved = ticket.placed_status is None and first.get("status") == stands
                ticket.placed_status = str(first["before"]) if moved else stands
        session.add(ticket)


def _moved_there(session: Session, ticket: TicketRow, status: str) -> bool:
    """Whether it stands where a move of ours was to bring it whose answer was lost: then we put it there."""
    row = outbox.perhaps_done(session, f"ticket:{ticket.incident_id}", "status")
    to = (row.rendered or {}).get("to") if row else None
    return isinstance(to, dict) and to.get("id") == status


ROUNDED_SECONDS = 1.0
"""Two moments that are so close to each other are the same."""


def record_duties(
    session: Session,
    row: IncidentRow,
    ticket: TicketRow | None,
    decision: Decision,
    case: Case,
    severity: str,
    now: datetime,
) -> None:
    """Keep how the duties stand, which severity holds and when to decide again, with the decision."""
    save_duties(session, row.id, decision.duties, now)
    save_label_waivers(session, row.id, decision.waivers, now)
    for issue_id, facts in decision.facts.items():
        item = session.get(ActionItemRow, issue_id)
        if item is not None:
            item.facts = {**item.facts, **facts}
            session.add(item)
    incident = case.incident
    postmortems.add_spell(row, severity, (incident.updated_at or now) if row.spells else incident.created_at)
    placed = ticket is not None and ticket.placed_status is not None
    if ticket is not None and placed and ticket.closed is not None and _moved_on(ticket, ticket.closed):
        ticket.closed = None
        session.add(ticket)
    row.due_at = None if decision.again is None else now + timedelta(seconds=decision.again)


def _moved_on(ticket: TicketRow, closed: dict[str, JsonValue]) -> bool:
    """Whether it stands elsewhere than where it was read who had moved it."""
    return ticket.snapshot is None or ticket.snapshot["status"]["id"] != closed["status"]


def news(session: Session, row: IncidentRow, case: Case, decision: Decision, now: datetime) -> bool:
    """Whether recording the decision's duties, or when to decide again, would change anything.

    `case` is as of this transaction.
    """
    again = None if decision.again is None else now + timedelta(seconds=decision.again)
    if (again is None) != (row.due_at is None):
        return True
    if again and row.due_at and abs((again - row.due_at).total_seconds()) > ROUNDED_SECONDS:
        return True
    for issue_id, facts in decision.facts.items():
        item = session.get(ActionItemRow, issue_id)
        if item is not None and {**item.facts, **facts} != item.facts:
            return True
    known = {one.place: one for one in case.duties}
    return any(known.get(one.place) != one for one in decision.duties)
