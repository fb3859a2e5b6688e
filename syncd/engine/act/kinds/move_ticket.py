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
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.operation import CommentOnTicket, MoveTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.operation.rendered import RenderedMove, RenderedStay
from syncd.domain.ticket import Issue, Status, Transition
from syncd.engine.act.jira_write.field_values import can_fill
from syncd.engine.act.jira_write.transition_screen import Filled, fill, with_resolution
from syncd.engine.act.jira_write.workflow_graph import graph_of, ways_from, workflow_of
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, Goal, goal_back, goal_for, plan_step
from syncd.engine.act.kind import BaseKind, Outcome, book_of_basis, incident_and_book, retried_at, there
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event, NoticeChange
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import Rulebook, TicketState
from syncd.policy.ticket.close_gate import GATE, NO_WAY_BACK
from syncd.policy.ticket.field_values import nothing_fills
from syncd.policy.ticket.revert_counter import print_of, remembered
from syncd.policy.ticket.status import with_left
from syncd.remote.errors import NotDone

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
            missing=filled.words,
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
            try:
                context.services.jira.move(rendered.issue, rendered.transition, rendered.fields)
            except NotDone as error:
                raise error.with_hint(_keys_to_add(context, rendered, error)) from None
        return Outcome(rendered.issue)

    def fill_demanded(
        self, context: EngineContext, operation: OperationRecord, error: NotDone
    ) -> MoveTicket | None:
        """Return the move that fills what a validator demands, if the mapping gives all of it."""
        rendered, move = operation.rendering, operation.typed(MoveTicket)
        if not isinstance(rendered, RenderedMove):
            return None
        asked, screen = _asked(context, rendered, error)
        if not set(asked).isdisjoint(move.demanded):
            return None
        incident, book = incident_and_book(context, operation)
        if not asked or not all(
            name in screen and can_fill(context, screen[name], incident, book) for name in asked
        ):
            return None
        return move.model_copy(update={"demanded": tuple(sorted({*move.demanded, *asked}))})

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


def _asked(
    context: EngineContext, rendered: RenderedMove, error: NotDone
) -> tuple[list[str], dict[str, FieldFacts]]:
    """Return the fields that a refusal names and syncd did not send, and those of the transition's screen."""
    ways = context.facts.ways(rendered.workflow, rendered.from_status) or ()
    screen = {field.id: field for way in ways if way.id == rendered.transition for field in way.screen}
    return [name for name in error.field_errors if name not in rendered.fields], screen


def _keys_to_add(context: EngineContext, rendered: RenderedMove, error: NotDone) -> str:
    """Return what to add to the mapping for the fields that a refusal demands, beyond what was missing."""
    asked, screen = _asked(context, rendered, error)
    unfilled = [
        screen[name] for name in asked if name in screen and screen[name].name not in rendered.missing
    ]
    return nothing_fills(unfilled, screen.values())


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
    also = operation.typed(MoveTicket).demanded
    filled = [fill(context, way, issue, incident, book, also) for way in ways if way.to.id != issue.status.id]
    graph, explored = graph_of(context, issue)
    closed_off = {filled_way.way.to.id for filled_way in filled if filled_way.words}
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
        chosen = min(candidates, key=lambda filled_way: len(filled_way.missing) + len(filled_way.unfit))
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
