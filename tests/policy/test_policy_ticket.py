"""Every incident of a mapped service has a ticket and one note that names it; silent ones have neither."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cast import book, case, incident, note, of_kind, untracked

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import Kind, OperationClass, ticket_key
from syncd.policy.case import Decision
from syncd.policy.decide import decide


@pytest.mark.parametrize("status", IncidentStatus)
@pytest.mark.parametrize("more", [{"urgency": "low"}, {"urgency": "high"}, {"assignees": ()}, {"title": ""}])
def test_every_incident_gets_a_ticket_and_a_note_that_names_it(
    status: IncidentStatus, more: dict[str, Any]
) -> None:
    decision = decide(untracked(incident(status=status, **more)), book())
    create, link = decision.operations
    assert (create.kind, create.key, create.needs) == (Kind.CREATE_TICKET, ticket_key("P1"), ())
    assert (link.kind, link.needs) == (Kind.LINK_NOTE, (ticket_key("P1"),))
    assert {create.op_class, link.op_class} == {OperationClass.ONCE}
    assert "Alipay" in create.reason


def test_a_create_that_is_on_record_is_not_decided_again() -> None:
    decision = decide(untracked(once={ticket_key("P1")}), book())
    assert of_kind(decision, Kind.CREATE_TICKET) == []


def test_the_link_note_is_written_once() -> None:
    assert of_kind(decide(case(once={ticket_key("P1")}), book()), Kind.LINK_NOTE) != []
    assert decide(case(), book()) == Decision()
    assert decide(untracked(once={ticket_key("P1"), "link-note/P1"}), book()) == Decision()


def test_the_link_note_waits_for_nothing_where_the_ticket_stands() -> None:
    (link,) = decide(case(once=frozenset()), book()).operations
    assert (link.kind, link.needs, link.key) == (Kind.LINK_NOTE, (), "link-note/P1")


def test_keys_come_from_the_services_ids_alone() -> None:
    keys = {op.key for op in decide(untracked(incident(title="a", number=1)), book()).operations}
    assert keys == {op.key for op in decide(untracked(incident(title="b", number=2)), book()).operations}


def test_an_incident_that_was_over_before_the_rules_began_gets_nothing() -> None:
    before_enforcement = untracked(
        incident(status="resolved"), before_enforcement=True, notes=(note("we did it"),)
    )
    assert decide(before_enforcement, book()) == Decision()
