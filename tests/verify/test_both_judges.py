"""Both judges on one history each: looked at often, seldom and once, the verdicts are those of the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncd.domain.duty import DutyKind
from syncd.domain.history import SeverityPeriod
from syncd.verify.facts import IncidentFacts, People
from verify.compare import answers
from verify.histories import History
from verify.verify_cast import (
    AUTOMATIC,
    DAY,
    DONE,
    OPEN,
    ROBOT,
    Acts,
    at,
    correction,
    day,
    hours,
    incident,
    issue,
    item,
    left,
    mapping,
    waiver,
)

ITEM = "900"
LATEST = 42 * DAY + 24
"""30 working days after Monday end with the Monday six weeks later."""


def judged(facts: IncidentFacts, kind: str, subject: str, **more: Any) -> list[tuple[str, float]]:
    """Return verdict and deadline (hours) of each clock that counts, on which both judges agree."""
    played = History(
        facts,
        People(automatic=AUTOMATIC, leavers=more.pop("leavers", {})),
        more.pop("rules", mapping()),
        sources={each.issue.id: "sub-task of the postmortem" for each in facts.items},
        **more,
    )
    issues = [each.issue for each in facts.items] + ([facts.postmortem] if facts.postmortem else [])
    moments = [change.at for issue in issues for change in issue.changes]
    moments += [state.at for state in facts.states]
    played.often = tuple(sorted(moment + timedelta(minutes=3) for moment in moments))
    played.seldom = played.often[::2]
    clocks = [[(word, hours(due)) for word, due in each.get((kind, subject), [])] for each in answers(played)]
    assert clocks[:-1] == clocks[1:]
    return clocks[-1]


REOPENED = "resolved 0, reopened 60, acknowledged 61, resolved 70"
CLOSED, OPENED = ("ines", "status", DONE), ("ines", "status", OPEN)


@pytest.mark.parametrize(
    ("acts", "states", "expected"),
    [
        # done and opened again between two looks: a new clock, and what was met stays met
        ([(50, *CLOSED), (60, *OPENED)], "resolved 0", [("met", LATEST), ("breached", LATEST)]),
        (
            [(3, "ines", "duedate", day(1)), (50, *CLOSED), (60, *OPENED), (70, *CLOSED)],
            "resolved 0",
            [("met_late", 48), ("met", 84)],
        ),
        # after a breach the next resolve begins a new clock with working hours left
        ([(3, "ines", "duedate", day(1))], REOPENED, [("breached", 48), ("breached", 94)]),
        ([(3, "ines", "duedate", day(1)), (75, *CLOSED)], REOPENED, [("met_late", 48), ("met", 94)]),
        # the deadline passed a minute before the incident was opened again
        (
            [(3, "ines", "duedate", day(1))],
            "resolved 0, reopened 48.02, acknowledged 48.05, resolved 70",
            [("breached", 48), ("breached", 94)],
        ),
        # a date that is over when it is entered leaves working hours
        ([(50, "ines", "duedate", day(0))], "resolved 0", [("breached", 74)]),
        # what was done and opened again before the incident was reopened stands still while it is open
        ([(50, *CLOSED), (55, *OPENED)], REOPENED, [("met", LATEST), ("breached", LATEST + DAY * 2)]),
    ],
)
def test_an_item_is_judged_on_each_of_its_clocks(
    acts: Acts, states: str, expected: list[tuple[str, float]]
) -> None:
    assert judged(incident(states, items=(item(acts),)), "done", ITEM) == expected


OWNER, NOBODY = ("ines", "assignee", "jo"), ("ines", "assignee", None)
RULE = ("syncd", "assignee", "jo")
SCHEDULED: Acts = [(5, *OWNER), (6, "ines", "duedate", day(4))]


@pytest.mark.parametrize(
    ("acts", "states", "expected"),
    [
        # what people will not do is done, and needs no owner
        ([(5, "ines", "comment", "no"), (6, "ines", "labels", "wont-do"), (40, *OWNER)], "resolved 0", []),
        # what a robot closed is not done
        ([(5, ROBOT, "status", DONE)], "resolved 0", [("breached", 25)]),
        # who is named after it was missed and done owns nothing, until it is open again
        ([(30, *CLOSED), (40, *OWNER)], "resolved 0", [("breached", 25)]),
        ([(30, *CLOSED), (40, *OWNER), (50, *OPENED)], "resolved 0", [("met_late", 25)]),
        ([(30, *CLOSED), (50, *OPENED)], REOPENED, [("breached", 25), ("breached", 94)]),
        # missed once, met late after it was opened again, and lost
        (
            [(30, *CLOSED), (50, *OPENED), (55, *OWNER), (60, *NOBODY)],
            "resolved 0",
            [("met_late", 25), ("breached", 84)],
        ),
        ([(5, *CLOSED), (10, *OWNER), (20, *OPENED)], "resolved 0", [("met", 44)]),
        ([(5, *OWNER)], REOPENED, [("met", 25)]),
        ([], REOPENED, [("breached", 25), ("breached", 94)]),
        # named while the incident is open again and the item is done
        ([(62, *CLOSED), (65, *OWNER)], REOPENED, [("breached", 25)]),
        # a person's act confirms the end and takes the owner away
        ([(5, *OWNER), (10, ROBOT, "status", DONE), (30, *NOBODY)], "resolved 0", [("met", 25)]),
    ],
)
def test_the_owner_of_an_item_is_judged_while_it_is_open(
    acts: Acts, states: str, expected: list[tuple[str, float]]
) -> None:
    assert judged(incident(states, items=(item(acts),)), "owned", ITEM) == expected


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([(5, *OWNER)], [("met", 25), ("met", 36)]),
        # whoever was assigned by rule and had touched the item owns it again, too
        ([(5, *RULE), (6, "jo", "comment", "mine")], [("met", 25), ("met", 36)]),
        ([(5, *RULE)], [("breached", 25)]),
    ],
)
def test_who_comes_back_owns_again_what_still_bears_the_name(
    acts: Acts, expected: list[tuple[str, float]]
) -> None:
    facts = incident(items=(item(acts),))
    assert judged(facts, "owned", ITEM, leavers=left(jo=(12, 30))) == expected


def test_an_owned_item_that_nobody_can_see_at_its_deadline_is_missed() -> None:
    unseen = incident(items=(item([(5, *OWNER)], hidden_since=at(20)),))
    assert judged(unseen, "owned", ITEM, hidden={ITEM: (at(20), None)}) == [("breached", 25)]


def test_a_breach_that_the_first_look_finds_out_of_sight_is_taken_back_when_it_is_seen() -> None:
    facts = incident(items=(item([(5, *OWNER)]),))
    looks = (correction(100, DutyKind.SCHEDULED),)
    assert judged(facts, "owned", ITEM, hidden={ITEM: (at(3), at(200))}, corrections=looks) == [("met", 25)]


@pytest.mark.parametrize(
    ("acts", "states", "expected"),
    [
        # owned late, so the reopening ended no clock: the new one begins with the correction
        ([(30, *OWNER)], REOPENED, [("void", 25), ("met", 104)]),
        # missed once, before it was done and after it was opened again
        ([(30, *CLOSED), (50, *OPENED)], "resolved 0", [("void", 25), ("breached", 104)]),
        # the clock had moved on with the reopening
        ([], "resolved 0, reopened 10, acknowledged 11, resolved 20", [("void", 44), ("breached", 104)]),
    ],
)
def test_a_breach_that_is_taken_back_leaves_a_day_from_then_on(
    acts: Acts, states: str, expected: list[tuple[str, float]]
) -> None:
    facts = incident(states, items=(item(acts),))
    taken_back = (correction(80, DutyKind.OWNED, ITEM),)
    assert judged(facts, "owned", ITEM, corrections=taken_back) == expected


def test_a_postmortem_stays_scheduled_over_a_reopening_until_its_owner_leaves() -> None:
    facts = incident(REOPENED, postmortem=issue(SCHEDULED))
    owed = judged(facts, "scheduled", "PINC", leavers=left(jo=85))
    assert owed == [("met", 48), ("breached", 133)]


def test_a_waiver_moves_the_deadline_at_which_nobody_can_see_the_postmortem() -> None:
    facts = incident(postmortem=issue(SCHEDULED, hidden_since=at(40)))
    waived = (waiver(10, 100, DutyKind.SCHEDULED),)
    owed = judged(facts, "scheduled", "PINC", waivers=waived, hidden={"900": (at(40), None)})
    assert owed == [("breached", 124)]


def test_what_was_missed_before_a_reopening_is_seen_while_the_incident_is_open() -> None:
    facts = incident("resolved 0, reopened 60, acknowledged 61", postmortem=issue([]))
    assert judged(facts, "scheduled", "PINC") == [("breached", 48)]


def test_a_severity_that_rises_moves_only_what_is_not_decided_yet() -> None:
    risen = (
        SeverityPeriod(severity="SEV1", since=at(-2)),
        SeverityPeriod(severity="SEV0", since=at(30 * DAY)),
    )
    over = 30 * DAY + 24
    early: Acts = [(25 * DAY, *CLOSED)]
    owed = judged(incident(items=(item([]),), severities=risen), "done", ITEM)
    assert owed == [("breached", over)]
    assert judged(incident(items=(item(early),), severities=risen), "done", ITEM) == [("met", LATEST)]


@pytest.mark.parametrize(("move", "due"), [(-0.1, 48), (0.05, 48.05), (30, 78)])
def test_a_move_to_a_team_that_asks_for_a_postmortem_starts_the_clock_at_the_move(
    move: float, due: float
) -> None:
    moved = (SeverityPeriod(severity="SEV1", since=at(-2), unowed_until=at(move)),)
    owed = judged(incident(severities=moved, postmortem=issue([])), "scheduled", "PINC")
    assert owed == [("breached", due)]


@pytest.mark.parametrize("until", [3.2, None])
def test_time_at_a_worse_severity_counts_for_the_milder_one(until: float | None) -> None:
    turns = [("SEV3", -2.0), ("SEV1", 3.0), ("SEV0", 3.1), *([("SEV3", until)] if until else [])]
    severities = tuple(SeverityPeriod(severity=name, since=at(since)) for name, since in turns)
    assert judged(incident(severities=severities, postmortem=issue([])), "scheduled", "PINC") == [
        ("breached", 51)
    ]


@pytest.mark.parametrize("rest", [[("SEV0", -2.0)], [("SEV1", -2.0), ("SEV3", -1.9), ("SEV0", -1.0)]])
def test_time_at_a_worse_severity_that_asks_for_no_postmortem_brings_none(
    rest: list[tuple[str, float]],
) -> None:
    severities = {name: section.model_dump() for name, section in mapping().severities.items()}
    rules = mapping(severities=severities | {"SEV0": {"pagerduty": "P1", "follow_up_days": 15}})
    turns = tuple(SeverityPeriod(severity=name, since=at(since)) for name, since in rest)
    assert judged(incident(severities=turns, postmortem=issue([])), "scheduled", "PINC", rules=rules) == []
