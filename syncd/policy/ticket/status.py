"""The ticket's status follows the incident's state, and leaves people's own moves alone.

A ticket is moved only when its incident's state changed since both sides last agreed, and then at once. Only
flapping is damped: a move back to a status that the ticket left less than five minutes ago waits. A status
that the mapping does not name belongs to people; a ticket that a person closed is not pulled back; an
acknowledgement that times out changes nothing; what owes nothing is closed only where the mapping
switches closing on; what was merged, and what a reopen took out of a merge again, is in another state even
where both ends are resolved; the status of a ticket that another tool made is that tool's where the mapping
says so (rules: "The ticket").
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.domain.base import JsonValue
from syncd.domain.incident import MERGED, IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import MoveTicket
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, Decision, Remark, Rulebook, TicketState
from syncd.policy.postmortem.fulfilment import review_field, written_by_a_person
from syncd.policy.postmortem.owed import counts_for_another, owed_postmortem
from syncd.policy.ticket.revert_counter import Agreed, in_conflict

FLAPPING = timedelta(minutes=5)
"""A move back to a status waits until the ticket left it so long ago (rules: "The ticket", Status)."""

OTHER_TOOL = "other tool"
"""Agreed on a ticket that another tool made, and whose status that tool moves (`coexist: adopt`)."""

_LEFT = "left"
"""In what is agreed on a ticket: when it left each status (by id) that it left a moment ago."""
_TIMED_OUT = (IncidentStatus.ACKNOWLEDGED, IncidentStatus.TRIGGERED)


def wanted_word(case: Case, book: Rulebook) -> str:
    """Which of the mapping's four words the ticket ought to stand at for the incident's state."""
    incident = case.incident
    if incident.status is not IncidentStatus.RESOLVED:
        return incident.status
    closing = book.mapping.closing.mode is Mode.ENFORCE and _owes_nothing(case, book)
    # nothing is owed for what was over before the rules began, and nobody would ever close its ticket
    backfilled = case.before_enforcement and book.mapping.backfill.tickets == "all"
    return "closed" if closing or backfilled else "resolved"


def _owes_nothing(case: Case, book: Rulebook) -> bool:
    """What was merged into another incident owes nothing any more: the other one's ticket counts.

    What owes a postmortem by its worst severity, or by what was merged into it, is not closed at the resolve.
    """
    if counts_for_another(case):
        # whose postmortem a person already wrote is left open until somebody says which of the two counts
        return not written_by_a_person(case.postmortem, review_field(book))
    return owed_postmortem(case, book) is None


def with_left(agreed: Agreed, status: str, at: datetime) -> dict[str, JsonValue]:
    """Return what is agreed on a ticket that left a status at a moment; older moments are dropped."""
    recent = {name: left for name, left in _left_at(agreed).items() if at - left < FLAPPING}
    recent[status] = max(at, recent.get(status, at))
    return {**agreed, _LEFT: {name: left.isoformat() for name, left in recent.items()}}


def _left_at(agreed: Agreed) -> dict[str, datetime]:
    known = agreed.get(_LEFT)
    statuses = known if isinstance(known, dict) else {}
    return {status: datetime.fromisoformat(str(at)) for status, at in statuses.items()}


def _flapping_until(case: Case, ticket: TicketState, target: str) -> datetime | None:
    """Return until when a move back to a status waits; None: the ticket did not leave it a moment ago."""
    left = _left_at(ticket.agreed).get(target)
    if left is None or case.now is None:
        return None
    until = left + FLAPPING
    # Jira's clock may stand a little before ours; where it is far off, nothing is held by it
    return until if case.now < until <= case.now + 2 * FLAPPING else None


def decide_status(case: Case, book: Rulebook) -> Decision:
    """Given a case with a ticket that was read, return the move that its state asks for, if any."""
    return _move(case, book).plus(Decision(dry_run_notes=_would_close(case, book)))


def _move(case: Case, book: Rulebook) -> Decision:
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or "status" in ticket.refused:
        return Decision()
    if in_conflict(ticket.agreed, "status"):
        return Decision()
    state = case.incident.state
    same, astray = same_state(str(ticket.agreed.get("state")), state), _late_move(case)
    if same and not astray:
        return Decision()
    word = wanted_word(case, book)
    target = book.project.statuses[word]
    agreed: dict[str, JsonValue] = {"state": state}
    if left_to_other_tool(case, book):
        return Decision(agreed=agreed)
    if issue.status.id == target.id:
        return Decision(agreed=agreed)
    asked = astray or _perhaps_closed_by_a_person(ticket, issue)
    if _first_move_unknown(case, book) or (asked and not _known_who_moved(ticket, issue)):
        return Decision(look=frozenset({"ticket"}))
    if same and not _moved_by_us(ticket):
        return Decision()
    reason = _left(case, book)
    if reason:
        return Decision(agreed=agreed, remarks=(Remark(rule="status", reason=reason),))
    reason = f"the incident is {case.incident.status}"
    # what a late move of ours did is taken back at once: it is no flapping of the incident
    until = None if astray else _flapping_until(case, ticket, target.id)
    if until is not None:
        why = "the ticket left this status less than five minutes ago"
        reason += f"; {why}, so the move waits until {until:%H:%M:%S} UTC"
    move = MoveTicket(
        incident=case.incident.id,
        aspect="status",
        word=word,
        status=target.id,
        state=state,
        from_status=issue.status.id,
        not_before=until,
        reason=reason,
    )
    wait = (until - case.now).total_seconds() if until is not None and case.now is not None else None
    return Decision(operations=(move,), again=wait)


def _late_move(case: Case) -> bool:
    """Whether the ticket stands where a move of ours was to bring it whose answer was lost.

    It may have arrived long after it was given up, when the incident was in another state already.
    """
    ticket = case.ticket
    if ticket is None or ticket.issue is None or ticket.placed_status == ticket.issue.status.id:
        return False
    return case.attempted.get("status") == ticket.issue.status.id


def _perhaps_closed_by_a_person(ticket: TicketState, issue: Issue) -> bool:
    """Whether it stands at a done status where we did not put it: its changelog says who did.

    A read that lags may show it where it was before a move of ours. Where an adopted one stands, people
    put it.
    """
    if ticket.origin == "adopted":
        return False
    return issue.status.category == "done" and ticket.placed_status != issue.status.id


def _known_who_moved(ticket: TicketState, issue: Issue) -> bool:
    return ticket.closed is not None and ticket.closed.status == issue.status.id


def _moved_by_us(ticket: TicketState) -> bool:
    return ticket.closed is not None and ticket.closed.ours


def same_state(before: str, state: str) -> bool:
    """Whether an incident is in the state of before; an acknowledgement that timed out is no other one."""
    return before == state or (before, state) == _TIMED_OUT


def left_to_other_tool(case: Case, book: Rulebook) -> bool:
    """Whether another tool made the ticket and moves it."""
    made_by_it = case.ticket is not None and bool(case.ticket.agreed.get(OTHER_TOOL))
    return made_by_it and book.mapping.coexist is Coexist.ADOPT


def _would_close(case: Case, book: Rulebook) -> tuple[str, ...]:
    """What `closing` in mode `report` would have done instead."""
    issue = case.ticket.issue if case.ticket else None
    over = case.incident.status is IncidentStatus.RESOLVED
    if issue is None or issue.status.category == "done" or left_to_other_tool(case, book):
        return ()
    if over and book.mapping.closing.mode is Mode.REPORT and _owes_nothing(case, book):
        return ("close the ticket at the resolve: nothing is owed (closing.mode: report)",)
    return ()


def _first_move_unknown(case: Case, book: Rulebook) -> bool:
    """Whether it is to be read who moved a ticket that we made, and never placed, to where it stands.

    At a status of the mapping that no create puts a ticket to, a person may have put it there first.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or ticket.origin == "adopted" or ticket.placed_status is not None:
        return False
    word = book.project.word_for(issue.status.id)
    moved = word not in (None, IncidentStatus.TRIGGERED) and issue.status.category != "done"
    return moved and not _known_who_moved(ticket, issue)


def _left(case: Case, book: Rulebook) -> str | None:
    """Why the ticket stays where it is, None if it may be moved.

    Before its first placement a ticket that we made stands where the create put it, whatever that
    status is called, unless its changelog says that a person moved it since; an adopted one stands where a
    person put it, also when that is done.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None:
        return "not read yet"
    made = ticket.origin != "adopted"
    if case.before_enforcement and not made:
        return "it was over before the rules began"
    if made and ticket.placed_status is None and issue.status.category != "done":
        moved = _known_who_moved(ticket, issue) and ticket.closed is not None and ticket.closed.person
        return "a person moved the ticket before syncd first did" if moved else None
    if book.project.word_for(issue.status.id) is None:
        return f"the mapping names no status {issue.status.id}, so it belongs to people"
    ours = ticket.placed_status == issue.status.id and "state" in ticket.agreed
    ours = ours or (_known_who_moved(ticket, issue) and _moved_by_us(ticket))
    if issue.status.category == "done" and not ours:
        return "a person closed the ticket"
    if issue.status.category == "done" and case.incident.state == MERGED:
        return "it is closed already, and a merge reopens no ticket"
    return None
