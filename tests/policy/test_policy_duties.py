"""The two duties: when they are due, what meets them, and every row of the table of events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from duty_cast import (
    COMPLETED_DUE,
    DAY,
    DUE,
    HOUR,
    OLA,
    PIA,
    RESOLVED,
    ROBOT,
    SECOND,
    US,
    Life,
    rules,
    theirs,
)
from policy_cast import DONE, IN_PROGRESS, TO_DO

from syncd.domain.clock import GRACE, ClockSkew
from syncd.domain.duty import DutyKind, DutyState
from syncd.domain.history import Leave, SeverityPeriod
from syncd.policy.case import MergedSource, MergeTarget
from syncd.policy.postmortem.duties import decide_duties
from syncd.policy.postmortem.owed import owed_postmortem
from syncd.policy.postmortem.resolved_periods import open_too_long

COMPLETED = DutyKind.COMPLETED
LATER = DUE + GRACE
MINUTE = timedelta(minutes=1)


def over(**changes: Any) -> Life:
    """An incident of SEV2 that was resolved, with a postmortem that has an owner and nothing else."""
    return Life(**changes).resolve()


def test_scheduled_is_due_48_hours_and_completed_10_working_days_after_the_resolve() -> None:
    life = over()
    life.decide(RESOLVED + HOUR)
    scheduled, completed = life.duties
    assert (scheduled.started_at, scheduled.due_at) == (RESOLVED, DUE)
    assert (completed.started_at, completed.due_at) == (RESOLVED, COMPLETED_DUE)
    assert (life.all(), life.all(COMPLETED)) == ([(1, "pending")], [(1, "pending")])


def test_completed_after_a_resolve_on_a_day_off_is_due_at_the_end_of_the_10th_working_day() -> None:
    saturday = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
    life = Life(created=saturday - HOUR).resolve(saturday)
    life.decide(saturday + HOUR)
    assert life.duties[1].due_at == datetime(2026, 12, 5, tzinfo=UTC)


def test_hours_are_hours_over_a_weekend_and_working_days_are_not() -> None:
    friday = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    life = Life(created=friday - HOUR).resolve(friday)
    life.decide(friday + HOUR)
    scheduled, completed = life.duties
    assert scheduled.due_at == datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
    assert completed.due_at == datetime(2026, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "resolved", "scheduled", "completed"),
    [
        ("Europe/Berlin", (2026, 3, 27, 13), (2026, 3, 29, 13), (2026, 4, 10, 22)),
        ("Europe/Berlin", (2026, 10, 23, 12), (2026, 10, 25, 12), (2026, 11, 6, 23)),
        ("America/New_York", (2026, 3, 6, 17), (2026, 3, 8, 17), (2026, 3, 21, 4)),
        ("America/New_York", (2026, 10, 30, 16), (2026, 11, 1, 16), (2026, 11, 14, 5)),
        ("Australia/Sydney", (2026, 10, 2, 2), (2026, 10, 4, 2), (2026, 10, 16, 13)),
        ("Australia/Sydney", (2026, 4, 3, 1), (2026, 4, 5, 1), (2026, 4, 17, 14)),
        ("Europe/Berlin", (2028, 2, 28, 11), (2028, 3, 1, 11), (2028, 3, 13, 23)),
    ],
)
def test_over_a_change_of_clocks_hours_stay_hours_and_days_end_at_local_midnight(
    zone: str,
    resolved: tuple[int, int, int, int],
    scheduled: tuple[int, int, int, int],
    completed: tuple[int, int, int, int],
) -> None:
    book = rules(zone=zone, enforce_from=date(2026, 1, 1))
    at = datetime(*resolved, tzinfo=UTC)
    life = Life(book, created=at - HOUR).resolve(at)
    life.decide(at + HOUR)
    assert [duty.due_at for duty in life.duties] == [
        datetime(*scheduled, tzinfo=UTC),
        datetime(*completed, tzinfo=UTC),
    ]


def test_a_severity_that_owes_none_has_no_duty() -> None:
    life = Life(priority="P4").resolve()
    life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": "SEV3"})
    assert decide_duties(life.case(DUE + DAY), life.book).duties == ()


def test_an_open_incident_and_one_of_before_the_rules_owe_nothing() -> None:
    life = Life()
    assert life.decide(RESOLVED).duties == ()
    early = Life(rules(enforce_from=date(2026, 11, 24))).resolve()
    assert decide_duties(early.case(DUE), early.book).duties == ()
    before_enforcement = over().case(DUE).model_copy(update={"before_enforcement": True})
    assert decide_duties(before_enforcement, rules()).duties == ()


def test_a_resolve_of_before_the_rules_starts_no_clock_even_if_it_was_reopened_after() -> None:
    life = Life(rules(enforce_from=date(2026, 11, 24))).resolve()
    life.reopen(RESOLVED + 2 * DAY).resolve(RESOLVED + 3 * DAY)
    life.decide(RESOLVED + 3 * DAY + HOUR)
    assert life.all() == [(1, "pending")]
    assert life.duties[0].started_at == RESOLVED + 3 * DAY


def test_an_owner_and_a_review_date_of_a_person_meet_it() -> None:
    life = over().review(RESOLVED + 3 * HOUR)
    duty = life.duty(RESOLVED + 4 * HOUR)
    assert duty is not None
    assert (duty.state, duty.met_at, duty.met_by) == ("met", RESOLVED + 3 * HOUR, OLA.id)
    assert duty.remedy == ""


def test_the_later_of_owner_and_date_is_when_it_was_met() -> None:
    life = Life(owner_at_first=None).resolve().review(RESOLVED + HOUR)
    assert life.state(RESOLVED + 2 * HOUR) == "pending"
    life.assign(RESOLVED + 5 * HOUR, PIA, by=PIA)
    duty = life.duty(RESOLVED + 6 * HOUR)
    assert duty is not None
    assert (duty.state, duty.met_at, duty.met_by) == ("met", RESOLVED + 5 * HOUR, PIA.id)


@pytest.mark.parametrize("by", [ROBOT, None])
def test_a_date_that_no_person_entered_meets_nothing(by: Any) -> None:
    life = over().review(RESOLVED + HOUR, by=by)
    assert life.state(RESOLVED + 2 * HOUR) == "pending"


def test_a_person_who_shares_our_account_meets_it_because_we_never_write_the_date() -> None:
    assert over().review(RESOLVED + HOUR, by=US).state(RESOLVED + 2 * HOUR) == "met"


def test_a_date_that_stood_there_from_our_create_meets_nothing_one_on_a_persons_own_issue_does() -> None:
    assert over(date_at_first="2026-11-30").state(RESOLVED + 2 * HOUR) == "pending"
    assert over(date_at_first="2026-11-30", origin="adopted").state(RESOLVED + 2 * HOUR) == "met"


@pytest.mark.parametrize(
    ("day", "state"),
    [
        ("2026-11-22", "pending"),
        ("2026-11-23", "met"),
        ("2026-12-07", "met"),
        ("2026-12-08", "pending"),
        ("next week", "pending"),
    ],
)
def test_the_review_lies_between_the_resolve_and_14_days_after_it(day: str, state: str) -> None:
    assert over().review(RESOLVED + HOUR, day).state(RESOLVED + 2 * HOUR) == state


def test_the_days_are_those_of_the_teams_zone() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    life = Life(rules(zone="Asia/Tokyo"), created=late - HOUR).resolve(late)
    assert life.review(late + HOUR, "2026-11-23").state(late + 2 * HOUR) == "pending"
    assert life.review(late + 3 * HOUR, "2026-11-24").state(late + 4 * HOUR) == "met"


def test_an_owner_whose_account_is_not_active_counts_as_none() -> None:
    life = over(owner_active=False).review(RESOLVED + HOUR)
    assert life.state(RESOLVED + 2 * HOUR) == "pending"


def test_an_owner_who_leaves_before_the_completion_starts_a_clock_that_only_another_owner_meets() -> None:
    life = over().review(RESOLVED + HOUR)
    assert life.state(DUE + DAY) == "met"
    left = DUE + 2 * DAY
    life.owner_active, life.leaves = False, {OLA.id: Leave(after=left - DAY, by=left)}
    duty = life.duty(left + HOUR)
    assert duty is not None
    assert (duty.clock, duty.started_at, duty.due_at) == (2, left, left + 48 * HOUR)
    assert (
        f"its owner left between {left - DAY:%Y-%m-%d %H:%M} UTC and {left:%Y-%m-%d %H:%M} UTC" in duty.reason
    )
    assert life.all() == [(1, "met"), (2, "pending")]
    life.owner_active = True
    life.assign(left + DAY, PIA, by=PIA)
    duty = life.duty(left + 2 * DAY)
    assert duty is not None
    assert (duty.state, duty.met_at, duty.met_by) == ("met", left + DAY, PIA.id)
    assert life.duties[0].met_at == RESOLVED + HOUR


def test_who_looked_only_after_an_owner_left_says_the_same_as_who_looked_on() -> None:
    left = DUE + 2 * DAY
    often, once = over().review(RESOLVED + HOUR), over().review(RESOLVED + HOUR)
    for life in (often, once):
        life.leaves = {OLA.id: Leave(after=left - DAY, by=left)}
        life.assign(left + DAY, PIA, by=PIA)
    for hours in range(0, 24 * 7, 5):
        often.decide(RESOLVED + hours * HOUR)
    end = DUE + 9 * DAY
    often.decide(end)
    once.decide(end)
    assert [(duty.clock, duty.state, duty.met_at) for duty in often.duties] == [
        (duty.clock, duty.state, duty.met_at)
        for duty in sorted(once.duties, key=lambda duty: _place(duty, often))
    ]
    assert often.all() == [(1, "met"), (2, "met")]


def _place(duty: Any, like: Life) -> int:
    return [each_duty.place for each_duty in like.duties].index(duty.place)


def test_an_owner_who_leaves_after_the_completion_is_owed_nothing_for() -> None:
    life = over().review(RESOLVED + HOUR).move(RESOLVED + DAY, DONE)
    life.owner_active, life.leaves = False, {OLA.id: Leave(after=DUE, by=DUE + DAY)}
    assert life.duty(DUE + 2 * DAY) is not None
    assert life.all() == [(1, "met")]


def test_what_was_done_before_the_clock_started_meets_it_at_its_start() -> None:
    life = over()
    life.reopen(RESOLVED + HOUR).review(RESOLVED + 5 * HOUR).resolve(RESOLVED + DAY)
    duty = life.duty(RESOLVED + DAY + HOUR)
    assert duty is not None
    assert (duty.clock, duty.state, duty.met_at) == (2, "met", RESOLVED + DAY)


def test_completed_means_the_mapped_status() -> None:
    life = over().move(RESOLVED + DAY, IN_PROGRESS)
    assert life.state(RESOLVED + 2 * DAY, COMPLETED) == "pending"
    life.move(RESOLVED + 3 * DAY, DONE, by=PIA)
    duty = life.duty(RESOLVED + 4 * DAY, COMPLETED)
    assert duty is not None
    assert (duty.state, duty.met_at, duty.met_by) == ("met", RESOLVED + 3 * DAY, PIA.id)


def test_a_completed_postmortem_that_is_taken_up_again_is_owed_with_its_deadline() -> None:
    life = over().move(RESOLVED + DAY, DONE)
    life.decide(RESOLVED + 2 * DAY)
    life.move(RESOLVED + 3 * DAY, TO_DO)
    duty = life.duty(RESOLVED + 4 * DAY, COMPLETED)
    assert duty is not None
    assert (duty.state, duty.due_at) == ("pending", COMPLETED_DUE)


def test_a_completed_postmortem_stays_scheduled_when_its_date_is_cleared() -> None:
    life = over().review(RESOLVED + HOUR).move(RESOLVED + DAY, DONE)
    life.decide(RESOLVED + 2 * DAY)
    life.review(DUE + DAY, None)
    assert life.state(DUE + 2 * DAY) == "met"


def test_the_states_on_the_way_to_the_deadline_and_beyond() -> None:
    life, soon = over(), DUE - DAY
    assert life.state(soon - SECOND) == "pending"
    assert life.state(soon) == "due_soon"
    assert life.state(DUE - SECOND) == "due_soon"
    assert life.state(DUE) == "due_soon"
    assert life.state(LATER - SECOND) == "due_soon"
    duty = life.duty(LATER)
    assert duty is not None
    assert (duty.state, duty.breached_at) == ("breached", DUE)


@pytest.mark.parametrize(
    ("acted", "state"),
    [(DUE - SECOND, "met"), (DUE, "met"), (DUE + SECOND, "met_late"), (DUE + DAY, "met_late")],
)
@pytest.mark.parametrize("looked", [DUE + 2 * DAY, DUE + 30 * DAY])
def test_the_second_of_the_act_decides_and_not_when_the_daemon_looked(
    acted: datetime, state: str, looked: datetime
) -> None:
    life = over().review(acted, "2026-12-01")
    duty = life.duty(looked)
    assert duty is not None
    assert (duty.state, duty.met_at) == (state, acted)
    assert duty.breached_at == (None if state == "met" else DUE)


@pytest.mark.parametrize("acted", [DUE - SECOND, DUE, DUE + SECOND])
def test_a_daemon_that_slept_over_the_deadline_says_the_same_as_one_that_looked_on(acted: datetime) -> None:
    awake, slept = over().review(acted, "2026-12-01"), over().review(acted, "2026-12-01")
    for minutes in range(0, 4 * 24 * 60, 47):
        awake.decide(RESOLVED + minutes * MINUTE)
    assert awake.duty(DUE + 5 * DAY) == slept.duty(DUE + 5 * DAY)


def test_a_breach_waits_for_a_changelog_that_reaches_beyond_the_deadline() -> None:
    life = over(read_until=DUE + MINUTE)
    decision = life.decide(DUE + HOUR)
    assert decision.look == {"postmortem"}
    assert not any(duty.breached_at for duty in life.duties)
    life.read_until = DUE + HOUR
    assert life.state(DUE + HOUR) == "breached"


def test_what_was_not_read_since_it_changed_is_read_first() -> None:
    life = over()
    case = life.case(RESOLVED + HOUR)
    assert case.postmortem is not None
    unread = case.postmortem.model_copy(update={"changes_until": None})
    assert decide_duties(case.model_copy(update={"postmortem": unread}), life.book).look == {"postmortem"}
    assert decide_duties(case.model_copy(update={"state_changes": None}), life.book).look == {"log"}


@pytest.mark.parametrize(
    ("skew", "passes"),
    [
        (ClockSkew(behind=DAY), DUE + DAY),
        (ClockSkew(ahead=6 * HOUR), LATER),
        (ClockSkew(behind=DAY, ahead=HOUR), DUE + DAY),
    ],
)
def test_while_the_clocks_differ_a_deadline_passes_when_it_has_passed_by_both(
    skew: ClockSkew, passes: datetime
) -> None:
    life = over(skew=skew)
    assert life.state(passes - SECOND) == "due_soon"
    assert life.decide(passes - SECOND).again == 1.0
    assert life.duty(passes).breached_at == DUE
    soon = DUE - DAY - skew.ahead
    assert [over(skew=skew).state(at) for at in (soon - SECOND, soon)] == ["pending", "due_soon"]


def test_an_act_that_lies_ahead_of_our_clock_counts_at_once() -> None:
    life = over(skew=ClockSkew(ahead=HOUR)).review(RESOLVED + 3 * HOUR)
    case = life.case(RESOLVED + 3 * HOUR)
    duties = decide_duties(case.model_copy(update={"now": RESOLVED + 2 * HOUR}), life.book).duties
    assert duties[0].state == "met"


def test_a_postmortem_that_was_never_made_is_overdue_only_where_it_is_enforced() -> None:
    assert over(postmortem=False).state(LATER) == "breached"
    assert over(book=rules(postmortem={"mode": "report"}), postmortem=False).state(LATER) == "due_soon"
    off = over(book=rules(postmortem={"mode": "off"}))
    assert off.state(LATER) is None


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


def test_a_waived_duty_rests_and_is_due_24_hours_after_the_end() -> None:
    life = over()
    end = DUE + 5 * DAY
    life.decide(RESOLVED + HOUR)
    life.waive(RESOLVED + 2 * HOUR, end)
    duty = life.duty(DUE + DAY)
    assert duty is not None
    assert (duty.state, duty.due_at, duty.was_due_at) == ("waived", end + DAY, DUE)
    assert life.state(end - SECOND) == "waived"
    assert life.state(end) == "due_soon"
    assert life.state(end + DAY + GRACE - SECOND) == "due_soon"
    duty = life.duty(end + DAY + GRACE)
    assert duty is not None
    assert (duty.state, duty.breached_at) == ("breached", end + DAY)


def test_a_waiver_that_ends_well_before_the_deadline_leaves_it() -> None:
    life = over().waive(RESOLVED + HOUR, RESOLVED + 2 * HOUR)
    duty = life.duty(RESOLVED + 3 * HOUR)
    assert duty is not None
    assert (duty.state, duty.due_at, duty.was_due_at) == ("pending", DUE, None)


def test_a_waiver_of_one_duty_leaves_the_other() -> None:
    life = over().waive(RESOLVED + HOUR, DUE + 5 * DAY, COMPLETED)
    assert life.state(LATER) == "breached"
    assert life.state(LATER, COMPLETED) == "waived"


def test_a_waiver_taken_back_counts_from_when_it_ended() -> None:
    life = over().waive(RESOLVED + HOUR, DUE + 5 * DAY)
    ended = DUE + DAY
    life.waivers[0] = life.waivers[0].model_copy(update={"ended_at": ended})
    assert life.state(ended - SECOND) == "waived"
    duty = life.duty(ended + HOUR)
    assert duty is not None
    assert (duty.state, duty.due_at) == ("due_soon", ended + DAY)


def test_a_breach_of_before_the_waiver_stays_whatever_was_known_when() -> None:
    known, slept = over(), over()
    known.decide(LATER)
    for life in (known, slept):
        life.waive(DUE + DAY, DUE + 3 * DAY)
        duty = life.duty(DUE + 2 * DAY)
        assert duty is not None
        assert (duty.state, duty.verdict, duty.breached_at) == ("waived", "breached", DUE)
        assert (duty.due_at, duty.was_due_at) == (DUE, None)
        assert life.state(DUE + 3 * DAY) == "breached"
        life.review(DUE + 3 * DAY + HOUR, "2026-12-05")
        late = life.duty(DUE + 3 * DAY + 2 * HOUR)
        assert late is not None
        assert (late.state, late.due_at) == ("met_late", DUE)


@pytest.mark.parametrize("met", [DUE - HOUR, DUE + HOUR])
def test_a_waiver_given_after_a_duty_was_met_moves_it_to_no_other_week(met: datetime) -> None:
    life = over().review(met, "2026-12-01")
    before = life.duty(met + MINUTE)
    life.waive(DUE + DAY, DUE + 10 * DAY)
    assert life.duty(DUE + 2 * DAY) == before
    assert before is not None
    assert (before.verdict, before.due_at) == ("met" if met < DUE else "met_late", DUE)


def test_a_second_waiver_after_the_moved_deadline_was_missed_moves_nothing() -> None:
    life = over().waive(RESOLVED + HOUR, DUE + DAY)
    missed = life.duty(DUE + 3 * DAY)
    assert missed is not None
    assert (missed.state, missed.due_at) == ("breached", DUE + 2 * DAY)
    life.waive(DUE + 4 * DAY, DUE + 9 * DAY)
    later = life.duty(DUE + 5 * DAY)
    assert later is not None
    assert (later.verdict, later.due_at, later.was_due_at) == ("breached", DUE + 2 * DAY, DUE)


def test_what_is_done_while_waived_is_done_in_time() -> None:
    life = over().waive(RESOLVED + HOUR, DUE + 5 * DAY).review(DUE + DAY, "2026-12-01")
    assert life.state(DUE + 2 * DAY) == "met"


def test_what_is_done_before_its_deadline_keeps_its_week_whatever_was_waived() -> None:
    end = DUE + 5 * DAY
    life = over().waive(RESOLVED + HOUR, end)
    waived = life.duty(RESOLVED + 2 * HOUR)
    assert waived is not None and (waived.due_at, waived.was_due_at) == (end + DAY, DUE)
    life.review(RESOLVED + 3 * HOUR)
    met = life.duty(RESOLVED + 4 * HOUR)
    assert met is not None and (met.state, met.due_at, met.was_due_at) == ("met", DUE, None)
    life.review(DUE + DAY, None)
    lost = life.duty(DUE + 2 * DAY)
    assert lost is not None
    assert (lost.state, lost.verdict, lost.due_at, lost.breached_at) == ("waived", "breached", DUE, DUE + DAY)


def test_a_waiver_that_is_over_when_the_work_is_undone_moves_nothing() -> None:
    life = over().waive(RESOLVED + HOUR, DUE + DAY).review(RESOLVED + 3 * HOUR).review(DUE + 3 * DAY, None)
    duty = life.duty(DUE + 4 * DAY)
    assert duty is not None
    assert (duty.state, duty.due_at, duty.breached_at) == ("breached", DUE, DUE + 3 * DAY)


def taken_back(life: Life, at: datetime, met_at: datetime | None = None) -> None:
    """An approver takes the breach of the first duty back."""
    more = {"corrected": "it was scheduled by telephone", "corrected_at": at, "claimed_met_at": met_at}
    void = life.duties[0].model_copy(update={"state": DutyState.VOID, **more})
    life.duties = (void, *life.duties[1:])


def test_a_breach_that_is_taken_back_is_void_for_ever_and_the_duty_is_owed_anew() -> None:
    life, at = over(), LATER + HOUR
    life.decide(LATER)
    taken_back(life, at)
    anew = life.duty(at + HOUR)
    assert anew is not None
    assert (anew.clock, anew.state, anew.started_at, anew.due_at) == (2, "due_soon", at, at + DAY)
    assert life.all() == [(1, "void"), (2, "due_soon")]
    assert life.duties[0].breached_at == DUE
    assert life.state(at + DAY + GRACE) == "breached"
    life.review(at + 2 * DAY, "2026-12-01")
    assert life.state(at + 3 * DAY) == "met_late"
    assert life.all() == [(1, "void"), (2, "met_late")]


def test_work_that_was_done_after_the_correction_meets_only_what_is_owed_anew() -> None:
    life, at = over(), LATER + HOUR
    life.decide(LATER)
    taken_back(life, at)
    life.review(at + 2 * HOUR, "2026-12-01")
    met = life.duty(at + 3 * HOUR)
    assert met is not None
    assert (met.clock, met.state, met.met_at) == (2, "met", at + 2 * HOUR)


def test_taken_back_under_a_running_waiver_it_is_due_at_the_waivers_end() -> None:
    life, at = over(), LATER + 2 * HOUR
    life.decide(LATER)
    life.waive(LATER + HOUR, LATER + 5 * DAY)
    taken_back(life, at)
    anew = life.duty(at + HOUR)
    assert anew is not None
    assert (anew.state, anew.due_at) == ("waived", LATER + 5 * DAY)
    assert life.state(LATER + 5 * DAY + GRACE) == "breached"


def test_taken_back_with_a_time_nothing_more_is_owed_and_nothing_counts_as_met() -> None:
    life, at = over(), LATER + HOUR
    life.decide(LATER)
    taken_back(life, at, met_at=DUE - HOUR)
    life.decide(at + 9 * DAY)
    life.reopen(at + 10 * DAY).resolve(at + 11 * DAY)
    life.decide(at + 12 * DAY)
    assert life.all() == [(1, "void")]
    assert life.duties[0].met_at is None


def test_a_breach_that_is_taken_back_after_a_reopening_leaves_the_next_clock_alone() -> None:
    life = over()
    life.decide(LATER)
    life.reopen(LATER + HOUR)
    life.decide(LATER + 3 * HOUR)
    taken_back(life, LATER + 4 * HOUR)
    life.resolve(LATER + DAY)
    life.decide(LATER + DAY + HOUR)
    assert life.all() == [(1, "void"), (2, "pending")]
    assert life.duty(LATER + DAY + HOUR) == next(
        duty for duty in life.duties if duty.started_at == LATER + DAY
    )


def test_what_is_overdue_for_long_can_still_be_ended_by_a_date_two_weeks_ahead() -> None:
    life = over()
    life.decide(LATER)
    much_later = DUE + 60 * DAY
    life.review(much_later, "2027-02-08")
    assert life.state(much_later + HOUR) == "breached"
    life.review(much_later + 2 * HOUR, "2027-02-05")
    assert life.state(much_later + 3 * HOUR) == "met_late"


def test_the_next_moment_that_matters_is_named() -> None:
    life = over()
    assert life.decide(RESOLVED + HOUR).again == (DUE - DAY - RESOLVED - HOUR).total_seconds()
    assert life.decide(DUE - HOUR).again == (LATER - DUE + HOUR).total_seconds()
    life.waive(DUE - HOUR / 2, DUE + DAY)
    assert life.decide(DUE).again == DAY.total_seconds()
    done = over().review(RESOLVED + HOUR).move(RESOLVED + HOUR, DONE)
    assert done.decide(RESOLVED + 2 * HOUR).again is None


def test_the_reason_says_why_it_started_and_why_that_deadline() -> None:
    life = over(book=rules(zone="Europe/Berlin"))
    life.decide(RESOLVED + HOUR)
    scheduled, completed = life.duties
    # readers have the dates beside it, each in one zone
    assert scheduled.reason == (
        "SEV2 incidents need a postmortem; the deadline is 48 hours after the resolve"
    )
    assert completed.reason.endswith("the deadline is the end of 10 working days after the resolve")
    enter = "enter the day of its review in its due date, from 2026-11-23 to 2026-12-07"
    assert scheduled.remedy == enter
    life.assign(RESOLVED + 2 * HOUR, None)
    life.decide(RESOLVED + 3 * HOUR)
    assert life.duties[0].remedy == f"give the postmortem an owner and {enter}"
    assert completed.remedy == "move the postmortem to Done or Closed"


def test_an_incident_that_is_open_for_more_than_a_week_is_a_fact_for_the_report() -> None:
    life = Life()
    assert open_too_long(life.case(life.created + 7 * DAY), life.book) is None
    assert open_too_long(life.case(life.created + 7 * DAY + SECOND), life.book) == 7 * DAY + SECOND
    life.resolve(life.created + 9 * DAY)
    assert open_too_long(life.case(life.created + 10 * DAY), life.book) is None
