"""Close a ticket when its incident owes nothing any more and the ticket stands where syncd put it.

That happens `closing.after_hours` after the resolve at the earliest. `ticket.status` closes a ticket that
owes nothing from the start, at the resolve. A ticket that it left open in mode `report` is closed here, once
the mode is `enforce`.
"""

from __future__ import annotations

from syncd.domain.duty import DutyKind, DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import MoveTicket
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.ticket.close_gate import missing_at_a_close
from syncd.policy.ticket.revert_counter import in_conflict
from syncd.policy.ticket.status import left_to_other_tool, wanted_word


def decide_closing(case: Case, book: Rulebook) -> Decision:
    """Return the close of the ticket if it is due; the case's duties are judged already."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    resolved, closing = case.incident.resolved_at, book.mapping.closing
    if ticket is None or issue is None or case.incident.open or resolved is None or case.now is None:
        return Decision()
    if (
        closing.mode is Mode.OFF
        or case.before_enforcement
        or left_to_other_tool(case, book)
        or not (_was_owed(case) or wanted_word(case, book) == "closed")
        or _still_owed(case, book)
    ):
        return Decision()
    target = book.project.statuses["closed"]
    # A person moved the ticket since, or the incident changed and another move is to come first.
    stands = issue.status.id == ticket.placed_status and ticket.agreed.get("state") == case.incident.state
    if not stands or issue.status.category == "done" or issue.status.id == target.id:
        return Decision()
    # A person or a robot changed syncd's moves back three times, so syncd leaves the status alone.
    if in_conflict(ticket.agreed, "status"):
        return Decision()
    rest = closing.after_hours * 3600 if _was_owed(case) else 0
    left = rest - (case.now - resolved).total_seconds()
    if left > 0:
        return Decision(again=left)
    if closing.mode is Mode.REPORT:
        return Decision(dry_run_notes=("close the ticket: nothing is owed any more (closing.mode: report)",))
    close = MoveTicket(
        incident=case.incident.id,
        aspect="status",
        word="closed",
        status=target.id,
        state=case.incident.state,
        from_status=issue.status.id,
        reason="nothing is owed any more",
    )
    return Decision(operations=(close,))


def _was_owed(case: Case) -> bool:
    """Return True if the incident ever owed a postmortem or a filing; else `ticket.status` decides."""
    return any(duty.kind in (DutyKind.SCHEDULED, DutyKind.FILED) for duty in case.duties)


def _still_owed(case: Case, book: Rulebook) -> bool:
    # A waived duty is owed again when its waiver ends.
    waived = any(duty.state is DutyState.WAIVED for duty in case.duties)
    return waived or bool(case.unread) or bool(missing_at_a_close(case, book))
