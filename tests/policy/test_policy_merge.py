"""What was merged is a duplicate of the other incident's ticket: linked once, with what the link needs."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cast import AGREED, book, case, incident, of_kind, said, ticket, untracked

from syncd.domain.operation import Kind, OperationClass, ticket_key
from syncd.policy.case import Case, Decision, MergeTarget
from syncd.policy.decide import decide
from syncd.policy.ticket.merge import decide_merge

MERGED = incident(status="resolved", merged_into="P2")


def merged(known: Case, **target: Any) -> Case:
    """The case of an incident that was merged into P2."""
    into = MergeTarget(**{"id": "P2", "number": 18, "has_ticket": True, **target})
    return known.model_copy(update={"merged_into": into})


@pytest.mark.parametrize(
    ("known", "has_ticket", "needs"),
    [
        (case(MERGED), True, ()),
        (case(MERGED), False, (ticket_key("P2"),)),
        (untracked(MERGED), True, (ticket_key("P1"),)),
        (untracked(MERGED), False, (ticket_key("P1"), ticket_key("P2"))),
    ],
    ids=["both", "no target's", "no source's", "neither"],
)
def test_the_tickets_are_linked_and_the_link_needs_both(
    known: Case, has_ticket: bool, needs: tuple[str, ...]
) -> None:
    (link,) = decide_merge(merged(known, has_ticket=has_ticket), book()).operations
    assert (link.kind, link.op_class, link.object, link.needs) == (
        Kind.LINK_TICKETS,
        OperationClass.STATE,
        "ticket:P1",
        needs,
    )
    assert link.meaning["target"] == "P2"
    assert "18" in link.reason


def test_a_link_that_was_made_is_not_made_again() -> None:
    linked = case(MERGED, ticket(agreed={**AGREED, "duplicate": "P2"}))
    assert decide_merge(merged(linked), book()) == Decision()


def test_another_target_is_linked_as_well() -> None:
    linked = case(MERGED, ticket(agreed={**AGREED, "duplicate": "P3"}))
    assert len(decide_merge(merged(linked), book()).operations) == 1


def test_an_incident_that_was_not_merged_is_not_linked() -> None:
    assert decide_merge(case(), book()) == Decision()


def test_a_target_that_no_team_claims_is_told_once_and_not_linked() -> None:
    foreign = merged(case(MERGED), claimed=False)
    decision = decide_merge(foreign, book())
    (text,) = said(decision)
    assert text.endswith("incident 18")
    again = foreign.model_copy(update={"once": foreign.once | {decision.operations[0].key}})
    assert decide_merge(again, book()) == Decision()


def test_a_target_without_a_ticket_gets_one_even_where_it_was_over_before_the_rules_began() -> None:
    target = untracked(incident(status="resolved"), before_enforcement=True, merged_from=("P7",))
    decision = decide(target, book())
    assert [op.key for op in of_kind(decision, Kind.CREATE_TICKET)] == [ticket_key("P1")]
    assert of_kind(decision, Kind.LINK_NOTE, Kind.MIRROR_NOTE) == []


def test_what_was_over_before_the_rules_began_is_not_linked() -> None:
    assert decide_merge(merged(untracked(MERGED, before_enforcement=True)), book()) == Decision()
