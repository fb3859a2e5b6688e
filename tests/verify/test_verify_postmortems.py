"""The second judge on postmortems: what the rules say of each event, and the verdict that follows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from syncd.domain.duty import DutyKind
from syncd.domain.history import SeverityPeriod
from syncd.verify.facts import Absorbed, Merge, RulesLoaded
from verify.verify_cast import (
    DAY,
    DONE,
    OPEN,
    ROBOT,
    SYNCD,
    Acts,
    at,
    clocks,
    correction,
    day,
    incident,
    issue,
    judged,
    left,
    mapping,
    waiver,
)

SCHEDULED, COMPLETED = DutyKind.SCHEDULED, DutyKind.COMPLETED
DUE, COMPLETE_BY = 48.0, 15 * DAY
OWNER: Acts = [(1, SYNCD, "assignee", "ines")]
DATE: Acts = [*OWNER, (10, "ines", "duedate", day(5))]
REOPENED = "resolved 0, reopened 5, acknowledged 5.1, resolved 6"


def scheduled(acts: Acts, now: float = 60, states: str = "resolved 0", **more: Any) -> list[Any]:
    """Return verdict, deadline and act of each clock of `scheduled`; facts of the incident go by name."""
    names = ("severities", "merges", "absorbed", "signs", "service_owes")
    facts = {name: more.pop(name) for name in names if name in more}
    postmortem = issue(acts, hidden_since=more.pop("hidden_since", None))
    return clocks(judged(incident(states, postmortem=postmortem, **facts), now, **more), SCHEDULED)


def test_an_incident_that_was_never_resolved_owes_nothing_yet() -> None:
    assert judged(incident("triggered 0, acknowledged 1"), 60) == []


def test_an_incident_of_which_no_severity_is_known_owes_nothing() -> None:
    assert judged(incident("resolved 0", severities=()), 60) == []


@pytest.mark.parametrize(
    ("acts", "verdict", "met_at"),
    [
        (DATE, "met", 10),
        ([*OWNER, (48, "ines", "duedate", day(5))], "met", 48),
        ([*OWNER, (48.001, "ines", "duedate", day(5))], "met_late", 48.001),
        ([], "breached", None),
        (OWNER, "breached", None),
        ([*OWNER, (10, ROBOT, "duedate", day(5))], "breached", None),
        ([*OWNER, (10, SYNCD, "duedate", day(5))], "breached", None),
        ([(10, "ines", "duedate", day(5))], "breached", None),
        ([(10, "ines", "duedate", day(5)), (11, "ines", "assignee", "ines")], "met", 11),
        # an owner by rule counts once they act, or once another person names them
        ([*OWNER, (10, "jo", "duedate", day(5))], "breached", None),
        ([*OWNER, (10, "jo", "duedate", day(5)), (11, "ines", "comment", "mine")], "met", 11),
        ([*OWNER, (10, "jo", "duedate", day(5)), (11, "jo", "assignee", "mei")], "met", 11),
        # an automation's act meets nothing
        ([(10, "ines", "duedate", day(5)), (11, ROBOT, "assignee", "ines")], "breached", None),
        ([(10, "ines", "duedate", day(5)), (11, "ines", "assignee", ROBOT)], "breached", None),
        # not before the resolve, at most 14 days after the clock's start
        ([*OWNER, (10, "ines", "duedate", day(-1))], "breached", None),
        ([*OWNER, (10, "ines", "duedate", day(0))], "met", 10),
        ([*OWNER, (10, "ines", "duedate", day(14))], "met", 10),
        ([*OWNER, (10, "ines", "duedate", day(15))], "breached", None),
        # entered after the deadline: 14 days after the day on which it was entered
        ([*OWNER, (49, "ines", "duedate", day(16))], "met_late", 49),
        ([*OWNER, (49, "ines", "duedate", day(17))], "breached", None),
        # removed: owed again, with the original deadline
        ([*DATE, (20, "ines", "duedate", None)], "breached", None),
        ([*DATE, (20, "ines", "assignee", None), (30, "ines", "assignee", "jo")], "met", 30),
        ([*DATE, (20, "ines", "duedate", day(20))], "breached", None),
        # what is completed while it is scheduled stays scheduled
        ([*DATE, (20, "ines", "status", DONE), (30, "ines", "duedate", None)], "met", 10),
    ],
)
def test_scheduled_needs_an_active_owner_and_a_review_date_that_a_person_entered(
    acts: Acts, verdict: str, met_at: float | None
) -> None:
    assert scheduled(acts) == [(verdict, DUE, met_at)]


@pytest.mark.parametrize(
    ("acts", "verdict", "met_at"),
    [
        ([(200, "ines", "status", DONE)], "met", 200),
        ([(370, "ines", "status", DONE)], "met_late", 370),
        ([(200, ROBOT, "status", DONE)], "breached", None),
        # moved back before its deadline it is owed again; later, a week that was kept stays kept
        ([(200, "ines", "status", DONE), (210, "ines", "status", OPEN)], "breached", None),
        ([(200, "ines", "status", DONE), (370, "ines", "status", OPEN)], "met", 200),
        # never before the clock's start
        ([(-1, "ines", "status", DONE)], "met", 0),
    ],
)
def test_completed_is_a_status_that_a_person_set_within_ten_working_days(
    acts: Acts, verdict: str, met_at: float | None
) -> None:
    postmortem = issue(acts, created=-1.5)
    verdicts = judged(incident(postmortem=postmortem), 400)
    assert clocks(verdicts, COMPLETED) == [(verdict, COMPLETE_BY, met_at)]


@pytest.mark.parametrize(
    ("states", "acts", "clocks_expected"),
    [
        # resolved again within 30 minutes, or without a sign that it was meant
        ("resolved 0, reopened 5, acknowledged 5.1, resolved 5.5", [], [("breached", 48, None)]),
        ("resolved 0, reopened 5, resolved 9", [], [("breached", 48, None)]),
        (REOPENED, [], [("cancelled", 48, None), ("breached", 54, None)]),
        (REOPENED, DATE, [("cancelled", 48, None), ("met", 54, 10)]),
        ("resolved 0, reopened 20, acknowledged 21, resolved 22", DATE, [("met", 48, 10)]),
        (
            "resolved 0, reopened 50, acknowledged 51, resolved 52",
            [],
            [("breached", 48, None), ("pending", 100, None)],
        ),
        # a missed date and a flap: missed
        ("resolved 0, reopened 47.9, acknowledged 48, resolved 48.2", [], [("breached", 48, None)]),
        # open again, and not yet clear whether it lasts
        ("resolved 0, reopened 47.9", [], [("pending", 48, None)]),
        ("resolved 0, reopened 47.9, acknowledged 48", [], [("cancelled", 48, None)]),
    ],
)
def test_a_reopening_that_lasts_begins_a_new_clock_and_a_short_one_changes_none(
    states: str, acts: Acts, clocks_expected: list[Any]
) -> None:
    assert scheduled(acts, states=states) == clocks_expected


def test_a_note_of_a_person_or_a_new_alert_makes_a_reopening_count() -> None:
    states = "resolved 0, reopened 5, resolved 9"
    assert scheduled([], 30, states, signs=(at(6),)) == [("cancelled", 48, None), ("pending", 57, None)]


def severities(*periods: tuple[str, float]) -> tuple[SeverityPeriod, ...]:
    return tuple(SeverityPeriod(severity=name, since=at(since)) for name, since in periods)


@pytest.mark.parametrize(
    ("periods", "basis", "clocks_expected"),
    [
        ([("SEV3", -2)], "peak", []),
        ([("SEV3", -2), ("SEV1", 3)], "peak", [("breached", 51, None)]),
        ([("SEV3", -2), ("SEV1", 3), ("SEV3", 3.1)], "peak", []),
        ([("SEV3", -2), ("SEV1", -1), ("SEV3", -0.5)], "peak", [("breached", 48, None)]),
        ([("SEV3", -2), ("SEV1", -1), ("SEV3", -0.9)], "peak", []),
        ([("SEV3", -2), ("SEV1", -0.1), ("SEV3", 0.01)], "peak", [("breached", 48, None)]),
        ([("SEV3", -2), ("SEV1", -1), ("SEV0", -0.9), ("SEV3", -0.8)], "peak", [("breached", 48, None)]),
        ([("SEV3", -2), ("SEV1", 3), ("SEV0", 3.1)], "peak", [("breached", 51, None)]),
        ([("SEV1", -2), ("SEV3", 5)], "peak", [("breached", 48, None)]),
        ([("SEV1", -2), ("SEV3", 5)], "final", [("cancelled", 48, None)]),
        ([("SEV1", -2), ("SEV3", 50)], "final", [("breached", 48, None)]),
        ([("SEV1", -2), ("SEV0", 5)], "final", [("breached", 48, None)]),
    ],
)
def test_a_severity_counts_that_lasted_or_was_held_at_the_resolve(
    periods: list[tuple[str, float]], basis: str, clocks_expected: list[Any]
) -> None:
    rules = mapping(postmortem={"mode": "enforce", "basis": basis})
    assert scheduled([], severities=severities(*periods), mapping=rules) == clocks_expected


@pytest.mark.parametrize("basis", ["peak", "final"])
@pytest.mark.parametrize(
    ("severity", "service_owes", "move", "now", "clocks_expected"),
    [
        ("SEV3", True, None, 60, [("breached", 48, None)]),
        ("SEV3", True, -0.1, 60, [("breached", 48, None)]),
        ("SEV3", True, 216, 240, [("pending", 264, None)]),
        ("SEV3", True, 216, 270, [("breached", 264, None)]),
        ("SEV1", False, 216, 240, [("pending", 264, None)]),
        ("SEV3", False, 216, 240, []),
    ],
)
def test_a_move_from_a_service_that_owed_none_starts_the_clock(
    severity: str, service_owes: bool, move: float | None, now: float, clocks_expected: list[Any], basis: str
) -> None:
    moved = None if move is None else at(move)
    period = SeverityPeriod(severity=severity, since=at(-2), unowed_until=moved)
    rules = mapping(postmortem={"mode": "enforce", "basis": basis})
    given = {"severities": (period,), "service_owes": service_owes, "mapping": rules}
    assert scheduled([], now, **given) == clocks_expected


def test_a_move_that_lasts_less_than_10_minutes_starts_no_clock_yet() -> None:
    moved = (SeverityPeriod(severity="SEV3", since=at(-2), unowed_until=at(24)),)
    assert scheduled([], 24.1, severities=moved, service_owes=True) == []


def test_a_severity_that_changes_after_the_resolve_is_no_reopening() -> None:
    changed = severities(("SEV1", -2), ("SEV0", 5), ("SEV1", 7))
    assert scheduled(DATE, severities=changed) == [("met", 48, 10)]


@pytest.mark.parametrize(
    ("merged", "acts", "more", "clocks_expected"),
    [
        (20, [], {}, [("cancelled", 48, None)]),
        (20, DATE, {}, [("met", 48, 10)]),
        (50, [], {}, [("breached", 48, None)]),
        (20, [(15, "ines", "comment", "what happened")], {}, [("breached", 48, None)]),
        # merged while it was open: the merge resolves it, and nothing was ever owed
        (0, [], {}, []),
    ],
)
def test_a_merge_cancels_what_is_owed_and_changes_nothing_that_is_decided(
    merged: float, acts: Acts, more: dict[str, Any], clocks_expected: list[Any]
) -> None:
    assert scheduled(acts, merges=(Merge(at=at(merged)),), **more) == clocks_expected


def test_a_source_that_is_reopened_counts_on_its_own_again() -> None:
    states = "resolved 0, reopened 5, acknowledged 6, resolved 7"
    assert scheduled([], 56, states, merges=(Merge(at=at(0)),)) == [("breached", 55, None)]


def test_the_target_of_a_merge_owes_at_the_higher_severity() -> None:
    absorbed = (Absorbed(at=at(4), severity="SEV0"),)
    minor = severities(("SEV3", -2))
    assert scheduled([], severities=minor, absorbed=absorbed) == [("breached", 52, None)]


@pytest.mark.parametrize(
    ("given", "until", "acts", "now", "clock"),
    [
        (40, 100, [], 60, ("waived", 124, None)),
        (40, 100, [], 110, ("pending", 124, None)),
        (40, 100, [], 130, ("breached", 124, None)),
        (40, 100, [*OWNER, (110, "ines", "duedate", day(5))], 130, ("met", 124, 110)),
        # a met duty keeps its week
        (40, 100, DATE, 130, ("met", 48, 10)),
        # given after the deadline: missed stays missed
        (50, 100, [], 60, ("breached", 48, None)),
        # it ended long before the deadline
        (2, 20, [], 60, ("breached", 48, None)),
        (2, 30, [], 50, ("pending", 54, None)),
    ],
)
def test_a_waiver_moves_the_deadline_only_of_what_is_unfulfilled_at_it(
    given: float, until: float, acts: Acts, now: float, clock: Any
) -> None:
    assert scheduled(acts, now, waivers=(waiver(given, until),)) == [clock]


def test_a_waiver_that_was_taken_back_ends_then() -> None:
    given = waiver(40, 100, SCHEDULED).model_copy(update={"ended_at": at(44)})
    assert scheduled([], 70, waivers=(given,)) == [("breached", 68, None)]


def test_a_waiver_of_another_duty_moves_nothing() -> None:
    assert scheduled([], waivers=(waiver(40, 100, COMPLETED),)) == [("breached", 48, None)]


@pytest.mark.parametrize(
    ("acts", "more", "clocks_expected"),
    [
        ([], {}, [("void", 48, None), ("breached", 76, None)]),
        ([], {"met_at": at(47)}, [("void", 48, None)]),
        (DATE, {}, [("void", 48, None), ("met", 76, 52)]),
        ([*OWNER, (60, "ines", "duedate", day(5))], {}, [("void", 48, None), ("met", 76, 60)]),
    ],
)
def test_a_correction_voids_the_breach_and_never_says_that_undone_work_was_done(
    acts: Acts, more: dict[str, Any], clocks_expected: list[Any]
) -> None:
    taken_back = (correction(52, SCHEDULED, **more),)
    assert scheduled(acts, 80, corrections=taken_back) == clocks_expected


def test_after_a_correction_a_running_waiver_decides_when_it_is_owed() -> None:
    decided: dict[str, Any] = {
        "corrections": (correction(52, SCHEDULED),),
        "waivers": (waiver(50, 150, SCHEDULED),),
    }
    assert scheduled([], 60, **decided)[1] == ("waived", 150, None)


@pytest.mark.parametrize(
    ("leaves", "acts", "clocks_expected"),
    [
        # gone between hour 20 and 24: owed again with a clock of the same length
        (24, DATE, [("met", 48, 10), ("breached", 72, None)]),
        (24, [*DATE, (70, "boss", "assignee", "jo")], [("met", 48, 10), ("met", 72, 70)]),
        (24, [*DATE, (22, "boss", "assignee", "jo")], [("met", 48, 10)]),
        (24, [*DATE, (22, "ines", "status", DONE)], [("met", 48, 10)]),
        # A before the deadline and B after it: the owner counts for that deadline
        (52, [*OWNER, (47, "ines", "duedate", day(5))], [("met", 48, 47), ("pending", 100, None)]),
        (24, [*OWNER, (30, "jo", "duedate", day(5))], [("breached", 48, None)]),
    ],
)
def test_an_owner_who_leaves_owns_nothing_from_when_syncd_saw_it(
    leaves: float, acts: Acts, clocks_expected: list[Any]
) -> None:
    assert scheduled(acts, 80, leavers=left(ines=leaves)) == clocks_expected


@pytest.mark.parametrize(
    ("hidden", "acts", "verdict"), [(20, DATE, "breached"), (50, DATE, "met"), (20, [], "breached")]
)
def test_a_postmortem_that_is_not_visible_at_its_deadline_is_not_met(
    hidden: float, acts: Acts, verdict: str
) -> None:
    assert scheduled(acts, hidden_since=at(hidden))[0][0] == verdict


def test_changed_rules_hold_for_incidents_resolved_after_they_were_loaded() -> None:
    shorter = mapping(postmortem={"mode": "enforce", "schedule_hours": 24})
    loaded = [RulesLoaded(at=at(-900), mapping=mapping()), RulesLoaded(at=at(1), mapping=shorter)]
    assert scheduled([], rules=tuple(loaded)) == [("breached", 48, None)]
    loaded[1] = RulesLoaded(at=at(-1), mapping=shorter)
    assert scheduled([], rules=tuple(loaded)) == [("breached", 24, None)]


def test_an_incident_resolved_before_the_rules_began_owes_nothing() -> None:
    assert scheduled([], mapping=mapping(enforce_from=date(2026, 11, 3))) == []


def test_often_looked_at_and_once_looked_at_give_the_same_verdicts() -> None:
    acts = [*DATE, (20, "ines", "duedate", None), (21, "ines", "duedate", day(6))]
    facts = incident("resolved 0, reopened 30, acknowledged 31, resolved 33", postmortem=issue(acts))
    decided = [
        [duty for duty in judged(facts, now) if duty.verdict in ("breached", "cancelled", "void")]
        for now in range(1, 500, 7)
    ]
    last = judged(facts, 500)
    assert all(duty in last for verdicts in decided for duty in verdicts)
