"""What of a person's change on the ticket travels to the incident, and what never does."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cast import (
    AGREED,
    BEN,
    DONE,
    IN_PROGRESS,
    IN_REVIEW,
    NOW,
    PEOPLE,
    TO_DO,
    WAITING,
    book,
    case,
    incident,
    issue,
    left,
    of_kind,
    said,
    ticket,
)

from syncd.domain.base import Reference
from syncd.domain.operation import Kind, OperationClass, Target
from syncd.domain.ticket import Status
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.ticket.revert_counter import conflict_on
from syncd.policy.two_way.ticket_to_incident import ambiguous, decide_two_way, state_of

ON = dict.fromkeys(("acknowledge", "resolve", "reopen", "reassign", "priority", "title"), True)


def rules(**keys: bool) -> Rulebook:
    return book(two_way=keys or ON)


def wishes(decision: Decision) -> dict[str, Any]:
    """What is asked of the incident, by aspect."""
    names = ("status", "account", "priority", "text")
    return {
        op.aspect: next(op.meaning[name] for name in names if name in op.meaning)
        for op in of_kind(decision, Kind.CHANGE_INCIDENT)
    }


def moved(to: Status, state: str = "triggered", placed: Status = TO_DO, **more: Any) -> Case:
    """A person moved the ticket of an incident in `state` from where the daemon had placed it."""
    agreed = {**AGREED, "state": state}
    assignees = {} if state != "resolved" else {"assignees": ()}
    had = ticket(issue(status=to), agreed=agreed, placed_status=placed.id)
    return case(incident(status=state, **assignees), had, now=NOW, **more)


@pytest.mark.parametrize(
    ("state", "placed", "to", "wanted"),
    [
        ("triggered", TO_DO, IN_PROGRESS, "acknowledged"),
        ("triggered", TO_DO, IN_REVIEW, "resolved"),
        ("acknowledged", IN_PROGRESS, DONE, "resolved"),
        ("acknowledged", IN_PROGRESS, TO_DO, None),
        ("resolved", IN_REVIEW, TO_DO, "triggered"),
        ("resolved", IN_REVIEW, IN_PROGRESS, "triggered"),
        ("resolved", IN_REVIEW, DONE, None),
        ("triggered", TO_DO, WAITING, None),
    ],
)
def test_which_state_a_move_asks_for(state: str, placed: Status, to: Status, wanted: str | None) -> None:
    decision = decide_two_way(moved(to, state, placed), rules())
    assert wishes(decision) == ({"status": wanted} if wanted else {})


@pytest.mark.parametrize(
    "known",
    [
        moved(IN_PROGRESS),
        moved(IN_REVIEW),
        moved(TO_DO, "resolved", IN_REVIEW),
        case(had=ticket(issue(assignee=PEOPLE["U2"])), now=NOW),
        case(had=ticket(issue(summary="The bank is slow")), now=NOW),
        case(had=ticket(issue(priority=Reference(id="1", name="Highest"))), now=NOW),
    ],
)
def test_what_is_not_switched_on_is_seen_and_stays(known: Case) -> None:
    off = decide_two_way(known, book())
    assert (off.operations, off.remarks) == ((), ())
    (name,) = off.agreed
    assert name.startswith("seen:")
    assert known.ticket
    after = known.model_copy(
        update={"ticket": known.ticket.model_copy(update={"agreed": {**known.ticket.agreed, **off.agreed}})}
    )
    assert decide_two_way(after, rules()) == Decision()
    assert of_kind(decide_two_way(known, rules()), Kind.CHANGE_INCIDENT)


def test_fields_travel_as_pagerduty_names_them() -> None:
    shown = issue(
        assignee=PEOPLE["U2"], summary="The bank is slow", priority=Reference(id="1", name="Highest")
    )
    decision = decide_two_way(case(had=ticket(shown), now=NOW), rules())
    assert wishes(decision) == {"assignee": "acc-ben", "summary": "The bank is slow", "priority": "P1"}
    operation = decision.operations[0]
    assert (operation.op_class, operation.target) == (OperationClass.STATE, Target.PAGERDUTY)


def test_what_pagerduty_changed_at_the_same_time_is_not_written_over() -> None:
    both = case(incident(assignees=(BEN,)), ticket(issue(assignee=None, summary="The bank")), now=NOW)
    assert "assignee" not in wishes(decide_two_way(both, rules()))
    raced = decide_two_way(
        moved(IN_PROGRESS).model_copy(update={"incident": incident(status="resolved")}), rules()
    )
    assert wishes(raced) == {}
    assert "became resolved at the same time, so syncd did not change it" in "".join(said(raced))


def test_what_our_own_write_of_unknown_outcome_made_does_not_travel() -> None:
    known = case(had=ticket(issue(summary="Ours")), now=NOW, attempted={"summary": "Ours"})
    assert wishes(decide_two_way(known, rules())) == {}
    assert wishes(decide_two_way(moved(IN_PROGRESS, attempted={"status": IN_PROGRESS.id}), rules())) == {}


@pytest.mark.parametrize("more", [{"before_enforcement": True}, {"restricted": True}])
def test_what_is_silent_stays_and_no_title_of_a_restricted_incident_travels(more: dict[str, Any]) -> None:
    known = case(had=ticket(issue(summary="Another")), now=NOW, **more)
    assert wishes(decide_two_way(known, rules())) == {}


def test_what_is_in_conflict_does_not_travel() -> None:
    agreed = {**AGREED, **conflict_on("summary")}
    assert wishes(decide_two_way(case(had=ticket(issue(summary="B"), agreed=agreed)), rules())) == {}


def test_a_priority_that_no_single_severity_stands_for_is_left_on_record() -> None:
    shown = ticket(issue(priority=Reference(id="99", name="Odd")))
    decision = decide_two_way(case(had=shown, now=NOW), rules())
    assert wishes(decision) == {}
    assert [rule for rule, _ in left(decision)] == ["two_way"]


def test_one_status_for_two_states_refuses_every_move_and_says_so() -> None:
    rulebook = rules()
    statuses = {**rulebook.project.statuses, "resolved": IN_PROGRESS}
    shared = rulebook.model_copy(
        update={"project": rulebook.project.model_copy(update={"statuses": statuses})}
    )
    assert ambiguous(shared.project)
    assert not ambiguous(rulebook.project)
    assert state_of(shared.project, IN_PROGRESS.id) is None
    decision = decide_two_way(moved(DONE), shared)
    assert wishes(decision) == {}
    (text,) = said(decision)
    assert "stands for two states" in text
