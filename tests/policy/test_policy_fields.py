"""The ticket's fields follow the incident, each as far as the mapping gives it to PagerDuty."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cast import (
    AGREED,
    ANA,
    BEN,
    CYD,
    FALLBACK,
    PEOPLE,
    SEVERITY_FIELD,
    SOMEBODY,
    book,
    case,
    edits,
    incident,
    issue,
    left,
    of_kind,
    owned,
    said,
    ticket,
)

from syncd.domain.base import Reference
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationClass
from syncd.domain.ticket import Issue
from syncd.policy.case import Decision, TicketState
from syncd.policy.decide import decide as decide_all
from syncd.policy.ticket.fields import decide_fields

P1 = Reference(id="PRIO1", name="P1")
SEVERITY = f"field:{SEVERITY_FIELD}"

CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "summary": ({"title": "Payments have stopped"}, {"summary": "Payments have stopped"}),
    "priority": ({"priority": P1}, {"priority": {"id": "1"}}),
    "severity": ({"priority": P1}, {SEVERITY_FIELD: {"value": "SEV0"}}),
    "assignee": ({"assignees": (BEN,)}, {"assignee": {"accountId": "acc-ben"}}),
    "component": ({}, {"components": [{"id": "72"}]}),
}
"""Each aspect: what happens to the incident, and what the edit then writes."""

BY_A_PERSON: dict[str, dict[str, Any]] = {
    "summary": {"summary": "Alipay: settlement is late"},
    "priority": {"priority": Reference(id="4", name="Low")},
    "severity": {"fields": {SEVERITY_FIELD: {"value": "SEV3"}}},
    "component": {"components": (Reference(id="79", name="Ledger"),)},
    "assignee": {"assignee": SOMEBODY},
}
"""Each aspect: what a person wrote into the field."""

ASPECTS = ["summary", "priority", "severity", "component", "assignee"]
NAME_IN_AGREED = dict(zip(ASPECTS, ["summary", "priority", SEVERITY, "component", "assignee"], strict=True))


def service_of(aspect: str) -> str:
    """The component changes with the service, everything else without."""
    return "BluBank" if aspect == "component" else "Alipay"


def decide(happened: Incident, shown: Issue | None = None, aspect: str = "", **more: Any) -> Decision:
    """What becomes of the fields, with everything agreed on as it was at the create."""
    return decide_fields(case(happened, ticket(shown, **more)), book(service_of(aspect)))


def test_nothing_is_written_while_both_sides_agree() -> None:
    assert decide(incident()) == Decision()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_change_of_the_incident_is_carried_over(aspect: str) -> None:
    happens, writes = CHANGED[aspect]
    decision = decide(incident(**happens), aspect=aspect)
    assert writes.items() <= edits(decision).items()
    (edit,) = of_kind(decision, Kind.EDIT_TICKET)
    assert edit.op_class is OperationClass.STATE
    assert NAME_IN_AGREED[aspect] in edit.reason
    assert said(decision) == []


@pytest.mark.parametrize("aspect", ASPECTS)
def test_what_is_carried_over_is_agreed_on_only_once_it_was_written(aspect: str) -> None:
    decision = decide(incident(**CHANGED[aspect][0]), aspect=aspect)
    name = NAME_IN_AGREED[aspect]
    (edit,) = of_kind(decision, Kind.EDIT_TICKET)
    agree = edit.meaning["agree"]
    assert name not in decision.agreed
    assert isinstance(agree, dict)
    assert agree[name] != AGREED[name]


@pytest.mark.parametrize("aspect", ASPECTS)
def test_what_a_person_wrote_stays_while_the_incident_does_not_change(aspect: str) -> None:
    assert decide(incident(), issue(**BY_A_PERSON[aspect])) == Decision()


def test_what_an_edit_of_ours_with_a_lost_answer_wrote_is_no_persons_choice() -> None:
    shown = ticket(issue(summary="Payments have stopped"))
    back = case(incident(), shown, attempted={"summary": "Payments have stopped"})
    decision = decide_all(back, book())
    assert edits(decision) == {"summary": AGREED["summary"]}
    assert decision.agreed["summary"] == "Payments have stopped"
    chosen = decide_all(case(incident(), shown), book())
    assert not of_kind(chosen, Kind.EDIT_TICKET)
    assert "summary" not in chosen.agreed


def test_all_that_changed_is_one_edit() -> None:
    decision = decide(incident(title="Payments have stopped", priority=P1, assignees=(BEN,)))
    assert set(edits(decision)) == {"summary", "priority", SEVERITY_FIELD, "assignee"}
    assert len(decision.operations) == 1


def test_a_ticket_that_was_not_read_yet_is_not_edited() -> None:
    unread = case(incident(title="else"), ticket().model_copy(update={"issue": None}))
    assert decide_fields(unread, book()) == Decision()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_ticket_that_shows_it_already_is_agreed_on_without_a_write(aspect: str) -> None:
    shows: dict[str, Any] = {
        "summary": {"summary": "Payments have stopped"},
        "priority": {"priority": Reference(id="1", name="Highest")},
        "severity": {"fields": {SEVERITY_FIELD: {"value": "SEV0"}}},
        "component": {"components": (Reference(id="72", name="BluBank"),)},
        "assignee": {"assignee": PEOPLE["U2"]},
    }
    decision = decide(incident(**CHANGED[aspect][0]), issue(**shows[aspect]), aspect=aspect)
    name = NAME_IN_AGREED[aspect]
    assert decision.agreed.get(name, AGREED[name]) != AGREED[name]
    assert CHANGED[aspect][1].keys().isdisjoint(edits(decision))
    assert said(decision) == []


# To whom a field belongs


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_field_of_jiras_is_peoples_after_the_create(aspect: str) -> None:
    rules = owned("jira", aspect, service=service_of(aspect))
    for shown in (issue(), issue(**BY_A_PERSON[aspect])):
        decision = decide_fields(case(incident(**CHANGED[aspect][0]), ticket(shown)), rules)
        assert CHANGED[aspect][1].keys().isdisjoint(edits(decision))
        assert NAME_IN_AGREED[aspect] in decision.agreed
        assert (NAME_IN_AGREED[aspect], "the mapping leaves this field to Jira (jira.owners)") in left(
            decision
        )
        assert said(decision) == []


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_field_of_nobodys_is_carried_over_while_nobody_else_touched_it(aspect: str) -> None:
    happens, writes = CHANGED[aspect]
    rules = owned("nobody", aspect, service=service_of(aspect))
    decision = decide_fields(case(incident(**happens), ticket()), rules)
    assert writes.items() <= edits(decision).items()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_field_of_nobodys_that_both_sides_changed_is_said_once_and_left(aspect: str) -> None:
    happens, writes = CHANGED[aspect]
    rules = owned("nobody", aspect, service=service_of(aspect))
    decision = decide_fields(case(incident(**happens), ticket(issue(**BY_A_PERSON[aspect]))), rules)
    assert writes.keys().isdisjoint(edits(decision))
    assert NAME_IN_AGREED[aspect] in decision.agreed
    (text,) = said(decision)
    assert text.startswith(f"{NAME_IN_AGREED[aspect]}: both sides changed this field")
    agreed = AGREED | decision.agreed
    after = ticket(issue(**BY_A_PERSON[aspect]), agreed=agreed)
    assert of_kind(decide_fields(case(incident(**happens), after), rules), Kind.COMMENT_ON_TICKET) == []


@pytest.mark.parametrize("aspect", [each_aspect for each_aspect in ASPECTS if each_aspect != "assignee"])
def test_what_a_person_wrote_into_a_field_of_pagerdutys_is_not_replaced_silently(aspect: str) -> None:
    happens, writes = CHANGED[aspect]
    decision = decide(incident(**happens), issue(**BY_A_PERSON[aspect]), aspect=aspect)
    assert writes.keys() <= edits(decision).keys()
    wrote = {
        "summary": "Alipay: settlement is late",
        "priority": "Low",
        "severity": "SEV3",
        "component": "Ledger",
    }[aspect]
    assert any(text.endswith(f"Before, the ticket said: {wrote}") for text in said(decision))


def test_a_second_text_of_a_person_that_is_replaced_by_the_same_title_is_told_too() -> None:
    def told(wrote: str) -> str:
        decision = decide(incident(title="Payments have stopped"), issue(summary=wrote))
        (op,) = of_kind(decision, Kind.COMMENT_ON_TICKET)
        return op.key

    assert told("settlement is late") == told("settlement is late")
    assert told("settlement is late") != told("it is the bank")


# The title


@pytest.mark.parametrize("happened", [incident(title="card 4111 1111 1111 1111 refused")])
def test_a_title_is_masked_before_it_is_written(happened: Incident) -> None:
    masked = "card [card number] refused"
    assert edits(decide(happened)) == {"summary": masked}
    agreed = ticket(issue(summary=masked), agreed={**AGREED, "summary": masked})
    assert decide_fields(case(happened, agreed), book()) == Decision()


def test_the_mappings_own_patterns_mask_the_title_too() -> None:
    rules = book(redact={"patterns": {"account": r"ACC-\d+"}})
    decision = decide_fields(case(incident(title="ACC-123 is locked")), rules)
    assert edits(decision) == {"summary": "[account] is locked"}


@pytest.mark.parametrize(
    ("title", "summary"),
    [("a\nb\tc", "a b c"), ("x" * 300, "x" * 254 + "…"), ("", "Incident #17"), (" \x00 ", "Incident #17")],
    ids=["lines", "long", "empty", "blank"],
)
def test_a_title_becomes_a_line_that_jira_takes(title: str, summary: str) -> None:
    assert edits(decide(incident(title=title))) == {"summary": summary}


# The component


def test_components_that_people_added_stay_when_the_service_changes() -> None:
    people = (Reference(id="79", name="Ledger"), Reference(id="71", name="Alipay"))
    decision = decide(incident(), issue(components=people), aspect="component")
    assert edits(decision) == {"components": [{"id": "79"}, {"id": "72"}]}
    assert said(decision) == []


def test_a_component_that_the_project_lacks_is_left_alone() -> None:
    assert "components" not in edits(decide_fields(case(), book("Web")))


# The assignee


def test_an_assignee_whom_a_person_chose_stays_and_the_responder_is_named_once() -> None:
    decision = decide(incident(assignees=(BEN,)), issue(assignee=SOMEBODY))
    assert edits(decision) == {}
    assert decision.agreed == {"assignee": "acc-ben"}
    assert said(decision) == [
        "assignee: a person chose the assignee, so syncd leaves it. The incident now says: Ben"
    ]
    after = ticket(issue(assignee=SOMEBODY), agreed=AGREED | decision.agreed)
    assert decide_fields(case(incident(assignees=(BEN,)), after), book()) == Decision()


def test_an_assignee_whom_a_person_chose_before_anybody_was_assigned_stays() -> None:
    unassigned = {name: value for name, value in AGREED.items() if name != "assignee"}
    decision = decide(incident(), issue(assignee=SOMEBODY), agreed=unassigned)
    assert edits(decision) == {}
    assert said(decision) == [
        "assignee: a person chose the assignee, so syncd leaves it. The incident now says: Ana"
    ]


def test_a_ticket_without_an_assignee_gets_the_first_responder() -> None:
    unassigned = {name: value for name, value in AGREED.items() if name != "assignee"}
    decision = decide(incident(), issue(assignee=None), agreed=unassigned)
    assert edits(decision) == {"assignee": {"accountId": "acc-ana"}}
    assert said(decision) == []


def test_a_ticket_whose_assignee_a_person_took_away_stays_so_until_the_incident_changes() -> None:
    assert decide(incident(), issue(assignee=None)) == Decision()
    decision = decide(incident(assignees=(BEN,)), issue(assignee=None))
    assert edits(decision) == {"assignee": {"accountId": "acc-ben"}}
    assert said(decision) == [
        "assignee: syncd replaced this, because the incident changed. Before, the ticket said: nobody"
    ]


def test_a_resolve_keeps_the_assignee() -> None:
    over = incident(status="resolved")
    assert over.assignees == ()
    assert decide(over) == Decision()
    assert decide(over, issue(assignee=SOMEBODY)) == Decision()


@pytest.mark.parametrize(
    ("assignees", "account"),
    [((CYD, BEN), "acc-ben"), ((CYD,), FALLBACK.id), ((BEN, ANA), "acc-ben")],
    ids=["second", "fallback", "first"],
)
def test_the_ticket_goes_to_the_first_who_can_have_it_else_to_the_fallback(
    assignees: tuple[Any, ...], account: str
) -> None:
    assert edits(decide(incident(assignees=assignees))) == {"assignee": {"accountId": account}}


def test_the_responder_who_is_named_is_the_one_who_would_have_the_ticket() -> None:
    decision = decide(incident(assignees=(CYD, BEN)), issue(assignee=SOMEBODY))
    assert said(decision) == [
        "assignee: a person chose the assignee, so syncd leaves it. The incident now says: Ben"
    ]


def test_nobody_is_assigned_where_nobody_can_be() -> None:
    lonely = case(incident(assignees=(CYD,)), ticket(), fallback=None)
    assert decide_fields(lonely, book()) == Decision()


def test_data_center_knows_people_by_name() -> None:
    decision = decide_fields(case(incident(assignees=(BEN,))), book(edition="datacenter"))
    assert edits(decision) == {"assignee": {"name": "acc-ben"}}


# Severity fields


@pytest.mark.parametrize(("kind", "written"), [("option", {"value": "SEV0"}), ("string", "SEV0")])
def test_a_severity_is_written_as_its_field_takes_it(kind: str, written: object) -> None:
    rules = book()
    facts = rules.project.fields["Severity"].model_copy(update={"type": kind})
    fields = {**rules.project.fields, "Severity": facts}
    rules = rules.model_copy(update={"project": rules.project.model_copy(update={"fields": fields})})
    shown = issue(fields={SEVERITY_FIELD: "SEV2"}) if kind == "string" else issue()
    decision = decide_fields(case(incident(priority=P1), ticket(shown)), rules)
    assert edits(decision)[SEVERITY_FIELD] == written
    assert said(decision) == []


# Refused and adopted


@pytest.mark.parametrize(
    ("aspect", "field"),
    [
        ("summary", "summary"),
        ("priority", "priority"),
        ("severity", SEVERITY_FIELD),
        ("component", "components"),
        ("assignee", "assignee"),
    ],
)
def test_a_field_that_jira_refused_is_not_tried_again(aspect: str, field: str) -> None:
    decision = decide(incident(**CHANGED[aspect][0]), aspect=aspect, refused=(field,))
    assert field not in edits(decision)
    assert NAME_IN_AGREED[aspect] not in decision.agreed


def adopted(**more: Any) -> TicketState:
    """A ticket that a person made and wrote, found a moment ago."""
    wrote: dict[str, Any] = {}
    for change in BY_A_PERSON.values():
        wrote |= change
    return ticket(issue(**wrote), origin="adopted", placed_status=None, **{"agreed": {}, **more})


def test_an_adopted_ticket_keeps_what_people_wrote() -> None:
    decision = decide_fields(case(incident(), adopted()), book())
    assert decision.operations == ()
    assert decision.agreed == {name: value for name, value in AGREED.items() if name != "state"}


@pytest.mark.parametrize("aspect", [each_aspect for each_aspect in ASPECTS if each_aspect != "assignee"])
def test_later_changes_of_the_incident_reach_an_adopted_ticket(aspect: str) -> None:
    first = decide_fields(case(incident(), adopted()), book())
    happens, writes = CHANGED[aspect]
    after = adopted(agreed=first.agreed)
    decision = decide_fields(case(incident(**happens), after), book(service_of(aspect)))
    assert writes.keys() <= edits(decision).keys()


def test_an_adopted_tickets_assignee_stays_for_ever() -> None:
    first = decide_fields(case(incident(), adopted()), book())
    decision = decide_fields(case(incident(assignees=(BEN,)), adopted(agreed=first.agreed)), book())
    assert edits(decision) == {}
