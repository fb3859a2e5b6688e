"""The close gate: when a person closes a ticket while something is owed, syncd lists what is missing.

QRPay runbook, "Post-Incident": schedule the postmortem within 48 hours; "Post-Incident Actions": assign the
follow-up tasks. The gate judges a move, once for each new missing duty; one that is owed anew after a
reopening is new. If a person closes the ticket again and nothing new is missing, the ticket stays closed and
syncd records the override with the person's name. A duty that arises after a proper close never reopens the
ticket.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from syncd.domain.base import JsonValue, Value, texts_in
from syncd.domain.clock import in_utc
from syncd.domain.duty import NOT_VISIBLE, OWED, Duty, DutyKind
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnTicket, MoveTicket, Operation, StatusBefore, op_of
from syncd.domain.operation.keys import gate_key
from syncd.domain.text import counted
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, ClosedBy, Decision, DutyIssueState, Remark, Rulebook, TicketState
from syncd.policy.duty_words import BY_RULE, out_of_sight
from syncd.policy.exercises import read_ticket_first
from syncd.policy.follow_ups.duties import active
from syncd.policy.follow_ups.judge import NONE_LABEL, follow_ups_unsaid
from syncd.policy.marks import mark_in
from syncd.policy.notify.recipients import told_of
from syncd.policy.ticket.revert_counter import in_conflict, print_of
from syncd.policy.ticket.status import closed_by_us, left_to_other_tool
from syncd.policy.ticket.unseen_writes import on_ticket

GATE = "gate"
"""In the agreed values of a ticket: the verdict on its present close."""
HEARD = "gate heard"
"""In the agreed values of a ticket: hashes of the missing duties that the gate's comments listed so far."""
OVERRIDES = "gate overrides"
"""In the agreed values of a ticket: the overrides, with names, which the audit trail has only as hashes."""
PROPER = "nothing was owed"
ONLY_TOLD = "told, and left closed"
ROBOTS = "closed again by a robot"
SEEN_AT_ONCE = timedelta(hours=1)
"""If syncd sees a close later than this, it comments and does not reopen the ticket."""
NO_WAY_BACK = "no way back"

# An action item needs an owner before the close, but not its completion: its due date lies weeks ahead.
_AT_THE_GATE = (DutyKind.SCHEDULED, DutyKind.COMPLETED, DutyKind.OWNED, DutyKind.FILED)


class Missing(Value):
    """A duty that is owed when a person closes the ticket: `what` is missing, and `how` to get it.

    `since` is the time at which it arose. On another `clock` it is another duty. If it is not `asked_for`,
    its rules are in mode `report`: syncd judges the duty and tells nobody.
    """

    kind: DutyKind | Literal["follow-ups unsaid"]
    subject: str
    clock: int
    what: str
    how: str
    since: datetime
    asked_for: bool

    @property
    def print(self) -> str:
        """A hash of kind, subject and clock: it identifies the missing duty within its incident."""
        return print_of([str(self.kind), self.subject, self.clock])


def missing_at_a_close(case: Case, book: Rulebook) -> list[Missing]:
    """Return the missing duties on which a close depends, for the gate and for the automatic close."""
    owed = [duty for duty in case.latest_duties() if duty.kind in _AT_THE_GATE and duty.state in OWED]
    missing = [_missing(case, book, duty) for duty in owed]
    completed = case.duty(DutyKind.COMPLETED)
    if follow_ups_unsaid(case, book):
        since = (completed and completed.met_at) or case.incident.created_at
        missing.append(
            Missing(
                kind="follow-ups unsaid",
                subject=case.incident.id,
                clock=completed.clock if completed else 0,
                what="no follow-up is recorded",
                how=f"create sub-tasks of {_postmortem(case)}, or set the label {NONE_LABEL} on it if none is"
                " needed",
                since=since,
                asked_for=book.mapping.follow_ups.mode is Mode.ENFORCE,
            )
        )
    return missing


def _missing(case: Case, book: Rulebook, duty: Duty) -> Missing:
    waive = f"or get a waiver: syncd waive {case.incident.number} --duty {duty.kind}"
    issue: DutyIssueState | None = case.postmortem
    if duty.kind is DutyKind.SCHEDULED:
        what = "postmortem not scheduled"
        how = f"set an owner and a review date on {_postmortem(case)}, {waive}"
    elif duty.kind is DutyKind.COMPLETED:
        what, how = "postmortem not completed", f"write it and close {_postmortem(case)}, {waive}"
    elif duty.kind is DutyKind.FILED:
        issue, what, how = None, f"regulatory filing {duty.subject} not made", duty.remedy
    else:
        issue = item = case.item(duty.subject)
        key = item.key if item is not None else duty.subject
        what, how = f"action item {key} has no owner", "assign it"
        if item is not None and item.issue is not None and active(item.issue.assignee):
            what = f"action item {key} was {BY_RULE}"
            how = "its owner changes it or comments on it, or another person assigns it"
    what = f"{what} (due {in_utc(duty.due_at)})"
    if duty.unseen and issue is not None:
        # Nobody can do anything on an issue that syncd cannot see.
        what, how = f"{what}, {NOT_VISIBLE}", out_of_sight(issue.key, issue.deleted_by, issue.moved_by)
    return Missing(
        kind=duty.kind,
        subject=duty.subject,
        clock=duty.clock,
        what=what,
        how=how,
        since=duty.started_at,
        asked_for=duty.kind is DutyKind.FILED or told_of(duty, book.mapping),
    )


def _postmortem(case: Case) -> str:
    return case.postmortem.key if case.postmortem else "the postmortem"


def decide_gate(case: Case, book: Rulebook) -> Decision:
    """Return the gate's answer to a close by a person; the case's duties are judged already."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or book.mapping.close_gate.mode == "off" or case.before_enforcement:
        return Decision()
    judged = ticket.agreed.get(GATE)
    # The ticket or the incident is open again, so the gate judges the next close anew.
    if issue.status.category != "done" or case.incident.open:
        return Decision(agreed={GATE: None}) if judged is not None else Decision()
    if not case.duties or _nobody_to_judge(case, book, ticket, issue):
        return Decision()
    # What is missing may have been done on an issue that syncd cannot read now: judge the close later.
    if case.unread:
        return Decision()
    closed = ticket.closed
    if judged is None and on_ticket(case, ("status",)) and closed is not None and not closed.ours:
        # Jira took the move back and did not do it: no person closed the ticket again.
        return _back_again(case, book, issue.status.id, closed)
    if judged is not None:
        return _continue_reopen(case, book, ticket, str(judged))
    # Only the changelog says who closed the ticket and when.
    if closed is None or not closed.shows(issue):
        return read_ticket_first(case)
    return _judge_close(case, book, ticket, closed)


def _nobody_to_judge(case: Case, book: Rulebook, ticket: TicketState, issue: Issue) -> bool:
    """Return True if syncd closed the ticket and no person closed it again since.

    The changelog is asked for only where the answer matters.
    """
    ours, closed = closed_by_us(ticket, issue), ticket.closed
    unread = ours is None or (closed is not None and not closed.shows(issue))
    if unread and ticket.placed_status == issue.status.id:
        return not missing_at_a_close(case, book)
    return bool(ours)


def _judge_close(case: Case, book: Rulebook, ticket: TicketState, closed: ClosedBy) -> Decision:
    # A duty that arose after the close does not make the close wrong.
    missing = [duty for duty in missing_at_a_close(case, book) if duty.since <= closed.at]
    asked = [duty for duty in missing if duty.asked_for]
    # A person may have done it just before the close: say nothing from reads that are older.
    unread = _read_before(case, closed.at) if missing else frozenset()
    if unread:
        return Decision(look=unread)
    if missing and not asked:
        return Decision(dry_run_notes=_dry_run_note(book, missing))
    if not missing:
        return Decision(agreed={GATE: PROPER})
    return _answer_close(case, book, ticket, closed, asked)


def _read_before(case: Case, closed_at: datetime) -> frozenset[str]:
    """Return the parts of the case that syncd has not read since the close."""
    # Jira's time of the close says nothing about our reads then.
    if case.skew:
        return frozenset()
    items = [item for item in case.items if item.ended_at is None]
    parts: dict[str, list[DutyIssueState]] = {
        "postmortem": [case.postmortem] if case.postmortem is not None else [],
        "items": [*items],
    }
    return frozenset(
        part
        for part, states in parts.items()
        if any(
            state.in_sight and (state.changes_until is None or state.changes_until < closed_at)
            for state in states
        )
    )


def _dry_run_note(book: Rulebook, missing: list[Missing]) -> tuple[str, ...]:
    """Return the words for the gate's act if the section of the missing duties had the mode `enforce`."""
    does = "reopen the ticket and list" if book.mapping.close_gate.mode == "reopen" else "list on the ticket"
    kinds = ", ".join(sorted({str(duty.kind) for duty in missing}))
    return (f"{does} what is missing: {kinds} (close_gate; the section of these duties is in mode report)",)


def _answer_close(
    case: Case, book: Rulebook, ticket: TicketState, closed: ClosedBy, missing: list[Missing]
) -> Decision:
    heard = ticket.agreed.get(HEARD)
    before = texts_in(heard)
    new = [duty for duty in missing if duty.print not in before]
    which = sha256(repr(sorted((duty.kind, duty.subject, duty.clock) for duty in new)).encode()).hexdigest()[
        :12
    ]
    key = gate_key(case.incident.id, which)
    # A ticket that nobody ever moved has no status to go back to.
    back = bool(closed.before) and _reopens(case, book) and not _seen_late(case, closed)
    listed_before = not new or key in case.once or _commented_before(ticket, key)
    if listed_before and closed.robot:
        # Only a person may override the gate. The ticket goes back, without another comment.
        again = (_move_back(case, closed),) if back else ()
        return Decision(operations=again, agreed={GATE: ROBOTS if back else ONLY_TOLD})
    if listed_before:
        # The gate listed these already. To close the ticket again is the person's decision.
        return _override(case, ticket, closed, missing)
    operations: list[Operation] = [_comment(case, closed, missing, key, back=back)]
    if back:
        operations.append(_move_back(case, closed))
    told: list[JsonValue] = [*before, *(duty.print for duty in new)]
    return Decision(operations=tuple(operations), agreed={GATE: which if back else ONLY_TOLD, HEARD: told})


def _override(case: Case, ticket: TicketState, closed: ClosedBy, missing: list[Missing]) -> Decision:
    """Put the override on record: in the audit trail, and with the person's name beside the ticket."""
    by, still = closed.by or "somebody", "; ".join(duty.what for duty in missing)
    before = ticket.agreed.get(OVERRIDES)
    override: dict[str, JsonValue] = {
        "by": by,
        "at": closed.at.isoformat(),
        "recorded_at": (case.now or closed.at).isoformat(),
        "missing": still,
    }
    reason = f"closed again; still missing: {still}"
    return Decision(
        agreed={
            GATE: "overridden",
            OVERRIDES: [*(before if isinstance(before, list) else []), override],
        },
        remarks=(Remark(rule="gate.overridden", reason=reason, by=by),),
    )


def _seen_late(case: Case, closed: ClosedBy) -> bool:
    """Return True if the close is so old that a reopened ticket would surprise people."""
    return case.now is not None and case.now - closed.at > SEEN_AT_ONCE


def _commented_before(ticket: TicketState, key: str) -> bool:
    """Return True if the gate's comment is on the ticket already, written under a ledger that is lost."""
    comments = (ticket.issue.comments if ticket.issue else None) or ()
    return ticket.origin == "adopted" and op_of(key) in {mark_in(comment.body) for comment in comments}


def _reopens(case: Case, book: Rulebook) -> bool:
    """Return True if the gate may move the ticket back: not if another tool moves it or it is in conflict."""
    conflict = case.ticket is not None and in_conflict(case.ticket.agreed, "status")
    return book.mapping.close_gate.mode == "reopen" and not conflict and not left_to_other_tool(case, book)


def _continue_reopen(case: Case, book: Rulebook, ticket: TicketState, judged: str) -> Decision:
    """Decide the move back again until it is done, as long as something is owed."""
    under_way = judged == ROBOTS or gate_key(case.incident.id, judged) in case.once
    if not under_way or not ticket.closed or not ticket.closed.before or not _reopens(case, book):
        return Decision()
    # People supplied the missing things meanwhile, so the close is proper now.
    if not any(duty.asked_for for duty in missing_at_a_close(case, book)):
        return Decision(agreed={GATE: PROPER})
    return Decision(operations=(_move_back(case, ticket.closed),))


def _back_again(case: Case, book: Rulebook, status: str, closed: ClosedBy) -> Decision:
    if closed.status != status or not closed.before or not _reopens(case, book):
        return Decision()
    owed = any(duty.asked_for for duty in missing_at_a_close(case, book))
    return Decision(operations=(_move_back(case, closed),)) if owed else Decision()


def _comment(
    case: Case, closed: ClosedBy, missing: list[Missing], key: str, *, back: bool
) -> CommentOnTicket:
    goes = f" syncd moves it back to {closed.before_name}, if the workflow allows it." if back else ""
    lines = [f"* {duty.what[:1].upper()}{duty.what[1:]}: {duty.how}" for duty in missing]
    text = (
        f"this ticket was closed, but something is still missing.{goes} If it is closed again as it is, it"
        " stays closed, and syncd records who closed it. Missing:\n" + "\n".join(lines)
    )
    who = "a person" if closed.by else "somebody"
    return CommentOnTicket(
        key=key,
        incident=case.incident.id,
        subject="close gate",
        text=text,
        value="",
        reason=f"closed by {who}; still missing: {counted(len(missing), 'duty')}",
    )


def _move_back(case: Case, closed: ClosedBy) -> MoveTicket:
    return MoveTicket(
        incident=case.incident.id,
        aspect="status",
        word="resolved",
        status=closed.before,
        state=case.incident.state,
        from_status=closed.status,
        back=StatusBefore(id=closed.before, name=closed.before_name),
        reason="it was closed while something is missing (close_gate: reopen)",
    )
