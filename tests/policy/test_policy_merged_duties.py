"""What a merge leaves of the source's duties: the times at PagerDuty decide, never the look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from duty_cast import DAY, DUE, HOUR, OLA, RESOLVED, Life, rules, theirs
from policy_cast import incident

from syncd.domain.clock import GRACE
from syncd.domain.duty import DutyKind
from syncd.policy.case import MergedSource, MergeTarget
from syncd.policy.time.state_changes import Entry, state_changes_of

COMPLETED = DutyKind.COMPLETED
MERGED = DUE + 5 * HOUR
"""The incident was reopened and merged after the deadline."""
MINUTE = timedelta(minutes=1)


def merged_late() -> Life:
    """Missed, reopened two hours after the deadline, and merged three hours later."""
    return Life().resolve().reopen(DUE + 2 * HOUR).merge(MERGED)


def merged_early() -> Life:
    """Reopened an hour before the deadline, and merged an hour after it."""
    return Life().resolve().reopen(DUE - HOUR).merge(DUE + HOUR)


def met_and_merged() -> Life:
    return merged_early().review(RESOLVED + HOUR)


def merged_at_once() -> Life:
    """Merged while it was open: it never was over by itself."""
    return Life().merge(RESOLVED)


def merged_within_half_an_hour() -> Life:
    """Reopened ten minutes before the deadline and merged ten minutes after it."""
    return Life().resolve().reopen(DUE - 10 * MINUTE).merge(DUE + 10 * MINUTE)


def merged_and_on_its_own_again() -> Life:
    return merged_early().reopen(DUE + 9 * DAY).resolve(DUE + 10 * DAY)


def merged_and_briefly_open() -> Life:
    return merged_at_once().reopen(RESOLVED + DAY).resolve(RESOLVED + DAY + 10 * MINUTE)


def merged_twice() -> Life:
    return merged_early().reopen(DUE + 2 * DAY).merge(DUE + 3 * DAY)


def lowered_and_merged() -> Life:
    return Life(rules(postmortem={"basis": "final"})).resolve().severity("SEV3", DUE + HOUR).merge(MERGED)


@pytest.mark.parametrize(
    ("story", "scheduled", "completed"),
    [
        (merged_late, [(1, "breached")], [(1, "cancelled")]),
        (merged_early, [(1, "cancelled")], [(1, "cancelled")]),
        (met_and_merged, [(1, "met")], [(1, "cancelled")]),
        (merged_at_once, [], []),
        (merged_within_half_an_hour, [(1, "breached")], [(1, "cancelled")]),
        (
            merged_and_on_its_own_again,
            [(1, "cancelled"), (2, "breached")],
            [(1, "cancelled"), (2, "pending")],
        ),
        (merged_and_briefly_open, [(1, "breached")], [(1, "breached")]),
        (merged_twice, [(1, "cancelled")], [(1, "cancelled")]),
        (lowered_and_merged, [(1, "breached")], [(1, "cancelled")]),
    ],
)
def test_looked_at_often_and_looked_at_once_a_merge_leaves_the_same_duties(
    story: Callable[[], Life], scheduled: list[tuple[int, str]], completed: list[tuple[int, str]]
) -> None:
    often, once, end = story(), story(), DUE + 16 * DAY
    for step in range(int((end - RESOLVED) / HOUR)):
        often.decide(RESOLVED + step * HOUR + 7 * MINUTE)
    for life in (often, once):
        life.decide(end)
        assert (life.all(), life.all(COMPLETED)) == (scheduled, completed)
    assert [(duty.place, duty.due_at, duty.breached_at, duty.met_at) for duty in often.duties] == [
        (duty.place, duty.due_at, duty.breached_at, duty.met_at)
        for duty in sorted(
            once.duties, key=lambda duty: [each.place for each in often.duties].index(duty.place)
        )
    ]


def test_a_deadline_that_passed_before_the_merge_with_nobody_looking_is_missed() -> None:
    life = merged_late()
    life.decide(MERGED + DAY)
    assert life.all() == [(1, "breached")]
    assert (life.duties[0].due_at, life.duties[0].breached_at) == (DUE, DUE)
    life.review(MERGED + 2 * DAY, "2026-12-01")
    assert life.state(MERGED + 3 * DAY) == "met_late"


def test_a_merge_cancels_with_its_own_reason_and_not_with_the_reopening() -> None:
    life = Life().resolve().reopen(RESOLVED + HOUR, meant=False).merge(RESOLVED + 2 * HOUR)
    life.decide(RESOLVED + 3 * HOUR)
    assert {duty.reason for duty in life.duties} == {
        "it was merged into incident 99, whose postmortem counts"
    }


def test_a_breach_is_proven_by_a_changelog_beyond_the_deadline_after_a_merge_too() -> None:
    life = merged_late()
    life.read_until = DUE - HOUR
    assert life.decide(MERGED + DAY).look == {"postmortem"}
    assert life.duties == ()


@pytest.mark.parametrize(("wrote", "state"), [(MERGED - HOUR, "pending"), (MERGED + HOUR, "cancelled")])
def test_a_person_who_writes_after_the_merge_takes_nothing_back(wrote: datetime, state: str) -> None:
    for looks in ([MERGED + MINUTE, MERGED + DAY], [MERGED + DAY]):
        life = Life().resolve().reopen(RESOLVED + HOUR, meant=False).merge(MERGED)
        life.comments.append(theirs("what happened", wrote, OLA))
        for now in looks:
            life.decide(now)
        assert life.state(MERGED + DAY, COMPLETED) == state


def test_merged_into_an_incident_of_nobodys_service_its_clocks_run_on() -> None:
    life = merged_late()
    case = life.case(MERGED + DAY)
    assert case.merged_into is not None
    life.state_changes[-1] = life.state_changes[-1].model_copy(update={"merged_into": None})
    life.merged_into = MergeTarget(id="P9", number=99, claimed=False)
    life.decide(MERGED + DAY)
    assert life.all() == [(1, "breached"), (2, "due_soon")]


def test_of_an_incident_that_was_resolved_before_its_merge_what_was_missed_earlier_is_missed() -> None:
    """PagerDuty keeps the time of that resolve and does not tell when the merge came."""
    life = Life().resolve().reopen(DUE + 2 * HOUR).resolve(MERGED)
    life.merged_into = MergeTarget(id="P9", number=99)
    life.decide(MERGED + DAY)
    assert (life.all(), life.all(COMPLETED)) == ([(1, "breached")], [(1, "cancelled")])


@pytest.mark.parametrize("lower", ["SEV2", "SEV3"])
def test_the_target_of_a_chain_owes_at_the_worst_severity_from_its_own_resolve(lower: str) -> None:
    life = Life(priority={"SEV2": "P3", "SEV3": "P4"}[lower])
    life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": lower})
    for number, severity in ((3, "SEV1"), (4, "SEV3")):
        source = MergedSource(
            id=f"P{number}",
            number=number,
            severity=severity,
            owes=severity == "SEV1",
            merged_at=RESOLVED - HOUR,
        )
        life.merged_sources.append(source)
    life.resolve().decide(RESOLVED + HOUR)
    assert [(duty.started_at, duty.due_at) for duty in life.duties if duty.kind == "scheduled"] == [
        (RESOLVED, DUE)
    ]


def test_the_log_tells_the_resolve_of_a_merge_from_any_other() -> None:
    log = [
        Entry(kind="trigger", at=RESOLVED - HOUR),
        Entry(kind="resolve", at=RESOLVED, merged_into="P9"),
        Entry(kind="acknowledge", at=RESOLVED + HOUR),
        Entry(kind="resolve", at=RESOLVED + DAY),
    ]
    shown = incident(status="resolved", created_at=RESOLVED - HOUR, resolved_at=RESOLVED + DAY)
    resolves = [change for change in state_changes_of(log, shown) if change.kind == "resolved"]
    assert [change.merged_into for change in resolves] == ["P9", None]
    unlogged = incident(status="resolved", created_at=RESOLVED - HOUR, resolved_at=RESOLVED, merged_into="P9")
    assert state_changes_of(log[:1], unlogged)[-1].merged_into == "P9"


def test_a_breach_waits_for_the_grace_before_the_merge_no_longer_than_after_it() -> None:
    life = Life().resolve().reopen(DUE - HOUR, meant=False).merge(DUE + MINUTE)
    assert life.state(DUE + MINUTE) == "due_soon"
    assert life.state(DUE + GRACE) == "breached"


def test_a_source_that_is_reopened_takes_its_duty_along_and_the_target_says_so() -> None:
    life = Life(priority="P4")
    life.severity_periods[0] = life.severity_periods[0].model_copy(update={"severity": "SEV3"})
    source = MergedSource(id="P3", number=3, severity="SEV1", owes=True, merged_at=RESOLVED - HOUR)
    life.merged_sources.append(source)
    assert life.resolve().state(RESOLVED + HOUR) == "pending"
    life.merged_sources = [source.model_copy(update={"until": RESOLVED + 2 * HOUR})]
    duty = life.duty(RESOLVED + 3 * HOUR)
    assert duty is not None
    assert (duty.state, duty.reason) == (
        "cancelled",
        "incident #3, which asked for it, was reopened and counts on its own again",
    )
