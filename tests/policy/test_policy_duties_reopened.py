"""The two duties of an incident that stays open, or is reopened, raised, lowered or merged."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from duty_cast import (
    DAY,
    DUE,
    HOUR,
    OLA,
    RESOLVED,
    SECOND,
    Life,
    rules,
    theirs,
)
from test_policy_duties import COMPLETED, LATER, MINUTE, over

from syncd.domain.duty import DutyState
from syncd.domain.history import SeverityPeriod
from syncd.policy.case import MergedSource, MergeTarget
from syncd.policy.postmortem.duties import decide_duties
from syncd.policy.postmortem.owed import owed_postmortem
from syncd.policy.postmortem.resolved_periods import open_too_long


def test_reopened_and_resolved_again_within_30_minutes_leaves_the_deadline() -> None:
    life = over()
    life.decide(RESOLVED + MINUTE)
    life.reopen(RESOLVED + HOUR)
    assert life.state(RESOLVED + HOUR + 29 * MINUTE) == "pending"
    life.resolve(RESOLVED + HOUR + 30 * MINUTE)
    duty = life.duty(RESOLVED + 2 * HOUR)
    assert duty is not None
    assert (duty.clock, duty.due_at) == (1, DUE)


def test_a_deadline_within_those_30_minutes_is_judged_after_them() -> None:
    life = over()
    life.decide(RESOLVED + MINUTE)
    life.reopen(DUE - 5 * MINUTE)
    assert life.state(DUE + 10 * MINUTE) == "due_soon"
    assert life.decide(DUE + 10 * MINUTE).again == pytest.approx(15 * 60)
    life.resolve(DUE + 20 * MINUTE)
    assert life.state(DUE + 25 * MINUTE) == "breached"


def test_reopened_before_it_was_met_stops_the_clock_and_the_next_resolve_starts_another() -> None:
    life = over()
    life.decide(RESOLVED + MINUTE)
    life.reopen(RESOLVED + HOUR)
    assert life.state(RESOLVED + HOUR + 31 * MINUTE) == "cancelled"
    assert life.state(DUE + DAY) == "cancelled"
    again = DUE + 2 * DAY
    life.resolve(again)
    duty = life.duty(again + HOUR)
    assert duty is not None
    assert (duty.clock, duty.state, duty.started_at, duty.due_at) == (2, "pending", again, again + 48 * HOUR)
    assert life.all() == [(1, "cancelled"), (2, "pending")]


def test_reopened_after_it_was_met_stays_met_and_the_other_duty_gets_a_new_clock() -> None:
    life = over().review(RESOLVED + HOUR)
    life.decide(RESOLVED + 2 * HOUR)
    life.reopen(RESOLVED + 3 * HOUR).resolve(RESOLVED + DAY)
    life.decide(RESOLVED + 2 * DAY)
    assert life.all() == [(1, "met")]
    assert life.all(COMPLETED) == [(1, "cancelled"), (2, "pending")]


def test_reopened_after_a_breach_the_breach_stays_and_the_next_resolve_starts_a_clock() -> None:
    life = over()
    assert life.state(LATER) == "breached"
    life.reopen(LATER + HOUR)
    assert life.state(LATER + 2 * HOUR) == "breached"
    again = LATER + DAY
    life.resolve(again)
    life.decide(again + HOUR)
    assert life.all() == [(1, "breached"), (2, "pending")]
    life.review(again + 2 * HOUR, "2026-12-01")
    life.decide(again + 3 * HOUR)
    assert life.all() == [(1, "met_late"), (2, "met")]
    assert life.duties[0].breached_at == DUE


def test_what_was_done_while_it_was_open_again_meets_the_next_clock() -> None:
    life = over()
    life.decide(RESOLVED + MINUTE)
    life.reopen(RESOLVED + HOUR).review(RESOLVED + 5 * HOUR).resolve(RESOLVED + DAY)
    life.decide(RESOLVED + DAY + HOUR)
    assert life.all() == [(1, "cancelled"), (2, "met")]


def test_severity_raised_after_the_resolve_starts_the_clock_then() -> None:
    raised = RESOLVED + 5 * DAY
    life = Life(priority="P4")
    life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": "SEV3"})
    life.resolve()
    assert life.state(RESOLVED + DAY) is None
    life.severity("SEV1", raised)
    assert life.state(raised + 9 * MINUTE) is None
    assert life.decide(raised + 9 * MINUTE).again == 60
    duty = life.duty(raised + 10 * MINUTE)
    assert duty is not None
    assert (duty.started_at, duty.due_at) == (raised, raised + 48 * HOUR)
    assert duty.reason.endswith("it first needed one after its resolve; the deadline is 48 hours later")
    assert life.review(raised + HOUR, "2026-12-12").state(raised + 2 * HOUR) == "met"


def test_a_peak_counts_when_it_was_held_for_ten_minutes_or_at_the_resolve() -> None:
    def lived(worst_for: timedelta, resolved: datetime) -> str | None:
        life = Life(priority="P4")
        life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": "SEV3"})
        peak = RESOLVED - HOUR
        life.severity("SEV1", peak).severity("SEV3", peak + worst_for)
        return life.resolve(resolved).state(RESOLVED + HOUR)

    assert lived(9 * MINUTE, RESOLVED) is None
    assert lived(10 * MINUTE, RESOLVED) == "pending"
    assert lived(9 * MINUTE, RESOLVED - 55 * MINUTE) == "pending"


def test_severity_lowered_changes_nothing_at_the_peak_and_cancels_with_final() -> None:
    peak, final = over(), over(book=rules(postmortem={"basis": "final"}))
    for life in (peak, final):
        life.decide(RESOLVED + HOUR)
        life.severity("SEV3", RESOLVED + 2 * HOUR)
    assert peak.state(RESOLVED + 3 * HOUR) == "pending"
    duty = final.duty(RESOLVED + 3 * HOUR)
    assert duty is not None
    assert (duty.state, duty.reason) == (
        "cancelled",
        "its severity was lowered to one that needs no postmortem",
    )
    raised = RESOLVED + DAY
    final.severity("SEV2", raised)
    final.decide(raised + HOUR)
    assert final.all() == [(1, "cancelled"), (2, "pending")]


def moved(at: datetime | None, basis: str) -> Life:
    """A resolved SEV3 of a service that always owes a postmortem; until `at` it had one that owed none."""
    period = SeverityPeriod(severity="SEV3", since=RESOLVED - HOUR, unowed_until=at)
    book = rules(services={"Alipay": {"postmortem": True}}, postmortem={"basis": basis})
    return Life(book=book, severity_periods=[period], priority="P4").resolve()


@pytest.mark.parametrize("basis", ["peak", "final"])
def test_moved_after_the_resolve_to_a_service_that_owes_a_postmortem_starts_the_clock_at_the_move(
    basis: str,
) -> None:
    move = RESOLVED + 9 * DAY
    life = moved(move, basis)
    duty = life.duty(move + HOUR)
    assert duty is not None
    assert (duty.state, duty.started_at, duty.due_at) == ("pending", move, move + 48 * HOUR)
    assert life.state(move + 49 * HOUR) == "breached"


@pytest.mark.parametrize("basis", ["peak", "final"])
@pytest.mark.parametrize("move", [None, RESOLVED - MINUTE])
def test_moved_before_the_resolve_or_from_a_service_that_owed_one_too_leaves_the_clock_at_the_resolve(
    move: datetime | None, basis: str
) -> None:
    duty = moved(move, basis).duty(RESOLVED + HOUR)
    assert duty is not None
    assert (duty.state, duty.due_at) == ("pending", DUE)


def test_a_move_that_lasts_less_than_10_minutes_owes_nothing_yet() -> None:
    life = moved(RESOLVED + DAY, "peak")
    assert life.state(RESOLVED + DAY + 4 * MINUTE) is None
    assert life.decide(RESOLVED + DAY + 4 * MINUTE).again == pytest.approx(6 * 60)
    assert life.state(RESOLVED + DAY + 10 * MINUTE) == "pending"


def test_a_severity_that_was_held_before_the_move_only_asks_for_nothing() -> None:
    life = Life(severity_periods=[SeverityPeriod(severity="SEV1", since=RESOLVED - HOUR)]).resolve()
    milder = SeverityPeriod(severity="SEV3", since=RESOLVED + HOUR, unowed_until=RESOLVED + DAY)
    life.severity_periods.append(milder)
    life.priority = "P4"
    assert life.state(RESOLVED + 2 * DAY) is None


def test_a_severity_that_was_held_at_the_end_of_a_short_reopening_counts() -> None:
    minute = HOUR / 60
    life = Life(severity_periods=[SeverityPeriod(severity="SEV3", since=RESOLVED - HOUR)], priority="P4")
    life.resolve().reopen(RESOLVED + 5 * minute).severity("SEV1", RESOLVED + 6 * minute)
    life.resolve(RESOLVED + 10 * minute).severity("SEV3", RESOLVED + 12 * minute)
    assert life.state(RESOLVED + HOUR) == DutyState.PENDING
    assert owed_postmortem(life.case(RESOLVED + HOUR), life.book) is not None


def test_merged_into_an_incident_that_was_not_read_yet_it_owes_no_more() -> None:
    life = Life().resolve()
    merged = life.case(RESOLVED + HOUR)
    incident = merged.incident.model_copy(update={"merged_into": "P9"})
    case = merged.model_copy(update={"incident": incident, "merged_into": None})
    assert decide_duties(case, life.book).duties == ()
    assert owed_postmortem(case, life.book) is None


def test_merged_into_another_it_owes_no_more_and_says_why() -> None:
    life = over()
    life.decide(RESOLVED + HOUR)
    life.merged_into = MergeTarget(id="P9", number=99)
    life.decide(RESOLVED + 2 * HOUR)
    assert life.all() == [(1, "cancelled")]
    assert life.all(COMPLETED) == [(1, "cancelled")]
    assert life.duties[0].reason == "it was merged into incident 99, whose postmortem counts"


def test_merged_after_a_duty_was_missed_it_stays_missed_until_it_is_met() -> None:
    life = over()
    assert life.state(LATER) == "breached"
    life.merged_into = MergeTarget(id="P9", number=99)
    life.decide(LATER + HOUR)
    assert life.all() == [(1, "breached")]
    assert life.all(COMPLETED) == [(1, "cancelled")]
    life.review(LATER + 2 * HOUR, "2026-12-01")
    assert life.state(LATER + 3 * HOUR) == "met_late"


def test_lowered_after_a_duty_was_missed_it_stays_missed_also_where_the_final_severity_counts() -> None:
    life = over(book=rules(postmortem={"basis": "final"}))
    assert life.state(LATER) == "breached"
    life.severity("SEV3", LATER + HOUR)
    life.decide(LATER + 2 * HOUR)
    assert life.all() == [(1, "breached")]
    assert life.all(COMPLETED) == [(1, "cancelled")]


@pytest.mark.parametrize("wrote", ["review", "description", "comment"])
def test_merged_after_a_person_wrote_its_postmortem_nothing_is_cancelled(wrote: str) -> None:
    life = over()
    life.decide(RESOLVED + HOUR)
    if wrote == "comment":
        life.comments.append(theirs("what happened", RESOLVED + HOUR, OLA))
    elif wrote == "review":
        life.review(RESOLVED + HOUR)
    else:
        life.change("description", RESOLVED + HOUR, None)
    life.merged_into = MergeTarget(id="P9", number=99)
    life.decide(RESOLVED + 2 * HOUR)
    assert "cancelled" not in [state for _clock, state in (*life.all(), *life.all(COMPLETED))]


def test_merged_into_one_that_no_team_claims_it_still_owes() -> None:
    life = over()
    life.merged_into = MergeTarget(id="P9", number=99, claimed=False)
    assert life.state(RESOLVED + HOUR) == "pending"


def test_the_target_owes_what_the_worst_of_them_owed() -> None:
    life = Life(priority="P4")
    life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": "SEV3"})
    merged = RESOLVED - HOUR
    life.merged_sources.append(MergedSource(id="P3", number=3, severity="SEV1", owes=True, merged_at=merged))
    duty = life.resolve().duty(RESOLVED + HOUR)
    assert duty is not None
    assert (duty.started_at, duty.due_at) == (RESOLVED, DUE)
    assert duty.reason.startswith("incident #3, SEV1, was merged into it")


def test_an_incident_that_is_open_for_more_than_a_week_is_a_fact_for_the_report() -> None:
    life = Life()
    assert open_too_long(life.case(life.created + 7 * DAY), life.book) is None
    assert open_too_long(life.case(life.created + 7 * DAY + SECOND), life.book) == 7 * DAY + SECOND
    life.resolve(life.created + 9 * DAY)
    assert open_too_long(life.case(life.created + 10 * DAY), life.book) is None
