"""The close gate: a person closes a ticket while something is owed, and hears what is missing.

It judges a move, once for each set of missing duties: closed again with the same set missing, the ticket
stays closed, and the override is on record with the name. What arises after a proper close never reopens
it (rules: "The postmortem", Close gate). Action items are owed an owner here; that they are done is
tracked beyond the close, because their dates lie weeks ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from syncd.domain.duty import OWED, Duty, DutyKind
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnTicket, MoveTicket, Operation, StatusBefore, op_of
from syncd.domain.operation.keys import gate_key
from syncd.policy.case import Case, ClosedBy, Decision, Remark, Rulebook, TicketState
from syncd.policy.marks import mark_in
from syncd.policy.ticket.revert_counter import in_conflict
from syncd.policy.ticket.status import left_to_other_tool

GATE = "gate"
"""In what is agreed on a ticket: how its present close was judged."""
PROPER = "nothing was owed"
NO_WAY_BACK = "no way back"

_AT_THE_GATE = (DutyKind.SCHEDULED, DutyKind.COMPLETED, DutyKind.OWNED)


def owed_at_the_gate(case: Case) -> tuple[Duty, ...]:
    """The duties that are owed now, as far as a close depends on them: the latest clock of each."""
    return tuple(one for one in case.latest_duties() if one.kind in _AT_THE_GATE and one.state in OWED)


def _asked_for(one: Duty, book: Rulebook) -> bool:
    """Whether people are asked for a duty at all: in mode `report` it is judged, and nobody hears of it."""
    section = book.mapping.follow_ups if one.kind is DutyKind.OWNED else book.mapping.postmortem
    return section.mode is Mode.ENFORCE


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
    missing = [one for one in owed_at_the_gate(case) if one.started_at <= closed.at]
    asked = [one for one in missing if _asked_for(one, book)]
    if missing and not asked:
        return Decision(dry_run_notes=_dry_run_note(book, missing))
    missing = asked
    if not missing:
        return Decision(agreed={GATE: PROPER})
    return _stopped(case, book, ticket, closed, missing)


def _dry_run_note(book: Rulebook, missing: list[Duty]) -> tuple[str, ...]:
    """What the gate would have done, were the duties enforced that it asks for."""
    does = "reopen the ticket and say" if book.mapping.close_gate.mode == "reopen" else "say on the ticket"
    kinds = ", ".join(sorted({str(one.kind) for one in missing}))
    return (f"{does} what is missing: {kinds} (close_gate; their section is in mode report)",)


def _stopped(
    case: Case, book: Rulebook, ticket: TicketState, closed: ClosedBy, missing: list[Duty]
) -> Decision:
    which = sha256(repr(sorted((one.kind, one.subject) for one in missing)).encode()).hexdigest()[:12]
    key = gate_key(case.incident.id, which)
    if key in case.once or _said_before(ticket, key):
        reason = f"closed again with the same {len(missing)} duties missing"
        return Decision(
            agreed={GATE: f"overridden: {which}"},
            remarks=(Remark(rule="gate.overridden", reason=reason, by=closed.by or "somebody"),),
        )
    # a ticket that nobody ever moved has no status to go back to
    back = bool(closed.before) and _reopens(case, book)
    operations: list[Operation] = [_comment(case, ticket, closed, missing, key, back=back)]
    if back:
        operations.append(_move_back(case, ticket, closed))
    return Decision(operations=tuple(operations), agreed={GATE: which})


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
    if not any(_asked_for(one, book) for one in owed_at_the_gate(case)):
        return Decision(agreed={GATE: PROPER})
    return Decision(operations=(_move_back(case, ticket, ticket.closed),))


def _comment(
    case: Case, ticket: TicketState, closed: ClosedBy, missing: list[Duty], key: str, *, back: bool
) -> CommentOnTicket:
    goes = f" The ticket goes back to {closed.before_name}, where the workflow has a way." if back else ""
    lines = [f"* {line}" for line in _what_is_missing(case, missing)]
    text = (
        f"this ticket was closed while something is owed.{goes} Closed again as it is, it stays closed, and"
        " that is on record with the name.\n" + "\n".join(lines)
    )
    return CommentOnTicket(
        key=key,
        incident=case.incident.id,
        subject="close gate",
        text=text,
        value="",
        reason=f"closed by {'a person' if closed.by else 'somebody'} while {len(missing)} duties are owed",
    )


def _what_is_missing(case: Case, missing: list[Duty]) -> Iterator[str]:
    """Each duty with the one act that ends it."""
    postmortem = case.postmortem.key if case.postmortem else "the postmortem"
    waive = f"or have it waived: syncd waive {case.incident.number}"
    keys = {one.issue_id: one.key for one in case.items}
    for one in missing:
        due = f"due {one.due_at:%Y-%m-%d %H:%M} UTC"
        if one.kind is DutyKind.SCHEDULED:
            yield (
                f"Postmortem not scheduled ({due}): give {postmortem} an owner and the date of the review,"
                f" {waive} --duty scheduled"
            )
        elif one.kind is DutyKind.COMPLETED:
            yield (
                f"Postmortem not completed ({due}): write it and close {postmortem}, {waive} --duty completed"
            )
        else:
            yield f"Action item {keys.get(one.subject, one.subject)} has no owner ({due}): assign it"


def _move_back(case: Case, ticket: TicketState, closed: ClosedBy) -> MoveTicket:
    return MoveTicket(
        incident=case.incident.id,
        aspect="status",
        word="resolved",
        status=closed.before,
        state=case.incident.state,
        from_status=closed.status,
        back=StatusBefore(id=closed.before, name=closed.before_name),
        reason="it was closed while something is owed (close_gate: reopen)",
    )
