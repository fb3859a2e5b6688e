"""Moves a ticket to a status over the transitions that Jira offers, known by their target.

Strict workflows take several steps; each is an operation of its own, so that whatever happens between two
of them is decided anew from a fresh read, and only the last one agrees on the state. Transition ids differ
between workflows and statuses, so what is remembered is remembered for a status of a workflow, and
forgotten as soon as Jira refuses it. A workflow without a way back is nobody's mistake: the ticket stays,
and says so once.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, Operation, OperationClass
from syncd.domain.ticket import Issue, Status, Transition
from syncd.engine.act.jira_write.field_values import key_to_add
from syncd.engine.act.jira_write.refusals import note_refusal, place, stop_where_refused
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.jira_write.retried import retried_at
from syncd.engine.act.jira_write.transition_screen import Filled, fill, with_resolution
from syncd.engine.act.jira_write.workflow_graph import graph_of, ways_from, workflow_of
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, Goal, goal_back, goal_for, plan_step
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, ticket_row
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import OperationRow, TicketRow
from syncd.policy.case import Rulebook
from syncd.policy.ticket.close_gate import GATE, NO_WAY_BACK
from syncd.policy.ticket.revert_counter import print_of, remembered
from syncd.remote.errors import NotDone

UNDER_WAY = "under way"
"""What stands for the agreed state of a ticket that is between two steps: no state of an incident."""


class MoveTicket(BaseAct):
    """One step to the wanted status."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The next transition's id and what its screen wants; asks Jira for the ways where not known."""
        ticket = ticket_row(desk, row)
        if ticket.snapshot is None:
            raise DecideAgain
        issue = Issue.model_validate(ticket.snapshot)
        if issue.status.id != row.meaning["from"]:
            raise DecideAgain
        stop_where_refused(desk, row)
        incident, book = incident_and_book(desk, row)
        goal = _goal(row, book)
        if goal.target.id != row.meaning["status"]:
            raise DecideAgain
        try:
            found = _step(desk, row, issue, goal, incident, book)
        except CannotRender:
            desk.facts.end_trail(place(row))
            raise
        if found is None:
            return _staying(issue, goal)
        filled, last = found
        return {
            "issue": ticket.issue_id,
            "transition": filled.way.id,
            "fields": filled.fields,
            "missing": key_to_add(filled.missing),
            "to": filled.way.to.model_dump(mode="json"),
            "last": last,
            "workflow": workflow_of(issue),
            "from": issue.status.id,
        }

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One transition; nothing is sent for a ticket that stays."""
        if "stays" in rendered:
            return Outcome(str(rendered["issue"]))
        fields = rendered.get("fields")
        try:
            desk.clients.jira.move(
                str(rendered["issue"]),
                str(rendered["transition"]),
                fields if isinstance(fields, dict) else None,
            )
        except NotDone as error:
            note_refusal(desk, row, error, str(rendered.get("missing") or ""))
            raise
        return Outcome(str(rendered["issue"]))

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The ticket stands where we put it; after the last step both sides agree on the state."""
        ticket = session.get(TicketRow, row.incident_id)
        if ticket is None:
            return
        rendered = row.rendered or {}
        if "stays" in rendered:
            _stay(session, desk, row, ticket)
            return
        to, last = rendered["to"], bool(rendered["last"])
        further = ticket.agreed.get("state") == UNDER_WAY
        before = print_of(str(row.meaning["from"]))
        ticket.agreed = {**ticket.agreed, **remembered(ticket.agreed, "status", before, further=further)}
        state = row.meaning["state"] if last else UNDER_WAY
        ticket.agreed = {**ticket.agreed, "state": state}
        ticket.placed_status = str(to["id"])
        if ticket.snapshot:
            ticket.snapshot = {**ticket.snapshot, "status": to}
        ticket.written_moment = desk.ledger.moments.next()
        session.add(ticket)
        if last:
            desk.facts.end_trail(place(row))
            return
        trail = desk.facts.trail(place(row), str(row.meaning["status"]))
        trail.hops, trail.refusals = trail.hops + 1, 0
        moment = desk.ledger.moments.next()
        why = f"its ticket is on the way to {row.meaning['word']}"
        look_again(session, [row.incident_id], desk.clock.now(), moment, why, ticket=True)


def _goal(row: OperationRow, book: Rulebook) -> Goal:
    """Where to: one of the mapping's words, or back to where the ticket stood before somebody closed it."""
    back = row.meaning.get("back")
    if isinstance(back, dict):
        before = Status(id=str(back["id"]), name=str(back["name"]))
        return goal_back(book.project, before)
    return goal_for(book.project, str(row.meaning["word"]))


def _step(
    desk: Desk, row: OperationRow, issue: Issue, goal: Goal, incident: Incident, book: Rulebook
) -> tuple[Filled, bool] | None:
    """The next way with its screen filled, and whether it is the last; None where the ticket stays.

    Raises `CannotRender` where there is no way on, or its screen cannot be filled.
    """
    trail = desk.facts.trail(place(row), goal.target.id)
    anew = retried_at(desk, row) is not None
    ways = ways_from(desk, issue, fresh=anew or trail.hops > 0)
    filled = [fill(desk, way, issue, incident, book) for way in ways if way.to.id != issue.status.id]
    graph, explored = graph_of(desk, issue)
    closed_off = {one.way.to.id for one in filled if one.missing}
    step = plan_step(
        issue.status.id,
        [one.way.to for one in filled],
        goal,
        graph,
        closed_off if anew else closed_off | explored,
        MOST_HOPS - trail.hops,
    )
    if step is not None:
        ways_there = [one for one in filled if one.way.to.id == step.to.id]
        chosen = min(ways_there, key=lambda one: len(one.missing))
        return with_resolution(chosen, book), step.last
    if goal.arrived(issue.status.id) or goal.behind(issue.status):
        return None
    raise CannotRender(_no_way(issue, ways, str(row.meaning["word"]), goal))


def _no_way(issue: Issue, ways: tuple[Transition, ...], word: str, goal: Goal) -> str:
    offered = ", ".join(f"{one.name} to {one.to.name}" for one in ways) or "none"
    return (
        f"no transition leads from {issue.status.name} to {goal.target.name} within {MOST_HOPS} steps over"
        f" statuses that the mapping names; Jira offers: {offered}. Name those between: jira.path.{word}"
    )


def _staying(issue: Issue, goal: Goal) -> Rendered:
    """What a ticket that stays keeps; `stays` says whether people are told why."""
    return {"issue": issue.id, "stays": "does" if goal.arrived(issue.status.id) else "no way back"}


def _stay(session: Session, desk: Desk, row: OperationRow, ticket: TicketRow) -> None:
    """Both sides agree that it stays; that there is no way back is said on the ticket once for ever."""
    ticket.agreed = {**ticket.agreed, "state": row.meaning["state"]}
    session.add(ticket)
    desk.facts.end_trail(place(row))
    stays = (row.rendered or {})["stays"]
    status: dict[str, JsonValue] = (ticket.snapshot or {}).get("status", {})
    reason = f"status {status.get('id')} {'stands for it too' if stays == 'does' else 'has no way back'}"
    audit.append(
        session,
        desk.clock.now(),
        "left",
        incident=row.incident_id,
        issue=ticket.issue_id,
        operation=row.id,
        data={"rule": "status", "reason": reason},
    )
    if "back" in row.meaning:
        ticket.agreed = {**ticket.agreed, GATE: NO_WAY_BACK}
    elif stays != "does":
        version = row.mapping_version
        said = [*_open_states(session, row), _say_no_way_back(row, str(status.get("name", "")))]
        outbox.record(session, row.incident_id, said, desk.clock.now(), version)


def _open_states(session: Session, row: OperationRow) -> Iterator[Operation]:
    """The incident's other open state operations, which recording one more must not supersede."""
    for one in outbox.open_of(session, row.incident_id):
        if one.op_class == OperationClass.STATE and one.id != row.id:
            yield Operation(
                key=one.key,
                kind=Kind(one.kind),
                incident=one.incident_id,
                object=one.object,
                aspect=one.aspect,
                needs=tuple(one.needs),
                meaning=one.meaning,
                reason=one.reason,
            )


def _say_no_way_back(row: OperationRow, status: str) -> Operation:
    return Operation(
        key=f"say/{row.incident_id}/status/no-way-back",
        kind=Kind.SAY_ON_TICKET,
        incident=row.incident_id,
        object=row.object,
        meaning={
            "subject": "status",
            "text": "the incident is open again, and this workflow has no way back, so the ticket stays as"
            " it is; PagerDuty shows how the incident goes on. The status stays",
            "value": status,
        },
        reason="people learn why the ticket was not reopened",
    )
