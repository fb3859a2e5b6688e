"""The two duties after their work was undone, went out of sight or moved to another team."""

from __future__ import annotations

from duty_cast import (
    DAY,
    DUE,
    HOUR,
    RESOLVED,
    rules,
)
from test_policy_duties import LATER, over

from syncd.policy.postmortem.duties import decide_duties


def test_owner_or_date_removed_after_it_was_met_is_owed_again_with_the_same_deadline() -> None:
    for take_away in ("review", "assign"):
        life = over().review(RESOLVED + HOUR)
        assert life.state(RESOLVED + 2 * HOUR) == "met"
        getattr(life, take_away)(RESOLVED + 3 * HOUR, None)
        duty = life.duty(RESOLVED + 4 * HOUR)
        assert duty is not None
        assert (duty.state, duty.due_at, duty.met_at) == ("pending", DUE, None)


def test_a_date_removed_after_the_deadline_is_overdue_from_then() -> None:
    life = over().review(RESOLVED + HOUR).review(DUE + DAY, None)
    duty = life.duty(DUE + 2 * DAY)
    assert duty is not None
    assert (duty.state, duty.breached_at) == ("breached", DUE + DAY)


def test_a_postmortem_that_cannot_be_seen_at_its_deadline_is_not_met_and_missed_when_it_is_back() -> None:
    life = over(gone_since=RESOLVED + DAY, read_until=RESOLVED + DAY)
    assert life.decide(LATER + DAY).look == frozenset()
    duty = life.duty(LATER + DAY)
    assert duty is not None
    assert (duty.state, duty.breached_at, duty.unseen) == ("breached", DUE, True)
    life.gone_since, life.read_until = None, None
    duty = life.duty(LATER + 2 * DAY)
    assert duty is not None
    assert (duty.state, duty.breached_at, duty.unseen) == ("breached", DUE, False)


def test_a_breach_is_taken_back_when_the_postmortem_is_back_and_was_scheduled_in_time() -> None:
    life = over(gone_since=RESOLVED + DAY, read_until=RESOLVED + DAY).review(DUE - HOUR)
    assert life.state(LATER + DAY) == "breached"
    life.gone_since, life.read_until = None, None
    duty = life.duty(LATER + 2 * DAY)
    assert duty is not None
    assert (duty.state, duty.breached_at, duty.met_at, duty.unseen) == ("met", None, DUE - HOUR, False)
    assert "took the breach back" in duty.reason
    assert life.duty(LATER + 3 * DAY) == duty


def test_what_was_scheduled_is_not_met_while_nobody_can_see_it_at_its_deadline() -> None:
    life = over(gone_since=RESOLVED + DAY, read_until=RESOLVED + DAY).review(RESOLVED + HOUR)
    assert life.state(DUE - HOUR) == "met"
    missed = life.duty(LATER + DAY)
    assert missed is not None
    assert (missed.state, missed.unseen) == ("breached", True)
    life.gone_since, life.read_until = None, None
    assert life.state(LATER + 2 * DAY) == "met"


def test_a_breach_of_before_it_vanished_is_never_taken_back_by_itself() -> None:
    life = over()
    assert life.state(LATER) == "breached"
    life.gone_since, life.read_until = LATER + HOUR, LATER
    duty = life.duty(LATER + DAY)
    assert duty is not None
    assert (duty.state, duty.unseen) == ("breached", False)


def test_no_deadline_is_judged_that_no_read_of_both_services_has_reached() -> None:
    life = over()
    case = life.case(LATER)
    unread = case.model_copy(update={"read_until": DUE - HOUR})
    assert {duty.state for duty in decide_duties(unread, life.book).duties} == {"due_soon", "pending"}
    read = case.model_copy(update={"read_until": LATER})
    assert "breached" in {duty.state for duty in decide_duties(read, life.book).duties}


def test_moved_to_another_service_its_mapping_holds_from_then_on() -> None:
    life = over()
    life.decide(RESOLVED + HOUR)
    before = life.duties
    life.book = rules(postmortem={"schedule_hours": 24}, version="v2")
    assert life.duty(RESOLVED + 2 * HOUR) == before[0]
    nothing_owed = {"Only": {"pagerduty": ["P3"], "urgency": "high"}}
    life.book = rules(severities=nothing_owed, services={"Alipay": {}})
    duty = life.duty(RESOLVED + 3 * HOUR)
    assert duty is not None
    assert (duty.state, duty.reason) == (
        "cancelled",
        "Only incidents need no postmortem",
    )
