"""Move the ticket when its incident's state changes, and leave people's own moves alone.

syncd moves a ticket only if the incident's state changed since both sides last agreed, and then at once. Only
a move back to a status that the ticket left less than five minutes ago waits. A merge, and a reopen that ends
it, change the state as well, even if the incident is resolved before and after.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.domain.base import JsonValue
from syncd.domain.duty import RUNNING, DutyKind
from syncd.domain.incident import MERGED, IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import MoveTicket
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, Decision, Remark, Rulebook, TicketState
from syncd.policy.postmortem.duties import written_before_merge
from syncd.policy.postmortem.owed import counts_for_another, owed_postmortem
from syncd.policy.postmortem.resolved_periods import counts_from_before_the_rules
from syncd.policy.ticket.revert_counter import Agreed, in_conflict
from syncd.policy.ticket.unseen_writes import on_incident, on_ticket

FLAPPING = timedelta(minutes=5)
"""A move back to a status waits until the ticket left it so long ago."""

OTHER_TOOL = "other tool"
"""In the agreed values of a ticket: PagerDuty's Jira app created it and moves it (`coexist: adopt`)."""

_LEFT = "left"
"""In the agreed values of a ticket: the times (UTC) at which it left statuses (by id) within `FLAPPING`."""
_TIMED_OUT = (IncidentStatus.ACKNOWLEDGED, IncidentStatus.TRIGGERED)


def wanted_word(case: Case, book: Rulebook) -> str:
    """Return the mapping's word for the status that the incident's state asks for."""
    incident = case.incident
    if incident.status is not IncidentStatus.RESOLVED:
        return incident.status
    closing = book.mapping.closing.mode is Mode.ENFORCE and _owes_nothing(case, book)
    # An incident from before `enforce_from` owes nothing, and nobody would ever close its ticket.
    backfilled = case.before_enforcement and book.mapping.backfill.tickets == "all"
    return "closed" if closing or backfilled else "resolved"


def _owes_nothing(case: Case, book: Rulebook) -> bool:
    """Return True if the incident owes nothing at its resolve, also by its worst severity and its sources."""
    # After a merge the target's ticket and duties count.
    if counts_for_another(case):
        # A postmortem that a person wrote keeps the ticket open until somebody says which of the two counts.
        return not written_before_merge(case, book)
    filing = any(duty.kind is DutyKind.FILED and duty.state in RUNNING for duty in case.duties)
    owed = owed_postmortem(case, book) is not None and not counts_from_before_the_rules(case, book)
    return not filing and not owed


def with_left(agreed: Agreed, status: str, at: datetime) -> dict[str, JsonValue]:
    """Return the agreed values of a ticket that left a status at a time (UTC), without older times."""
    recent = {name: left for name, left in _left_at(agreed).items() if at - left < FLAPPING}
    recent[status] = max(at, recent.get(status, at))
    return {**agreed, _LEFT: {name: left.isoformat() for name, left in recent.items()}}


def _left_at(agreed: Agreed) -> dict[str, datetime]:
    times = agreed.get(_LEFT)
    statuses = times if isinstance(times, dict) else {}
    return {status: datetime.fromisoformat(str(at)) for status, at in statuses.items()}


def _flapping_until(case: Case, ticket: TicketState, target: str) -> datetime | None:
    """Return the time (UTC) until which a move back to a status waits; None: it does not wait."""
    left = _left_at(ticket.agreed).get(target)
    if left is None or case.now is None:
        return None
    until = left + FLAPPING
    # Jira's clock may be a little ahead of ours. If it is far ahead, the move does not wait for it.
    return until if case.now < until <= case.now + 2 * FLAPPING else None


def decide_status(case: Case, book: Rulebook) -> Decision:
    """Return the move that the incident's state asks for; nothing if the ticket was not read."""
    return _move(case, book).plus(Decision(dry_run_notes=_would_close(case, book)))


def _move(case: Case, book: Rulebook) -> Decision:
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or "status" in ticket.refused:
        return Decision()
    # A person or a robot changed syncd's moves back three times, so syncd leaves the status alone.
    # A read must first tell whether syncd's own change of the incident arrived.
    if in_conflict(ticket.agreed, "status") or on_incident(case, "status") is not None:
        return Decision()
    state = case.incident.state
    same, astray = same_state(str(ticket.agreed.get("state")), state), _late_move(case)
    settled = same and not astray
    if settled and not on_ticket(case, ("status",)):
        return Decision()
    word = wanted_word(case, book)
    target = book.project.statuses[word]
    agreed: dict[str, JsonValue] = {"state": state}
    if left_to_other_tool(case, book):
        return Decision(agreed=agreed)
    if issue.status.id == target.id:
        return Decision(agreed=agreed)
    # Only the changelog says who moved the ticket. A move by a person stays.
    late_unknown = astray and not _known_who_moved(ticket, issue)
    if late_unknown or _first_move_unknown(case, book) or _closer_unknown(ticket, issue):
        return Decision(look=frozenset({"ticket"}))
    # A person chose the status to which the late move would have led. It stays.
    if same and astray and not _moved_by_us(ticket):
        return Decision()
    reason = _reason_to_stay(case, book)
    if reason:
        # The reason was recorded when both sides agreed.
        remarks = () if settled else (Remark(rule="status", reason=reason),)
        return Decision(agreed=agreed, remarks=remarks)
    reason = f"the incident is {case.incident.status}"
    # syncd undoes its own late move at once, because that is no flapping of the incident.
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
    """Return True if the ticket has the target status of an earlier move whose answer was lost.

    Jira may have done the move long after syncd gave it up, when the incident already had another state.
    """
    ticket = case.ticket
    if ticket is None or ticket.issue is None or ticket.placed_status == ticket.issue.status.id:
        return False
    return case.attempted.get("status") == ticket.issue.status.id


def closed_by_us(ticket: TicketState, issue: Issue) -> bool | None:
    """Return True if syncd closed the ticket, or created it closed; None if only the changelog tells.

    The ticket has a done status. That syncd placed it there once does not tell: a person may have opened and
    closed it since. And a lagging read may show the status before one of syncd's own moves.
    """
    placed, closed = ticket.placed_status == issue.status.id, ticket.closed
    if closed is not None and closed.status == issue.status.id:
        return closed.ours or (placed and not closed.before)
    # People gave an adopted ticket its status.
    if ticket.origin == "adopted" and not (placed and "state" in ticket.agreed):
        return False
    return None


def _closer_unknown(ticket: TicketState, issue: Issue) -> bool:
    return issue.status.category == "done" and closed_by_us(ticket, issue) is None


def _known_who_moved(ticket: TicketState, issue: Issue) -> bool:
    return ticket.closed is not None and ticket.closed.status == issue.status.id


def _moved_by_us(ticket: TicketState) -> bool:
    return ticket.closed is not None and ticket.closed.ours


def same_state(before: str, state: str) -> bool:
    """Return True if a ticket that agreed on the state `before` needs no move for `state`."""
    # An acknowledgement can time out in PagerDuty. That is no reason to move the ticket back.
    return before == state or (before, state) == _TIMED_OUT


def left_to_other_tool(case: Case, book: Rulebook) -> bool:
    """Return True if PagerDuty's Jira app created the ticket and moves it (`coexist: adopt`)."""
    made_by_it = case.ticket is not None and bool(case.ticket.agreed.get(OTHER_TOOL))
    return made_by_it and book.mapping.coexist is Coexist.ADOPT


def _would_close(case: Case, book: Rulebook) -> tuple[str, ...]:
    """Return the words for the close that `closing` in mode `enforce` would decide."""
    issue = case.ticket.issue if case.ticket else None
    over = case.incident.status is IncidentStatus.RESOLVED
    if issue is None or issue.status.category == "done" or left_to_other_tool(case, book):
        return ()
    if over and book.mapping.closing.mode is Mode.REPORT and _owes_nothing(case, book):
        return ("close the ticket at the resolve: nothing is owed (closing.mode: report)",)
    return ()


def _first_move_unknown(case: Case, book: Rulebook) -> bool:
    """Return True if the changelog must say who moved a ticket that syncd created and never moved.

    A create puts no ticket at this status of the mapping, so a person may have moved it first.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or ticket.origin == "adopted" or ticket.placed_status is not None:
        return False
    word = book.project.word_for(issue.status.id)
    moved = word not in (None, IncidentStatus.TRIGGERED) and issue.status.category != "done"
    return moved and not _known_who_moved(ticket, issue)


def _reason_to_stay(case: Case, book: Rulebook) -> str | None:
    """Return the reason why the ticket keeps its status, None if syncd may move it."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None:
        return "syncd has not read the ticket yet"
    made = ticket.origin != "adopted"
    if case.before_enforcement and not made:
        return "the incident was resolved before enforce_from"
    # The create puts a ticket at the workflow's first status, which the mapping need not name.
    if made and ticket.placed_status is None and issue.status.category != "done":
        moved = _known_who_moved(ticket, issue) and ticket.closed is not None and ticket.closed.person
        return "a person moved the ticket before syncd first did" if moved else None
    if book.project.word_for(issue.status.id) is None:
        return f"the mapping names no status {issue.status.id}, so it belongs to people"
    # After a reopen of the incident syncd reopens only a ticket that it closed itself.
    if issue.status.category == "done" and not closed_by_us(ticket, issue):
        return "a person closed the ticket"
    if issue.status.category == "done" and case.incident.state == MERGED:
        return "the ticket is closed already, and a merge reopens no ticket"
    return None
