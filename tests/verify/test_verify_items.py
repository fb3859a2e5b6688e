"""The second judge on action items: their owners and their dates."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.domain.duty import DutyKind
from verify.verify_cast import (
    DAY,
    DONE,
    OPEN,
    ROBOT,
    SYNCD,
    Acts,
    account,
    at,
    clocks,
    correction,
    day,
    incident,
    item,
    judged,
    left,
    waiver,
)

OWNED, FINISHED = DutyKind.OWNED, DutyKind.DONE
LATEST = 42 * DAY + 24
"""30 working days after Monday end with the Monday six weeks later."""


def of_item(kind: DutyKind, acts: Acts, now: float, states: str = "resolved 0", **more: Any) -> list[Any]:
    decided = {name: more.pop(name) for name in ("waivers", "corrections", "leavers") if name in more}
    facts = incident(states, items=(item(acts, **more),))
    return clocks(judged(facts, now, **decided), kind)


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([(5, "ines", "assignee", "jo")], [("met", 25, 5)]),
        ([(26, "ines", "assignee", "jo")], [("met_late", 25, 26)]),
        ([], [("breached", 25, None)]),
        ([(5, "ines", "assignee", ROBOT)], [("breached", 25, None)]),
        # by rule: nothing is met before they touch it, or another person assigns it
        ([(5, SYNCD, "assignee", "jo")], [("breached", 25, None)]),
        ([(5, SYNCD, "assignee", "jo"), (6, "jo", "comment", "mine")], [("met", 25, 6)]),
        ([(5, SYNCD, "assignee", "jo"), (6, "ines", "comment", "yours")], [("breached", 25, None)]),
        ([(5, SYNCD, "assignee", "jo"), (6, "jo", "duedate", day(9))], [("met", 25, 6)]),
        ([(5, SYNCD, "assignee", "jo"), (6, "ines", "assignee", "mei")], [("met", 25, 6)]),
        (
            [
                (5, SYNCD, "assignee", "jo"),
                (6, "ines", "assignee", "mei"),
                (7, "mei", "assignee", "jo"),
            ],
            [("met", 25, 6)],
        ),
        # a robot that hands an owned item on takes nothing away
        ([(5, "ines", "assignee", "jo"), (10, ROBOT, "assignee", "mei")], [("met", 25, 5)]),
        # what is done needs no owner
        ([(5, "ines", "status", DONE)], [("cancelled", 25, None)]),
        ([(30, "ines", "status", DONE)], [("breached", 25, None)]),
        # the owner was taken away: a new clock of the same length
        (
            [(5, "ines", "assignee", "jo"), (10, "ines", "assignee", None)],
            [("met", 25, 5), ("breached", 34, None)],
        ),
    ],
)
def test_an_item_needs_a_person_as_its_owner_within_24_working_hours(acts: Acts, expected: list[Any]) -> None:
    assert of_item(OWNED, acts, 60) == expected


def test_hours_of_a_weekend_do_not_count() -> None:
    # it became an item on Friday at 18:00; six hours are left of that day
    assert of_item(OWNED, [], 200, created=4 * DAY + 18) == [("breached", 7 * DAY + 18, None)]


def test_an_owner_whom_a_person_named_in_the_table_counts_although_syncd_made_the_item() -> None:
    made = {"by": SYNCD, "assignee": "jo"}
    assert of_item(OWNED, [], 60, named_by=account("ines"), **made) == [("met", 25, 1)]
    assert of_item(OWNED, [], 60, **made) == [("breached", 25, None)]


def test_the_runbook_item_has_no_owner_duty() -> None:
    assert of_item(OWNED, [], 60, runbook=True) == []


@pytest.mark.parametrize(
    ("leaves", "acts", "expected"),
    [
        (12, [(5, "ines", "assignee", "jo")], [("met", 25, 5), ("breached", 36, None)]),
        # no tenure of a leaver meets the clock that their leaving started
        (
            12,
            [(5, "ines", "assignee", "jo"), (13, "ines", "assignee", "jo2"), (14, "ines", "assignee", "jo")],
            [("met", 25, 5), ("met", 36, 13), ("breached", 38, None)],
        ),
        (12, [(5, "ines", "assignee", "jo"), (9, "ines", "status", DONE)], [("met", 25, 5)]),
        (26, [(24, "ines", "assignee", "jo")], [("met", 25, 24), ("breached", 50, None)]),
    ],
)
def test_who_has_left_owns_nothing(leaves: float, acts: Acts, expected: list[Any]) -> None:
    assert of_item(OWNED, acts, 60, leavers=left(jo=leaves)) == expected


REASON: Acts = [(49, "ines", "comment", "not worth it")]


@pytest.mark.parametrize(
    ("acts", "now", "expected"),
    [
        ([], 60, [("pending", LATEST, None)]),
        ([], LATEST + 1, [("breached", LATEST, None)]),
        ([(3, "ines", "duedate", day(4))], 150, [("breached", 120, None)]),
        ([(3, "ines", "duedate", day(90))], LATEST + 1, [("breached", LATEST, None)]),
        ([(50, "ines", "status", DONE)], 60, [("met", LATEST, 50)]),
        # a missed date that is moved stays missed; one that is moved in time counts
        ([(3, "ines", "duedate", day(1)), (50, "ines", "duedate", day(9))], 60, [("breached", 48, None)]),
        ([(3, "ines", "duedate", day(1)), (40, "ines", "duedate", day(9))], 60, [("pending", 240, None)]),
        # a date that is moved after it was done changes nothing
        (
            [
                (3, "ines", "duedate", day(1)),
                (40, "ines", "status", DONE),
                (45, "ines", "duedate", day(9)),
            ],
            60,
            [("met", 48, 40)],
        ),
        # an automation closes it: done once a person acts on it
        ([(50, ROBOT, "status", DONE)], 60, [("pending", LATEST, None)]),
        ([(50, ROBOT, "status", DONE), (55, "ines", "comment", "yes")], 60, [("met", LATEST, 55)]),
        # opened again: the later of its date and 24 working hours
        (
            [
                (3, "ines", "duedate", day(1)),
                (40, "ines", "status", DONE),
                (50, "ines", "status", OPEN),
            ],
            60,
            [("met", 48, 40), ("pending", 74, None)],
        ),
        # won't do: with a person's comment as the reason
        ([(50, "ines", "labels", "wont-do")], 60, [("pending", LATEST, None)]),
        ([*REASON, (50, "ines", "labels", "wont-do")], 60, [("met", LATEST, 50)]),
        ([(50, "ines", "labels", "wont-do"), (52, "jo", "comment", "no")], 60, [("met", LATEST, 52)]),
        (
            [(50, "ines", "resolution", "Won't Do"), (50, "ines", "status", DONE)],
            60,
            [("pending", LATEST, None)],
        ),
        (
            [*REASON, (50, "ines", "resolution", "Won't Do"), (50, "ines", "status", DONE)],
            60,
            [("met", LATEST, 50)],
        ),
    ],
)
def test_an_item_is_done_by_its_date_and_by_the_latest_day_of_its_severity(
    acts: Acts, now: float, expected: list[Any]
) -> None:
    assert of_item(FINISHED, acts, now) == expected


@pytest.mark.parametrize(
    ("acts", "verdict"),
    [
        ([(50, "ines", "status", DONE)], "pending"),
        ([(49, "ines", "comment", "https://wiki.example/kb"), (50, "ines", "status", DONE)], "met"),
        ([(49, "ines", "labels", "no-change-needed"), (50, "ines", "status", DONE)], "pending"),
        (
            [
                (48, "ines", "comment", "nothing new"),
                (49, "ines", "labels", "no-change-needed"),
                (50, "ines", "status", DONE),
            ],
            "met",
        ),
    ],
)
def test_the_runbook_item_is_closed_with_a_link_or_a_reason(acts: Acts, verdict: str) -> None:
    assert of_item(FINISHED, acts, 60, runbook=True, by=SYNCD)[0][0] == verdict


def test_a_reopening_that_lasts_begins_new_clocks_and_a_short_one_none() -> None:
    short = "resolved 0, reopened 10, acknowledged 10.1, resolved 10.4"
    lasting = "resolved 0, reopened 10, acknowledged 11, resolved 12"
    assert of_item(OWNED, [], 60, short) == [("breached", 25, None)]
    assert of_item(OWNED, [], 60, lasting) == [("cancelled", 25, None), ("breached", 36, None)]
    owner: Acts = [(5, "ines", "assignee", "jo")]
    assert of_item(OWNED, owner, 60, lasting) == [("met", 25, 5)]


def test_clocks_start_when_it_became_an_item_or_at_the_resolve() -> None:
    assert of_item(OWNED, [], 60, created=-1.0) == [("breached", 24, None)]
    assert of_item(OWNED, [], 60, became=20.0) == [("breached", 44, None)]


def test_an_item_that_is_none_any_more_owes_nothing_more() -> None:
    assert of_item(OWNED, [], 60, left_at=at(20)) == [("cancelled", 25, None)]
    assert of_item(OWNED, [], 60, left_at=at(30)) == [("breached", 25, None)]


def test_a_waiver_of_an_item_goes_beyond_the_latest_day() -> None:
    given = (waiver(LATEST - 10, LATEST + 100, FINISHED, subject="900"),)
    assert of_item(FINISHED, [], LATEST + 50, waivers=given) == [("waived", LATEST + 124, None)]
    other = (waiver(LATEST - 10, LATEST + 100, FINISHED, subject="901"),)
    assert of_item(FINISHED, [], LATEST + 50, waivers=other) == [("breached", LATEST, None)]


def test_a_correction_of_an_item_leaves_a_day() -> None:
    taken_back = (correction(30, OWNED, "900"),)
    assert of_item(OWNED, [], 40, corrections=taken_back) == [("void", 25, None), ("pending", 54, None)]
