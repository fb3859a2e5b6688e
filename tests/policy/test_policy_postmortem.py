"""When a postmortem is owed, for which severity, and when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from policy_cast import NOW, book, case, incident, issue, of_kind, project

from syncd.domain.base import Reference
from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.operation import Kind
from syncd.domain.project import PostmortemFacts
from syncd.domain.ticket import Link
from syncd.policy.case import Case, MergedSource, MergeTarget, PostmortemState, Rulebook
from syncd.policy.postmortem.create import decide_postmortem
from syncd.policy.postmortem.owed import owed_postmortem

OVER = NOW + timedelta(hours=2)


def at(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def severity_periods(*given: tuple[str, float]) -> tuple[SeverityPeriod, ...]:
    return tuple(SeverityPeriod(severity=name, since=at(minutes)) for name, minutes in given)


def rules(**postmortem: Any) -> Rulebook:
    made = book(postmortem={"mode": "enforce", **postmortem})
    there = PostmortemFacts(type=Reference(id="104", name="Postmortem"), link_type="Relates")
    return made.model_copy(update={"project": project().model_copy(update={"postmortem": there})})


def resolved(priority: str = "P3", *had: tuple[str, float], minutes: float = 30, **more: Any) -> Case:
    """An incident that was resolved after two hours, so many minutes ago."""
    happened = incident(status="resolved", resolved_at=OVER, priority=Reference(id="P", name=priority))
    data: dict[str, Any] = {
        "now": OVER + timedelta(minutes=minutes),
        "severity_periods": severity_periods(*had),
        "state_changes": (StateChange(kind="triggered", at=NOW), StateChange(kind="resolved", at=OVER)),
    }
    return case(happened, **{**data, **more})


@pytest.mark.parametrize(
    ("had", "now", "basis", "owed"),
    [
        ([("SEV2", 0)], "P3", "peak", "SEV2"),
        ([("SEV3", 0)], "P4", "peak", None),
        ([("SEV3", 0), ("SEV0", 20), ("SEV3", 29)], "P4", "peak", None),
        ([("SEV3", 0), ("SEV0", 20), ("SEV3", 30)], "P4", "peak", "SEV0"),
        ([("SEV3", 0), ("SEV0", 20), ("SEV3", 60)], "P4", "final", None),
        ([("SEV3", 0), ("SEV1", 119), ("SEV3", 121)], "P4", "peak", "SEV1"),
        ([("SEV3", 0), ("SEV1", 130)], "P2", "peak", "SEV1"),
        ([("SEV3", 0), ("SEV1", 145)], "P2", "peak", None),
        ([("SEV3", 0), ("SEV1", 121), ("SEV3", 125)], "P4", "peak", None),
        ([("SEV0", 0), ("SEV2", 60)], "P3", "peak", "SEV0"),
        ([("SEV0", 0), ("SEV2", 60)], "P3", "final", "SEV2"),
        ([("SEV3", 0), ("SEV1", 20), ("SEV2", 26), ("SEV3", 32)], "P4", "peak", "SEV2"),
        ([("SEV3", 0), ("SEV1", 20), ("SEV2", 26), ("SEV3", 29)], "P4", "peak", None),
        ([], "P1", "peak", "SEV0"),
    ],
)
def test_a_severity_counts_that_was_held_for_ten_minutes_or_at_the_resolve_or_is_the_last(
    had: list[tuple[str, float]], now: str, basis: str, owed: str | None
) -> None:
    owing = owed_postmortem(resolved(now, *had), rules(basis=basis))
    assert (owing.severity if owing else None) == owed


def test_a_severity_that_was_held_at_an_earlier_resolve_counts() -> None:
    turns = [("triggered", 0), ("resolved", 5), ("reopened", 6), ("resolved", 120)]
    state_changes = tuple(StateChange(kind=kind, at=at(minutes)) for kind, minutes in turns)
    owed = owed_postmortem(resolved("P4", ("SEV1", 0), ("SEV3", 8), state_changes=state_changes), rules())
    assert owed is not None and (owed.severity, owed.since) == ("SEV1", at(0))


def test_a_severity_that_was_raised_after_the_resolve_is_waited_for_until_it_counts() -> None:
    assert decide_postmortem(resolved("P2", ("SEV3", 0), ("SEV1", 145)), rules()).again == 300.0


def test_it_is_owed_since_the_incident_first_qualified() -> None:
    owed = owed_postmortem(resolved("P2", ("SEV3", 0), ("SEV2", 40), ("SEV1", 150)), rules())
    assert owed is not None
    assert owed.since == at(40)


def test_what_was_merged_into_an_incident_of_nobodys_service_still_owes_its_own() -> None:
    source = resolved("P2")
    merged = source.incident.model_copy(update={"merged_into": "P9"})
    target = MergeTarget(id="P9", claimed=False)
    foreign = source.model_copy(update={"incident": merged, "merged_into": target})
    assert owed_postmortem(foreign, rules()) is not None


def test_what_was_merged_into_another_owes_nothing_and_the_other_one_owes_for_it() -> None:
    source = resolved("P1")
    merged = source.incident.model_copy(update={"merged_into": "P9"})
    source = source.model_copy(update={"incident": merged, "merged_into": MergeTarget(id="P9")})
    assert owed_postmortem(source, rules()) is None
    merged_sources = MergedSource(id="P8", number=8, severity="SEV1", owes=True, merged_at=at(30))
    owed = owed_postmortem(resolved("P4", merged_from=("P8",), merged_sources=(merged_sources,)), rules())
    assert owed is not None and (owed.severity, owed.since) == ("SEV1", at(30))
    assert owed.reason == "incident #8, SEV1, was merged into it"
    foreign = merged_sources.model_copy(update={"severity": "Sev-1"})
    owed = owed_postmortem(resolved("P4", merged_from=("P8",), merged_sources=(foreign,)), rules())
    assert owed is not None and owed.severity == "SEV0"


def test_every_incident_of_a_service_may_owe_one() -> None:
    made = book(services={"Alipay": {"postmortem": True}}, postmortem={"mode": "enforce"})
    owed = owed_postmortem(resolved("P4"), made)
    assert owed is not None and owed.reason == "every incident of Alipay needs a postmortem"


def test_it_is_made_half_an_hour_after_the_resolve_and_waits_until_then() -> None:
    early = decide_postmortem(resolved(minutes=10), rules())
    assert (early.operations, early.again) == ((), 1200.0)
    (made,) = decide_postmortem(resolved(), rules()).operations
    assert (made.key, made.needs) == ("postmortem/P1", ("ticket/P1",))
    assert decide_postmortem(resolved(once={made.key}), rules()).operations == ()


def test_a_clock_that_stands_behind_the_services_does_not_make_it_wait_longer() -> None:
    assert decide_postmortem(resolved(minutes=-600), rules()).again == 1800.0


def test_the_log_is_read_before_it_is_made() -> None:
    decision = decide_postmortem(resolved(state_changes=None), rules())
    assert (decision.look, decision.operations) == (frozenset({"log"}), ())


@pytest.mark.parametrize(
    "given",
    [
        resolved("P4"),
        resolved(before_enforcement=True),
        case(incident(), now=OVER),
    ],
    ids=["owes none", "before the rules", "open"],
)
def test_nothing_is_made_where_nothing_is_owed(given: Case) -> None:
    decision = decide_postmortem(given, rules())
    assert (decision.operations, decision.again, decision.dry_run_notes, decision.look) == (
        (),
        None,
        (),
        frozenset(),
    )


def test_in_mode_report_it_is_only_said() -> None:
    decision = decide_postmortem(resolved(state_changes=None), rules(mode="report"))
    assert (decision.operations, decision.look) == ((), frozenset())
    assert "make the postmortem: SEV2 incidents need a postmortem" in decision.dry_run_notes[0]
    assert decide_postmortem(resolved(), rules(mode="off")).dry_run_notes == ()


def with_postmortem(postmortem: dict[str, Any] | None = None, **more: Any) -> Case:
    state = PostmortemState(**{"issue_id": "10009", "key": "OPS-9", **(postmortem or {})})
    return resolved(postmortem=state, **more)


def test_it_is_linked_to_its_ticket_once() -> None:
    (link,) = decide_postmortem(with_postmortem(), rules()).operations
    assert (link.kind, link.meaning["other"], link.meaning["types"]) == (
        Kind.LINK_POSTMORTEM,
        "10005",
        ["Relates"],
    )
    assert decide_postmortem(with_postmortem({"agreed": {"link": "10005"}}), rules()).operations == ()


def test_what_a_person_linked_already_is_not_linked_again() -> None:
    there = Link(id="1", type="Relates", other_id="10005", other_key="OPS-5")
    postmortem = {"issue": issue(id="10009", key="OPS-9", links=(there,))}
    assert decide_postmortem(with_postmortem(postmortem), rules()).operations == ()


def test_a_restricted_incident_s_postmortem_is_put_under_the_level_once() -> None:
    made = rules()
    mapping = made.mapping.model_copy(
        update={"restricted": made.mapping.restricted.model_copy(update={"level": ("Security incident",)})}
    )
    there = made.project.model_copy(update={"security": {"Security incident": "77"}})
    made = made.model_copy(update={"mapping": mapping, "project": there})
    linked = {"agreed": {"link": "10005"}}
    (edit,) = of_kind(decide_postmortem(with_postmortem(linked, restricted=True), made), Kind.EDIT_POSTMORTEM)
    assert (edit.aspect, edit.meaning["fields"]) == ("security", {"security": {"id": "77"}})
    linked = {"agreed": {"link": "10005", "security": "77"}}
    assert decide_postmortem(with_postmortem(linked, restricted=True), made).operations == ()
    stub = {"agreed": {"link": "10005", "stub": True}}
    assert decide_postmortem(with_postmortem(stub, restricted=True), made).operations == ()
    secured = {"agreed": {"link": "1"}, "issue": issue(security_level=Reference(id="5", name="Board"))}
    assert decide_postmortem(with_postmortem(secured, restricted=True), made).operations == ()


def test_a_ticket_is_needed_for_the_link() -> None:
    lone = with_postmortem().model_copy(update={"ticket": None})
    assert decide_postmortem(lone, rules()).operations == ()
