"""What makes an incident restricted, what is kept of it, and which decisions it changes."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cast import (
    AGREED,
    book,
    case,
    comment,
    edits,
    incident,
    issue,
    note,
    of_kind,
    said,
    ticket,
    untracked,
)

from syncd.domain.base import Reference
from syncd.domain.incident import Restriction
from syncd.domain.operation import Kind
from syncd.policy.case import Decision, Rulebook
from syncd.policy.decide import decide
from syncd.policy.restricted import restricted_by, restricted_by_person, withheld
from syncd.policy.severity import decide_severity, owes_postmortem

LEVEL = Reference(id="900", name="Few")
RULES: dict[str, Any] = {
    "level": ["Fewer", "Few"],
    "ordinary_levels": ["Staff"],
    "titles": [r"\bPII\b"],
    "incident_types": ["security"],
    "services": ["BluBank", "S9"],
}


def few(**changes: Any) -> Rulebook:
    """QRPay's rulebook with rules for restricted incidents, in a project that has a level."""
    made = book(restricted=RULES, **changes)
    return made.model_copy(update={"project": made.project.model_copy(update={"security": {"few": "900"}})})


def why(**more: Any) -> str | None:
    made = few()
    why = restricted_by(incident(**more), made.mapping, made.section)
    return why.why if why is not None else None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, None),
        ({"title": "pii in a log"}, "title"),
        ({"title": "happiINg"}, None),
        ({"incident_type": "Security"}, "incident type"),
        ({"service": Reference(id="S2", name="BluBank")}, "service BluBank"),
        ({"service": Reference(id="S9", name="")}, "service S9"),
    ],
)
def test_a_rule_of_the_mapping_restricts(more: dict[str, Any], expected: str | None) -> None:
    assert why(**more) == expected


def test_a_severity_restricts_only_where_the_mapping_says_so() -> None:
    made = book()
    severities = {
        name: section.model_copy(update={"restricted": name == "SEV2"})
        for name, section in made.mapping.severities.items()
    }
    strict = made.mapping.model_copy(update={"severities": severities})
    assert restricted_by(incident(), made.mapping, made.section) is None
    assert restricted_by(incident(), strict, made.section) == Restriction(why="severity SEV2")


def test_a_person_restricts_by_the_label_or_by_a_level_that_is_not_an_ordinary_one() -> None:
    mapping = few().mapping
    assert restricted_by_person(issue(), mapping) is None
    assert restricted_by_person(issue(labels=("Restricted",)), mapping) == "label restricted"
    assert restricted_by_person(issue(security_level=LEVEL), mapping) == "security level"
    assert restricted_by_person(issue(security_level=Reference(id="1", name="Staff")), mapping) is None


def test_what_is_kept_decides_the_same_severity_and_holds_no_text() -> None:
    made = few()
    fields = {"impact": "SEV1", "who": "secret customer"}
    for more in (
        {"title": "[S1] secret thing", "priority": None},
        {"title": "secret thing", "priority": None, "custom_fields": fields},
        {"title": "[secret] thing", "incident_key": "secret"},
        {"title": "secret", "custom_fields": {"impact": "secret"}},
    ):
        whole = incident(**more)
        kept = withheld(whole, made.mapping)
        assert "secret" not in kept.model_dump_json()
        assert decide_severity(kept, made.mapping, made.section) == decide_severity(
            whole, made.mapping, made.section
        )
        assert withheld(kept, made.mapping) == kept


def level_writes(decision: Decision) -> list[Any]:
    return [op.meaning["fields"] for op in of_kind(decision, Kind.EDIT_TICKET) if op.aspect == "security"]


def test_a_ticket_without_a_level_is_put_under_the_mapping_s() -> None:
    assert level_writes(decide(case(restricted=True), few())) == [{"security": {"id": "900"}}]
    assert level_writes(decide(case(), few())) == []
    ordinary = ticket(issue(security_level=Reference(id="1", name="Staff")))
    assert level_writes(decide(case(had=ordinary, restricted=True), few())) == [{"security": {"id": "900"}}]


def test_a_level_that_is_there_is_agreed_and_never_written_again() -> None:
    there = ticket(issue(security_level=Reference(id="7", name="Board only")))
    decision = decide(case(had=there, restricted=True), few())
    assert (level_writes(decision), decision.agreed) == ([], {"security": "7"})
    gone = ticket(issue(), agreed={**AGREED, "security": "7"})
    assert level_writes(decide(case(had=gone, restricted=True), few())) == []


def test_without_a_level_it_is_said_once_that_there_is_none() -> None:
    bare = book(restricted=RULES)
    first = decide(case(restricted=True), bare)
    assert [remark.rule for remark in first.remarks] == ["restricted"]
    told = ticket(agreed={**AGREED, **first.agreed})
    assert decide(case(had=told, restricted=True), bare) == Decision()


def test_no_text_of_a_restricted_incident_is_decided_to_go_anywhere() -> None:
    shown = issue(security_level=LEVEL, comments=(comment("secret"),), summary="secret")
    had = ticket(shown, agreed={**AGREED, "security": "900"})
    told = case(incident(title="secret too"), had, notes=(note("secret"),), restricted=True)
    decision = decide(told, few())
    assert "secret" not in str(decision)
    assert decision.operations == ()


def test_the_other_fields_of_a_restricted_ticket_follow_but_not_those_of_a_stub() -> None:
    rises = incident(priority=Reference(id="PRIO1", name="P1"))
    agreed = {**AGREED, "security": "900"}
    had = ticket(issue(security_level=LEVEL), agreed=agreed)
    assert edits(decide(case(rises, had, restricted=True), few()))["priority"] == {"id": "1"}
    stub = ticket(issue(), agreed={**AGREED, "stub": True})
    decision = decide(case(rises, stub, restricted=True), few())
    assert (edits(decision), said(decision)) == ({"security": {"id": "900"}}, [])
    secured = ticket(issue(security_level=LEVEL), agreed={**agreed, "stub": True})
    (fill,) = decide(case(rises, secured, restricted=True), few()).operations
    assert fill.kind is Kind.FILL_RESTRICTED_STUB
    kept = ticket(issue(security_level=LEVEL), agreed={**agreed, "stub": "kept"})
    assert decide(case(rises, kept, restricted=True), few()).operations == ()


def test_what_is_restricted_is_never_noise_and_never_rides_in_a_batch() -> None:
    quiet = few(noise=[{"name": "all of it", "services": ["Alipay"]}], closing={"mode": "off"})
    low = incident(priority=Reference(id="PRIO4", name="P4"))
    assert decide(untracked(low), quiet).noise_rule == "all of it"
    decision = decide(untracked(low, restricted=True), quiet)
    (create,) = of_kind(decision, Kind.CREATE_TICKET)
    assert create.meaning == {"restricted": True}


def test_a_service_owes_a_postmortem_for_every_severity_where_its_mapping_says_so() -> None:
    low = incident(priority=Reference(id="PRIO4", name="P4"))
    assert not owes_postmortem(low, book())
    owing = book(services={"Alipay": {"postmortem": True}})
    assert owes_postmortem(low, owing)
    assert owes_postmortem(incident(), book())
