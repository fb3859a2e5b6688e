"""Changes the incident as a person changed its ticket: state, assignee, priority or title.

Such a write pages people or stops paging them, so the incident is read again before each request: where it
is not as it was when the write was decided, it is decided anew. What PagerDuty says is done already (1001,
1002) is done; what it refuses because the incident is over or merged (1019) is left, on record (API fact: its
error codes). After the write the incident is read, so that the rules go by PagerDuty's answer and not by what
was sent.
"""

from __future__ import annotations

from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus
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
"""PagerDuty's codes for an incident that is in that state already."""
MERGED = 1019


class ChangeIncidentKind(BaseKind[RenderedChange]):
    """One change of one incident."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedChange:
        """What is changed, in PagerDuty's ids; `left` where PagerDuty knows nothing of the kind."""
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
        """The same; raises `DecideAgain` where the incident changed since."""
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
        stands = incident_value(Incident.model_validate(stored.snapshot), operation.aspect)
        if print_of(stands) != operation.typed(ChangeIncident).before or incident.merged_into:
            raise DecideAgain
        return rendered

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedChange) -> Outcome:
        """One request; none where there is nothing to write."""
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
            why = _over(operation, error)
            if why is None:
                raise
            return Outcome(operation.incident_id, left=why or None)
        return Outcome(operation.incident_id)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Both sides agree; what was left is on record, and said on the ticket."""
        written, find_outcome = context.ledger.logical_clock.next(), context.ledger.logical_clock.next()
        if outcome.left:
            return Confirmation(both=partial(_leave, operation, outcome.left, find_outcome))
        return Confirmation(both=partial(_change, operation, written, find_outcome))


def _priority(context: EngineContext, wanted: str) -> RenderedChange:
    known = context.services.pagerduty.priorities()
    found = next((one.id for one in known if one.name.casefold() == wanted.casefold()), None)
    if found is None:
        return RenderedChange(left="PagerDuty has no such priority")
    return RenderedChange(priority=found)


def _over(operation: OperationRecord, error: NotDone) -> str | None:
    """Why a refusal is final: empty where what was wanted is so already; None: it is not final."""
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
    """The ticket keeps what it shows, and the incident what it says."""
    return Change(
        {"agreed": {**ticket.agreed, **_as_shown(operation, ticket.issue)}},
        Event("left", {"rule": "two_way", "reason": f"{operation.aspect}: {why}"}),
        NoticeChange(operation.reason, find_outcome),
        _say_left(operation, why),
    )


def _say_left(operation: OperationRecord, why: str) -> CommentOnTicket:
    return CommentOnTicket(
        key=comment_key(operation.incident_id, "two-way", operation.id),
        incident=operation.incident_id,
        subject=operation.aspect,
        text=f"syncd did not carry this change to PagerDuty: {why}",
        value="",
        reason="people see what did not reach PagerDuty",
    )


def _as_shown(operation: OperationRecord, issue: Issue | None) -> dict[str, JsonValue]:
    """What was to travel counts as seen, so that it is not tried again."""
    agree = operation.typed(ChangeIncident).agree
    if operation.aspect == "status":
        return {name: one for name, one in agree.items() if name != "state"}
    if operation.aspect == "summary":
        return seen("summary", issue.summary) if issue else {}
    return seen(operation.aspect, agree[operation.aspect])
