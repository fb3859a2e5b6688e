"""Move a ticket to a status over the transitions that Jira offers, which syncd tells apart by their target.

A strict workflow takes several steps. Each step is an operation of its own: syncd decides anew from a fresh
read after each, and only the last step agrees on the incident's state. Transition ids differ between
workflows and statuses, so syncd remembers them for each status of a workflow, and forgets them as soon as
Jira refuses one. If the workflow has no way back, the ticket stays, and one comment tells people so.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from syncd.domain.base import Reference
from syncd.domain.incident import Incident
from syncd.domain.operation import CommentOnTicket, MoveTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.operation.rendered import RenderedMove, RenderedStay
from syncd.domain.ticket import Issue, Status, Transition
from syncd.engine.act.jira_write.field_values import key_to_add
from syncd.engine.act.jira_write.transition_screen import Filled, fill, with_resolution
from syncd.engine.act.jira_write.workflow_graph import graph_of, ways_from, workflow_of
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, Goal, goal_back, goal_for, plan_step
from syncd.engine.act.kind import BaseKind, Outcome, book_of_basis, retried_at, there
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event, NoticeChange
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import Rulebook, TicketState
from syncd.policy.ticket.close_gate import GATE, NO_WAY_BACK
from syncd.policy.ticket.revert_counter import print_of, remembered
from syncd.policy.ticket.status import with_left

UNDER_WAY = "under way"
"""The agreed state of a ticket between two steps; no incident has this state."""
DOES, NO_WAY = "does", "no way back"
"""Why a ticket stays: the mapping accepts its status too, or its workflow has no way back."""


class MoveTicketKind(BaseKind[RenderedMove | RenderedStay]):
    """One step on the way to the target status."""

    def render(
        self, context: EngineContext, operation: OperationRecord, basis: Basis
    ) -> RenderedMove | RenderedStay:
        """Return the next transition and the fields of its screen; ask Jira for transitions it does not know.

        Raise as `OperationKind.render`.
        """
        ticket = there(basis.ticket)
        issue = ticket.issue
        if issue is None:
            raise DecideAgain
        move = operation.typed(MoveTicket)
        # a person moved the ticket since the decision: their move must not be undone
        if issue.status.id != move.from_status:
            raise DecideAgain
        incident, book = book_of_basis(context, basis)
        goal = _goal(move, book)
        # the mapping was reloaded since the decision and names another status for the word
        if goal.target.id != move.status:
            raise DecideAgain
        try:
            step = _step(context, operation, issue, goal, incident, book)
        except CannotRender:
            context.facts.end_trail(operation.object)
            raise
        if step is None:
            why = DOES if goal.arrived(issue.status.id) else NO_WAY
            return RenderedStay(issue=issue.id, stays=why)
        filled, last = step
        return RenderedMove(
            issue=ticket.issue_id,
            transition=filled.way.id,
            fields=filled.fields,
            missing=key_to_add(filled.missing),
            to=filled.way.to,
            last=last,
            workflow=workflow_of(issue),
            from_status=issue.status.id,
        )

    def send(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedMove | RenderedStay
    ) -> Outcome:
        """Send one transition; send nothing for a ticket that stays."""
        if isinstance(rendered, RenderedMove):
            context.services.jira.move(rendered.issue, rendered.transition, rendered.fields)
        return Outcome(rendered.issue)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the ticket's new status; after the last step both sides agree on the state."""
        rendered, clock = operation.rendering, context.ledger.logical_clock
        if isinstance(rendered, RenderedStay):
            return Confirmation(ticket=partial(_stay, operation, rendered))
        moved, now = operation.rendered_as(RenderedMove), context.clock.now()
        return Confirmation(ticket=partial(_moved, operation, moved, clock.next(), clock.next(), now))

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Count the steps of a move: `MOST_HOPS` of them end it."""
        rendered = operation.rendering
        if isinstance(rendered, RenderedStay) or operation.rendered_as(RenderedMove).last:
            context.facts.end_trail(operation.object)
            return
        context.facts.add_hop(operation.object, operation.typed(MoveTicket).status)


def _goal(move: MoveTicket, book: Rulebook) -> Goal:
    """Return the target: the status of a mapping's word, or the status before a person closed the ticket."""
    if move.back is not None:
        return goal_back(book.project, Status(id=move.back.id, name=move.back.name))
    return goal_for(book.project, move.word)


def _step(
    context: EngineContext,
    operation: OperationRecord,
    issue: Issue,
    goal: Goal,
    incident: Incident,
    book: Rulebook,
) -> tuple[Filled, bool] | None:
    """Return the next transition with its screen filled, and True if it is the last; None: the ticket stays.

    Raise `CannotRender` where no transition leads on, or its screen cannot be filled.
    """
    # an operator who retries has changed the workflow or the mapping: nothing remembered counts
    anew = retried_at(context, operation) is not None
    if anew:
        context.facts.end_trail(operation.object)
    hops = context.facts.hops(operation.object, goal.target.id)
    ways = ways_from(context, issue, fresh=anew or hops > 0)
    filled = [fill(context, way, issue, incident, book) for way in ways if way.to.id != issue.status.id]
    graph, explored = graph_of(context, issue)
    closed_off = {filled_way.way.to.id for filled_way in filled if filled_way.missing}
    step = plan_step(
        issue.status.id,
        [filled_way.way.to for filled_way in filled],
        goal,
        graph,
        closed_off if anew else closed_off | explored,
        MOST_HOPS - hops,
    )
    # of several transitions to the same status the one with the fewest unfilled fields
    if step is not None:
        candidates = [filled_way for filled_way in filled if filled_way.way.to.id == step.to.id]
        chosen = min(candidates, key=lambda filled_way: len(filled_way.missing))
        return with_resolution(chosen, book), step.last
    if goal.arrived(issue.status.id) or goal.behind(issue.status):
        return None
    raise CannotRender(_no_way(issue, ways, operation.typed(MoveTicket).word, goal))


def _no_way(issue: Issue, ways: tuple[Transition, ...], word: str, goal: Goal) -> str:
    offered = ", ".join(f"{way.name} to {way.to.name}" for way in ways) or "none"
    return (
        f"no transition leads from {issue.status.name} to {goal.target.name} within {MOST_HOPS} steps over"
        f" statuses that the mapping names; Jira offers: {offered}. Name those between under jira.path.{word}"
    )


def _moved(
    operation: OperationRecord,
    rendered: RenderedMove,
    written: int,
    read_seq: int,
    at: datetime,
    ticket: TicketState,
) -> Change:
    move, last = operation.typed(MoveTicket), rendered.last
    further = ticket.agreed.get("state") == UNDER_WAY
    kept = remembered(ticket.agreed, "status", print_of(move.from_status), further=further)
    state = move.state if last else UNDER_WAY
    values: dict[str, Any] = {
        "agreed": with_left({**ticket.agreed, **kept, "state": state}, move.from_status, at),
        "placed_status": rendered.to.id,
        "written_seq": written,
    }
    if ticket.issue is not None:
        moved = ticket.issue.model_copy(update={"status": rendered.to})
        values["snapshot"] = moved.model_dump(mode="json")
    why = f"its ticket is on the way to {move.word}"
    return Change(values, look=None if last else NoticeChange(why, read_seq, ticket=True))


def _stay(operation: OperationRecord, rendered: RenderedStay, ticket: TicketState) -> Change:
    """Agree that the ticket stays; comment once for ever on the ticket that the workflow has no way back."""
    move, does = operation.typed(MoveTicket), rendered.stays == DOES
    status = ticket.issue.status if ticket.issue is not None else Reference(id="")
    reason = f"status {status.id} {'stands for it too' if does else 'has no way back'}"
    agreed, add = {**ticket.agreed, "state": move.state}, None
    if move.back is not None:
        agreed[GATE] = NO_WAY_BACK
    elif not does:
        add = _comment_no_way_back(operation, status.name)
    return Change({"agreed": agreed}, Event("left", {"rule": "status", "reason": reason}), add=add)


def _comment_no_way_back(operation: OperationRecord, status: str) -> CommentOnTicket:
    return CommentOnTicket(
        key=comment_key(operation.incident_id, "status", "no-way-back"),
        incident=operation.incident_id,
        subject="status",
        text="the incident is open again, but this workflow has no way back, so the ticket is not moved."
        " Follow the incident in PagerDuty. The ticket stays at:",
        value=status,
        reason="so that people see why the ticket was not reopened",
    )
