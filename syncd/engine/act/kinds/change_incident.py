"""Change the incident as a person changed its ticket: state, assignee, priority or title.

Such a write pages people or stops paging them. So syncd reads the incident before each request and decides
anew if it changed since the decision. PagerDuty's error 1001 (already resolved) or 1002 (already
acknowledged) counts as done where that state was the goal. An incident that is over or merged (1019) stays as
it is, on record. After the write syncd reads the incident: the rules follow PagerDuty's answer, not the
request.
"""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import ChangeIncident, CommentOnTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.operation.rendered import RenderedChange
from syncd.domain.ticket import Account, Issue
from syncd.engine.act.kind import BaseKind, Outcome, book_of_basis
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.accounts import user_of
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirmation import Change, Confirmation, Event, NoticeChange
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import TicketState
from syncd.policy.ticket.revert_counter import INCIDENT, incident_value, print_of, remembered, seen
from syncd.remote.errors import Cause, NotDone

ALREADY = {1001: IncidentStatus.RESOLVED, 1002: IncidentStatus.ACKNOWLEDGED}
"""PagerDuty's error codes for an incident that is in that state already."""
MERGED = 1019
"""PagerDuty's error code for an incident that was merged into another."""


class ChangeIncidentKind(BaseKind[RenderedChange]):
    """One change of one incident."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedChange:
        """Return the change in PagerDuty's ids; `left` where PagerDuty has no such person or priority."""
        change = operation.typed(ChangeIncident)
        if change.status is not None:
            return RenderedChange(status=change.status)
        if change.assignee is not None:
            _, book = book_of_basis(context, basis)
            person = change.assignee
            user = user_of(context, Account(id=person.account, name=person.name, email=person.email), book)
            if user is None:
                return RenderedChange(left="PagerDuty has no user with this person's address")
            return RenderedChange(assignee=user.id)
        if change.priority is not None:
            return _priority(context, change.priority)
        if not change.text:
            raise DecideAgain
        return RenderedChange(text=change.text)

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedChange
    ) -> RenderedChange:
        """Return the request as rendered; raise `DecideAgain` if the incident changed since the decision."""
        read_seq = context.ledger.logical_clock.next()
        incident = context.services.pagerduty.incident(operation.incident_id)
        context.health.succeeded("pagerduty")
        if incident is None:
            raise CannotRender("PagerDuty does not show the incident to syncd")
        stored = leaving.store_before_change(
            context.ledger,
            storage_rules(context),
            incident,
            read_seq,
            context.clock.now(),
            text=rendered.text is not None,
        )
        if stored is None:
            raise DecideAgain
        stands = incident_value(stored.as_read, operation.aspect)
        # a responder was faster than the person on the ticket: theirs counts
        if print_of(stands) != operation.typed(ChangeIncident).before or incident.merged_into:
            raise DecideAgain
        return rendered

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedChange) -> Outcome:
        """Send one request; send none where nothing is to be written."""
        if rendered.left is not None:
            return Outcome(operation.incident_id, left=rendered.left)
        try:
            context.services.pagerduty.change_incident(
                operation.incident_id,
                status=rendered.status,
                assignee=rendered.assignee,
                priority=rendered.priority,
                title=rendered.text,
            )
        except NotDone as error:
            why = _why_final(operation, error)
            if why is None:
                raise
            return Outcome(operation.incident_id, left=why)
        return Outcome(operation.incident_id)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that both sides agree; if nothing was written, record why and comment it on the ticket."""
        written, find_outcome = context.ledger.logical_clock.next(), context.ledger.logical_clock.next()
        if outcome.left:
            left = partial(_leave, operation, outcome.left, find_outcome)
            return Confirmation(both=left, to_see=False)
        # an empty reason: PagerDuty said that the incident is in that state already, and took nothing
        taken = outcome.left is None
        return Confirmation(both=partial(_change, operation, written, find_outcome), to_see=taken)


def _priority(context: EngineContext, name: str) -> RenderedChange:
    priorities = context.services.pagerduty.priorities()
    ids = (priority.id for priority in priorities if priority.name.casefold() == name.casefold())
    priority_id = next(ids, None)
    if priority_id is None:
        return RenderedChange(left="PagerDuty has no such priority")
    return RenderedChange(priority=priority_id)


def _why_final(operation: OperationRecord, error: NotDone) -> str | None:
    """Return why a refusal is final; empty where the incident is in the state already; None: not final."""
    if error.cause is not Cause.REJECTED or error.code not in {*ALREADY, MERGED}:
        return None
    state = ALREADY.get(error.code)
    if state is not None and operation.typed(ChangeIncident).status == state:
        return ""
    return "the incident was merged" if error.code == MERGED else f"the incident is {state} already"


def _change(
    operation: OperationRecord, written: int, find_outcome: int, ticket: TicketState, restricted: bool
) -> Change:
    change = operation.typed(ChangeIncident)
    summary = {"summary": change.text} if change.text and not restricted else {}
    place = f"{INCIDENT}{operation.aspect}"
    kept = remembered(ticket.agreed, place, change.before)
    return Change(
        {"agreed": {**ticket.agreed, **change.agree, **summary, **kept}},
        Event("incident.changed", {"aspect": operation.aspect}),
        NoticeChange(operation.reason, find_outcome),
        incident_written=written,
    )


def _leave(
    operation: OperationRecord, why: str, find_outcome: int, ticket: TicketState, _restricted: bool
) -> Change:
    """Return the change that leaves ticket and incident as they are, and records why."""
    return Change(
        {"agreed": {**ticket.agreed, **_as_shown(operation, ticket.issue)}},
        Event("left", {"rule": "two_way", "reason": f"{operation.aspect}: {why}"}),
        NoticeChange(operation.reason, find_outcome),
        _comment_left(operation, why),
    )


def _comment_left(operation: OperationRecord, why: str) -> CommentOnTicket:
    return CommentOnTicket(
        key=comment_key(operation.incident_id, "two-way", operation.id),
        incident=operation.incident_id,
        subject=operation.aspect,
        text=f"syncd did not carry this change to PagerDuty: {why}",
        value="",
        reason="so that people see what did not reach PagerDuty",
    )


def _as_shown(operation: OperationRecord, issue: Issue | None) -> dict[str, JsonValue]:
    """Return the ticket's value as agreed on, so that syncd does not try to carry it again."""
    agree = operation.typed(ChangeIncident).agree
    if operation.aspect == "status":
        return {name: value for name, value in agree.items() if name != "state"}
    if operation.aspect == "summary":
        return seen("summary", issue.summary) if issue else {}
    return seen(operation.aspect, agree[operation.aspect])
