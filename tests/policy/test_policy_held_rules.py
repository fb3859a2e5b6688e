"""Which rules hold for an incident that is over: those that held when it was resolved."""

from __future__ import annotations

import pytest
from policy_cast import book, incident

from syncd.policy.case import Case
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
    (name, *_) = [one for one, section in now.mapping.severities.items() if section.postmortem]
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
