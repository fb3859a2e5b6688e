"""The two duties under a waiver, and after a correction that takes a breach back."""

from __future__ import annotations

from datetime import datetime

import pytest
from duty_cast import (
    DAY,
    DUE,
    HOUR,
    RESOLVED,
    SECOND,
    Life,
)
from test_policy_duties import COMPLETED, LATER, MINUTE, over

from syncd.domain.clock import GRACE
from syncd.domain.duty import DutyState


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
