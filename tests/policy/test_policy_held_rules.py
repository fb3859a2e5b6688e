"""Which rules hold for an incident that is over: those that held when it was resolved."""

from __future__ import annotations

from datetime import date

import pytest
from duty_cast import HOUR, RESOLVED, Life, rules
from policy_cast import book, incident

from syncd.domain.history import SeverityPeriod
from syncd.policy.case import Case
from syncd.policy.postmortem.duties import why_no_postmortem
from syncd.policy.rules_in_force import rules_in_force


def over(**earlier: str | None) -> Case:
    return Case(incident=incident(status="resolved"), earlier={**earlier})


@pytest.mark.parametrize(
    ("before", "hours"), [("24.0", 24.0), ("hash 0123456789ab", 48.0), ('"soon"', 48.0), (None, 48.0)]
)
def test_a_value_that_is_not_known_or_not_valid_any_more_is_that_of_now(
    before: str | None, hours: float
) -> None:
    held = rules_in_force(over(**{"postmortem.schedule_hours": before}), book())
    assert held.mapping.postmortem.schedule_hours == hours


def test_a_severity_or_service_that_newly_owes_a_postmortem_owed_none_before() -> None:
    now = book()
    (name, *_) = [severity for severity, section in now.mapping.severities.items() if section.postmortem]
    held = rules_in_force(over(**{f"severities.{name}.postmortem": "false"}), now)
    assert not held.mapping.severities[name].postmortem
    owing = now.model_copy(update={"section": now.section.model_copy(update={"postmortem": True})})
    service = incident().service.name
    assert not rules_in_force(over(**{f"services.{service}.postmortem": None}), owing).section.postmortem


@pytest.mark.parametrize(
    ("before", "mode"),
    [('"report"', "enforce"), ('"enforce"', "enforce"), ('"off"', "off"), (None, "enforce")],
)
def test_a_change_of_mode_is_no_change_of_the_rule_unless_it_was_off(before: str | None, mode: str) -> None:
    held = rules_in_force(over(**{"postmortem.mode": before}), book(postmortem={"mode": "enforce"}))
    assert held.mapping.postmortem.mode == mode


def test_where_nothing_changed_the_rules_are_those_of_now() -> None:
    now = book()
    assert rules_in_force(over(), now) is now
    assert rules_in_force(over(**{"postmortem.template": '"old.j2"'}), now) == now


LATER = RESOLVED + HOUR


def test_an_incident_that_owes_a_postmortem_has_no_reason_why_not() -> None:
    assert why_no_postmortem(Life().resolve().case(LATER), rules()) is None


def test_a_severity_that_needs_no_postmortem_is_named() -> None:
    mild = Life(severity_periods=[SeverityPeriod(severity="SEV3", since=RESOLVED - HOUR)], priority="P4")
    assert why_no_postmortem(mild.resolve().case(LATER), rules()) == "SEV3 incidents need no postmortem"


def test_a_severity_that_was_held_too_briefly_is_the_reason() -> None:
    life = Life(severity_periods=[]).severity("SEV3", RESOLVED - 2 * HOUR + HOUR / 60).resolve()
    reason = "it had no severity that needs a postmortem for 10 minutes or at the resolve"
    assert why_no_postmortem(life.case(LATER), rules()) == reason


def test_a_resolve_before_the_rules_began_is_the_reason() -> None:
    early = rules(enforce_from=date(2026, 11, 24))
    case = Life().resolve().case(LATER).model_copy(update={"before_enforcement": True})
    reason = "it was resolved before the rules began (`enforce_from: 2026-11-24`)"
    assert why_no_postmortem(case, early) == reason


def test_a_merge_names_the_incident_whose_postmortem_counts() -> None:
    case = Life().merge(RESOLVED).case(LATER)
    assert why_no_postmortem(case, rules()) == "it was merged into incident 99, whose postmortem counts"


@pytest.mark.parametrize(
    ("key", "before", "reason"),
    [
        ("severities.SEV2.postmortem", "false", "SEV2 incidents need no postmortem"),
        ("postmortem.mode", '"off"', "the rule is off (`postmortem.mode`)"),
    ],
)
def test_a_rule_that_was_changed_after_the_resolve_is_named(key: str, before: str, reason: str) -> None:
    case = Life().resolve().case(LATER).model_copy(update={"earlier": {key: before, "jira.labels": "[]"}})
    later = f"by the rules at its resolve: a change was loaded later ({key})"
    assert why_no_postmortem(case, rules()) == f"{reason}, {later}"


def test_a_rule_that_is_off_is_the_reason() -> None:
    off = rules(postmortem={"mode": "off"})
    assert why_no_postmortem(Life().resolve().case(LATER), off) == "the rule is off (`postmortem.mode`)"
