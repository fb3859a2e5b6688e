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
)
from policy_cast import DONE, IN_PROGRESS, TO_DO

from syncd.domain.clock import GRACE, ClockSkew
from syncd.domain.duty import DutyKind
from syncd.domain.history import Leave
from syncd.policy.case import Decision
from syncd.policy.postmortem.create import decide_postmortem
from syncd.policy.postmortem.duties import decide_duties, why_no_postmortem
from syncd.policy.ticket.status import wanted_word

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


def test_a_resolve_of_before_the_rules_owes_no_postmortem_after_a_short_reopening() -> None:
    life = Life(rules(enforce_from=date(2026, 11, 24)), postmortem=False).resolve()
    life.reopen(RESOLVED + 2 * DAY).resolve(RESOLVED + 2 * DAY + 10 * MINUTE)
    case = life.case(RESOLVED + 2 * DAY + HOUR)
    assert decide_duties(case, life.book).duties == ()
    assert decide_postmortem(case, life.book).operations == ()
    assert wanted_word(case, life.book) == "closed"
    # the dry run tells of none either
    waits = rules(enforce_from=date(2026, 11, 24), postmortem={"mode": "report"})
    assert decide_postmortem(case, waits) == Decision()
    why = why_no_postmortem(case, life.book)
    assert why == "it was resolved before the rules began (`enforce_from: 2026-11-24`)"


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
