"""What holds for every life of an incident: deciding twice is deciding once, and a breach never vanishes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from duty_cast import DAY, HOUR, OLA, PIA, RESOLVED, ROBOT, Life, rules
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cast import DONE, TO_DO

from syncd.domain.duty import RUNNING, DutyKind, DutyState
from syncd.policy.postmortem.duties import decide_duties

few = settings(max_examples=120, deadline=None)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["turn", "review", "clear", "assign", "leave", "done", "undone", "severity", "waive"]
        ),
        st.integers(1, 60 * 24 * 4),
        st.integers(0, 20),
    ),
    max_size=14,
)
LOOKS = st.lists(st.integers(1, 60 * 24 * 5), min_size=1, max_size=12)
BASES = st.sampled_from(["peak", "final"])
MINUTE = timedelta(minutes=1)


def lived(steps: list[tuple[str, int, int]], basis: str) -> Life:
    """An incident's whole life, out of steps so many minutes after each other."""
    life = Life(rules(postmortem={"basis": basis}))
    at, over = RESOLVED, True
    life.resolve(at)
    for step, minutes, number in steps:
        at += minutes * MINUTE
        if step == "turn":
            over = not over
            life.state_change("resolved" if over else "reopened", at)
        elif step == "severity":
            life.severity(f"SEV{number % 4}", at)
        elif step == "waive":
            life.waive(at, at + number * DAY / 2 + HOUR, [None, *DutyKind][number % 3])
        else:
            _on_postmortem(life, step, at, number)
    return life


def _on_postmortem(life: Life, step: str, at: Any, number: int) -> None:
    by = [OLA, PIA, ROBOT][number % 3]
    if step == "review":
        life.review(at, f"{(at + number * DAY):%Y-%m-%d}", by)
    elif step == "clear":
        life.review(at, None, by)
    elif step == "assign":
        life.assign(at, by)
    elif step == "leave":
        life.assign(at, None)
    else:
        life.move(at, DONE if step == "done" else TO_DO, by)


@few
@given(STEPS, LOOKS, BASES)
def test_deciding_twice_is_deciding_once(
    steps: list[tuple[str, int, int]], looks: list[int], basis: str
) -> None:
    life, now = lived(steps, basis), RESOLVED
    for minutes in looks:
        now += minutes * MINUTE
        life.decide(now)
        again = decide_duties(life.case(now), life.book)
        assert (again.duties, again.remarks, again.look, again.waivers) == ((), (), frozenset(), ())


@few
@given(STEPS, LOOKS, BASES)
def test_a_breach_never_vanishes_and_clocks_are_only_added(
    steps: list[tuple[str, int, int]], looks: list[int], basis: str
) -> None:
    life, now = lived(steps, basis), RESOLVED
    breaches: dict[Any, Any] = {}
    for minutes in looks:
        now += minutes * MINUTE
        known = [duty.place for duty in life.duties]
        life.decide(now)
        after = {duty.place: duty for duty in life.duties}
        assert list(after)[: len(known)] == known
        for place, breached_at in breaches.items():
            assert after[place].breached_at == breached_at
            assert after[place].state is not DutyState.MET
        breaches |= {place: judged.breached_at for place, judged in after.items() if judged.breached_at}


@few
@given(STEPS, LOOKS, BASES)
def test_every_duty_says_why_and_stands_as_its_facts_say(
    steps: list[tuple[str, int, int]], looks: list[int], basis: str
) -> None:
    life, now = lived(steps, basis), RESOLVED
    for minutes in looks:
        now += minutes * MINUTE
        decision = life.decide(now)
        assert decision.again is None or decision.again > 0
        for duty in life.duties:
            assert duty.reason
            assert duty.breached_at is None or duty.breached_at < now
            if duty.state in (DutyState.MET, DutyState.MET_LATE):
                assert duty.met_at is not None
                assert duty.met_at <= now
                assert (duty.state is DutyState.MET_LATE) == (duty.breached_at is not None)
            if duty.state is DutyState.BREACHED:
                assert duty.breached_at is not None
        for kind in (DutyKind.SCHEDULED, DutyKind.COMPLETED):
            running = [duty for duty in life.duties if duty.kind == kind and duty.state in RUNNING]
            assert len([duty for duty in running if duty.breached_at is None]) <= 1


@few
@given(STEPS, LOOKS)
def test_who_looks_often_and_who_looks_once_find_the_same_breaches(
    steps: list[tuple[str, int, int]], looks: list[int]
) -> None:
    # waivers move deadlines, so they are left to the tests of their own row
    plain = [step for step in steps if step[0] not in ("waive", "severity")]
    often, once, now = lived(plain, "peak"), lived(plain, "peak"), RESOLVED
    for minutes in looks:
        now += minutes * MINUTE
        often.decide(now)
    end = RESOLVED + timedelta(days=90)
    for life in (often, once):
        if life.state_changes[-1].kind == "reopened":
            life.resolve(end - DAY)
    often.decide(end)
    once.decide(end)
    kinds = (DutyKind.SCHEDULED, DutyKind.COMPLETED)
    for kind in kinds:
        assert often.all(kind) == once.all(kind)
    assert [(duty.due_at, duty.breached_at) for duty in often.duties] == [
        (duty.due_at, duty.breached_at) for duty in sorted(once.duties, key=lambda duty: _order(duty, often))
    ]


def _order(duty: Any, like: Life) -> int:
    return [each_duty.place for each_duty in like.duties].index(duty.place)
