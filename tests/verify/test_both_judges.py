"""Both judges on one history each: looked at often, seldom and once, the verdicts are those of the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncd.domain.history import SeverityPeriod
from syncd.verify.facts import IncidentFacts, People
from verify.compare import answers
from verify.histories import History
from verify.verify_cast import (
    DAY,
    DONE,
    OPEN,
    ROBOT,
    SYNCD,
    Acts,
    at,
    day,
    hours,
    incident,
    item,
    mapping,
)

ITEM = "900"
LATEST = 42 * DAY + 24
"""30 working days after Monday end with the Monday six weeks later."""


def judged(facts: IncidentFacts, kind: str, subject: str, **more: Any) -> list[tuple[str, float]]:
    """Return verdict and deadline (hours) of each clock that counts, on which both judges agree."""
    played = History(
        facts,
        People(automatic=frozenset({SYNCD, ROBOT})),
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
