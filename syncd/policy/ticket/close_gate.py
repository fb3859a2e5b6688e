"""The close gate: a person closes a ticket while something is owed, and hears what is missing.

It judges a move, once for each new missing duty: closed again with nothing new missing, the ticket stays
closed, and the override is on record with the name. What arises after a proper close never reopens
it (rules: "The postmortem", Close gate). Action items are owed an owner here; that they are done is
tracked beyond the close, because their dates lie weeks ahead. That there are none must be said, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from syncd.domain.base import JsonValue, Value
from syncd.domain.clock import in_utc
from syncd.domain.duty import OWED, Duty, DutyKind
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnTicket, MoveTicket, Operation, StatusBefore, op_of
from syncd.domain.operation.keys import gate_key
from syncd.policy.case import Case, ClosedBy, Decision, Remark, Rulebook, TicketState
from syncd.policy.follow_ups.judge import NONE_LABEL, follow_ups_unsaid
from syncd.policy.marks import mark_in
from syncd.policy.notify.recipients import told_of
from syncd.policy.ticket.revert_counter import in_conflict, print_of
from syncd.policy.ticket.status import left_to_other_tool

GATE = "gate"
"""In what is agreed on a ticket: how its present close was judged."""
HEARD = "gate heard"
"""In what is agreed on a ticket: of which missing things its closes were told so far."""
PROPER = "nothing was owed"
ONLY_TOLD = "told, and left closed"
SEEN_AT_ONCE = timedelta(hours=1)
"""A close that is seen later than this gets the comment only."""
NO_WAY_BACK = "no way back"

_AT_THE_GATE = (DutyKind.SCHEDULED, DutyKind.COMPLETED, DutyKind.OWNED)


class Missing(Value):
    """One thing that is owed when a ticket closes; `line` says what it is and what ends it.

    `since` is when it arose. Where it is not `asked_for`, its rules are in mode `report`: it is judged, and
    nobody hears of it.
    """

    kind: DutyKind | Literal["follow-ups unsaid"]
    subject: str
    line: str
    since: datetime
    asked_for: bool

    @property
    def print(self) -> str:
        """What tells it from other missing things of its incident."""
        return print_of([str(self.kind), self.subject])


def missing_at_a_close(case: Case, book: Rulebook) -> list[Missing]:
    """Return what is owed now, as far as a close depends on it: the gate and the automatic close ask here."""
    owed = [duty for duty in case.latest_duties() if duty.kind in _AT_THE_GATE and duty.state in OWED]
    missing = [_missing(case, book, duty) for duty in owed]
    completed = case.duty(DutyKind.COMPLETED)
    if follow_ups_unsaid(case, book):
        since = (completed and completed.met_at) or case.incident.created_at
        missing.append(
            Missing(
                kind="follow-ups unsaid",
                subject=case.incident.id,
                line=f"No follow-up is recorded: create sub-tasks of {_postmortem(case)}, or set the label"
                f" {NONE_LABEL} on it if none is needed",
                since=since,
                asked_for=book.mapping.follow_ups.mode is Mode.ENFORCE,
            )
        )
    return missing


def _missing(case: Case, book: Rulebook, duty: Duty) -> Missing:
    due = f"due {in_utc(duty.due_at)}"
    waive = f"or get a waiver: syncd waive {case.incident.number} --duty {duty.kind}"
    if duty.kind is DutyKind.SCHEDULED:
        line = f"Postmortem not scheduled ({due}): set an owner and a review date on {_postmortem(case)},"
        line = f"{line} {waive}"
    elif duty.kind is DutyKind.COMPLETED:
        line = f"Postmortem not completed ({due}): write it and close {_postmortem(case)}, {waive}"
    else:
        key = next((item.key for item in case.items if item.issue_id == duty.subject), duty.subject)
        line = f"Action item {key} has no owner ({due}): assign it"
    return Missing(
        kind=duty.kind,
        subject=duty.subject,
        line=line,
        since=duty.started_at,
        asked_for=told_of(duty, book.mapping),
    )


def _postmortem(case: Case) -> str:
    return case.postmortem.key if case.postmortem else "the postmortem"


def decide_gate(case: Case, book: Rulebook) -> Decision:
    """Given a case with its duties judged, return what a close by a person asks for."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or book.mapping.close_gate.mode == "off" or case.before_enforcement:
        return Decision()
    judged = ticket.agreed.get(GATE)
    if issue.status.category != "done" or case.incident.open:
        return Decision(agreed={GATE: None}) if judged is not None else Decision()
    if issue.status.id == ticket.placed_status or not case.duties:
        return Decision()
    closed = ticket.closed
    if judged is not None:
        return _going_back(case, book, ticket, str(judged))
    if closed is None or closed.status != issue.status.id:
        return Decision(look=frozenset({"ticket"}))
    missing = [one for one in missing_at_a_close(case, book) if one.since <= closed.at]
    asked = [one for one in missing if one.asked_for]
    if missing and not asked:
        return Decision(dry_run_notes=_dry_run_note(book, missing))
    if not missing:
        return Decision(agreed={GATE: PROPER})
    return _stopped(case, book, ticket, closed, asked)


def _dry_run_note(book: Rulebook, missing: list[Missing]) -> tuple[str, ...]:
    """Return what the gate would have done, were the rules enforced that it asks for."""
    does = "reopen the ticket and list" if book.mapping.close_gate.mode == "reopen" else "list on the ticket"
    kinds = ", ".join(sorted({str(one.kind) for one in missing}))
    return (f"{does} what is missing: {kinds} (close_gate; the section of these duties is in mode report)",)


def _stopped(
    case: Case, book: Rulebook, ticket: TicketState, closed: ClosedBy, missing: list[Missing]
) -> Decision:
    heard = ticket.agreed.get(HEARD)
    before = [str(one) for one in heard] if isinstance(heard, list) else []
    new = [one for one in missing if one.print not in before]
    which = sha256(repr(sorted((one.kind, one.subject) for one in new)).encode()).hexdigest()[:12]
    key = gate_key(case.incident.id, which)
    if not new or key in case.once or _said_before(ticket, key):
        reason = f"closed again; still missing: {len(missing)}, none of them new"
        return Decision(
            agreed={GATE: "overridden"},
            remarks=(Remark(rule="gate.overridden", reason=reason, by=closed.by or "somebody"),),
        )
    # a ticket that nobody ever moved has no status to go back to
    back = bool(closed.before) and _reopens(case, book) and not _seen_late(case, closed)
    operations: list[Operation] = [_comment(case, closed, missing, key, back=back)]
    if back:
        operations.append(_move_back(case, closed))
    told: list[JsonValue] = [*before, *(one.print for one in new)]
    return Decision(operations=tuple(operations), agreed={GATE: which if back else ONLY_TOLD, HEARD: told})


def _seen_late(case: Case, closed: ClosedBy) -> bool:
    """Return True if people have lived with the close for so long that a way back would surprise them."""
    return case.now is not None and case.now - closed.at > SEEN_AT_ONCE


def _said_before(ticket: TicketState, key: str) -> bool:
    """Whether a ledger that was lost stopped this close already: its comment stands on the ticket."""
    comments = (ticket.issue.comments if ticket.issue else None) or ()
    return ticket.origin == "adopted" and op_of(key) in {mark_in(one.body) for one in comments}


def _reopens(case: Case, book: Rulebook) -> bool:
    """Whether the gate moves the ticket back; on another tool's, or one in conflict, it only comments."""
    conflict = case.ticket is not None and in_conflict(case.ticket.agreed, "status")
    return book.mapping.close_gate.mode == "reopen" and not conflict and not left_to_other_tool(case, book)


def _going_back(case: Case, book: Rulebook, ticket: TicketState, judged: str) -> Decision:
    """A close that was judged: the way back goes on until it is made, as long as something is owed."""
    under_way = gate_key(case.incident.id, judged) in case.once
    if not under_way or not ticket.closed or not ticket.closed.before or not _reopens(case, book):
        return Decision()
    if not any(one.asked_for for one in missing_at_a_close(case, book)):
        return Decision(agreed={GATE: PROPER})
    return Decision(operations=(_move_back(case, ticket.closed),))


def _comment(
    case: Case, closed: ClosedBy, missing: list[Missing], key: str, *, back: bool
) -> CommentOnTicket:
    goes = f" syncd moves it back to {closed.before_name}, if the workflow allows it." if back else ""
    lines = [f"* {one.line}" for one in missing]
    text = (
        f"this ticket was closed, but something is still missing.{goes} If it is closed again as it is, it"
        " stays closed, and syncd records who closed it. Missing:\n" + "\n".join(lines)
    )
    return CommentOnTicket(
        key=key,
        incident=case.incident.id,
        subject="close gate",
        text=text,
        value="",
        reason=f"closed by {'a person' if closed.by else 'somebody'}; still missing: {len(missing)}",
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
