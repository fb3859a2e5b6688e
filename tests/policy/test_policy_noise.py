"""What a team's noise rules keep back, until when, and what they may never touch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from policy_cast import NOW, book, case, incident, note, of_kind, untracked

from syncd.domain.base import Reference
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.decide import decide

MILD = Reference(id="PRIO4", name="P4")


def noise(**rule: Any) -> Rulebook:
    """QRPay's rulebook with one noise rule."""
    return book(noise=[{"name": "weekly test", **rule}])


def happens(minutes: float = 0.0, **more: Any) -> Case:
    """A mild incident that was triggered so many minutes ago and has no ticket."""
    mild: dict[str, Any] = {"priority": MILD, "urgency": "low", "title": "weekly test of the pager"}
    known = untracked(incident(**(mild | more)), notes=(note("it is only a test"),))
    return known.model_copy(update={"now": NOW + timedelta(minutes=minutes)})


def tracked(decision: Decision) -> bool:
    """Whether the incident gets its ticket."""
    return bool(of_kind(decision, Kind.CREATE_TICKET)) and decision.noise_rule is None


def test_noise_gets_nothing_and_says_which_rule_it_was() -> None:
    assert decide(happens(), noise(title="weekly test")) == Decision(noise_rule="weekly test")


@pytest.mark.parametrize(
    ("rule", "kept_back"),
    [
        ({"title": "WEEKLY"}, True),
        ({"title": "^test"}, False),
        ({"urgency": "low"}, True),
        ({"urgency": "high"}, False),
        ({"services": "Alipay"}, True),
        ({"services": ["S1"]}, True),
        ({"services": ["BluBank"]}, False),
        ({"services": ["BluBank", "Alipay"], "title": "weekly", "urgency": "low"}, True),
        ({"services": ["Alipay"], "title": "weekly", "urgency": "high"}, False),
        ({"services": ["Alipay"], "title": "monthly", "urgency": "low"}, False),
    ],
)
def test_all_conditions_that_a_rule_gives_must_hold(rule: dict[str, Any], kept_back: bool) -> None:
    assert tracked(decide(happens(), noise(**rule))) is not kept_back


def test_any_of_several_rules_is_enough() -> None:
    rules = book(noise=[{"name": "other", "title": "monthly"}, {"name": "this", "title": "weekly"}])
    assert decide(happens(), rules).noise_rule == "this"


@pytest.mark.parametrize("priority", ["P1", "P2", "P3"])
def test_a_severity_that_owes_a_postmortem_is_never_noise(priority: str) -> None:
    rules = noise(title="weekly test")
    assert tracked(decide(happens(priority=Reference(id="X", name=priority)), rules))


def test_an_incident_that_rises_above_its_rule_gets_its_ticket() -> None:
    rules = noise(title="weekly test")
    assert not tracked(decide(happens(), rules))
    assert tracked(decide(happens(priority=Reference(id="X", name="P1")), rules))


def test_a_ticket_that_stands_is_not_given_up_for_a_rule() -> None:
    mild = incident(priority=MILD, title="weekly test")
    assert decide(case(mild), noise(title="weekly test")).noise_rule is None


def test_what_others_were_merged_into_is_no_noise() -> None:
    target = happens().model_copy(update={"merged_from": ("P7",)})
    assert tracked(decide(target, noise(title="weekly test")))


# An early resolve

EARLY = noise(resolved_within_minutes=5)


@pytest.mark.parametrize("minutes", [0, 4])
def test_a_ticket_waits_for_an_early_resolve_and_is_looked_at_again_in_time(minutes: float) -> None:
    assert decide(happens(minutes), EARLY) == Decision(noise_rule="weekly test", again=60 * (5 - minutes))


@pytest.mark.parametrize("minutes", [5, 60])
def test_a_ticket_waits_no_longer_than_that(minutes: float) -> None:
    assert tracked(decide(happens(minutes), EARLY))


def over_after(minutes: float, **more: Any) -> Incident:
    """A mild incident that lasted so many minutes."""
    mild = {"priority": MILD, "urgency": "low"} | more
    return incident(status="resolved", resolved_at=NOW + timedelta(minutes=minutes), **mild)


@pytest.mark.parametrize(("minutes", "kept_back"), [(1, True), (5, True), (5.1, False)])
def test_what_was_over_early_gets_no_ticket_however_late_it_is_seen(minutes: float, kept_back: bool) -> None:
    known = untracked(over_after(minutes)).model_copy(update={"now": NOW + timedelta(days=1)})
    assert tracked(decide(known, EARLY)) is not kept_back


def test_an_acknowledge_ends_the_wait() -> None:
    assert tracked(decide(happens(1, status="acknowledged"), EARLY))


def test_only_low_urgency_waits() -> None:
    assert tracked(decide(happens(1, urgency="high"), EARLY))


def test_qrpays_first_mapping_has_no_noise_rule() -> None:
    assert book().mapping.noise == ()
