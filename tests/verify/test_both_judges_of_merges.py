"""Both judges on merges: what a source and its target owe, looked at often, seldom and once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.domain.history import SeverityPeriod
from syncd.verify.facts import IncidentFacts, Merge, People
from verify.compare import answers
from verify.histories import History, gather
from verify.random_items import PlayedItem
from verify.random_merges import Source
from verify.verify_cast import AUTOMATIC, DAY, DONE, OPEN, Acts, at, hours, incident, issue, item, mapping

ITEM = "900"
Clocks = list[tuple[str, float]]


def judged(played: History, kind: str, subject: str) -> Clocks:
    """Return verdict and deadline (hours) of each clock that counts, on which both judges agree."""
    changes = [change.at for each in played.facts.items for change in each.issue.changes]
    moments = [*changes, *(state.at for state in played.facts.states), *(m.at for m in played.facts.merges)]
    played.often = tuple(sorted(moment + timedelta(minutes=3) for moment in moments))
    played.seldom = played.often[::2]
    clocks = [[(word, hours(due)) for word, due in each.get((kind, subject), [])] for each in answers(played)]
    assert clocks[:-1] == clocks[1:]
    return clocks[-1]


def history_of(facts: IncidentFacts, acts: Acts | None = None, *sources: Source) -> History:
    played = History(facts, People(automatic=AUTOMATIC), mapping())
    own = [PlayedItem(item(acts), "sub-task of the postmortem")] if acts is not None else []
    gather(played, own, list(sources))
    return played


def source(states: str, merged: float, acts: Acts | None = None, severity: str = "SEV1") -> Source:
    facts = incident(states, severity, id="PSOURCE", merges=(Merge(at=at(merged)),), postmortem=issue([]))
    items = [PlayedItem(item(acts), "sub-task of the postmortem")] if acts is not None else []
    return Source(facts, items)


MERGED = (Merge(at=at(20)),)


@pytest.mark.parametrize(
    ("states", "merges", "acts", "expected"),
    [
        ("resolved 0", MERGED, [], []),
        ("resolved 0", (Merge(at=at(50)),), [], [("breached", 48)]),
        # nobody would judge the target
        ("resolved 0", (Merge(at=at(20), claimed=False),), [], [("breached", 48)]),
        ("resolved 0", MERGED, [(15, "ines", "comment", "what happened")], [("breached", 48)]),
        ("resolved 0", MERGED, [(25, "ines", "comment", "what happened")], []),
        # opened again it counts on its own, also if only for ten minutes
        ("resolved 0, reopened 30, resolved 30.2", MERGED, [], [("breached", 78.2)]),
        # a past merge into an incident that nobody judges ended nothing
        (
            "resolved 0, reopened 30, resolved 30.2",
            (Merge(at=at(20), claimed=False),),
            [],
            [("breached", 48)],
        ),
    ],
)
def test_a_source_owes_what_was_decided_before_its_merge(
    states: str, merges: tuple[Merge, ...], acts: Acts, expected: Clocks
) -> None:
    facts = incident(states, merges=merges, postmortem=issue(acts))
    assert judged(history_of(facts), "scheduled", "PINC") == expected


@pytest.mark.parametrize(
    ("states", "merged", "severity", "expected"),
    [
        ("resolved 0", 10, "SEV1", [("breached", 58)]),
        ("resolved 0", 10, "SEV3", []),
        # the source was opened again before and after the deadline of its target
        ("resolved 0, reopened 30, acknowledged 31, resolved 40", 10, "SEV1", []),
        ("resolved 0, reopened 70, acknowledged 71, resolved 80", 10, "SEV1", [("breached", 58)]),
    ],
)
def test_a_lower_target_owes_for_its_source_until_that_is_opened_again(
    states: str, merged: float, severity: str, expected: Clocks
) -> None:
    lower = incident("resolved 5", "SEV3", postmortem=issue([]))
    played = history_of(lower, None, source(states, merged, severity=severity))
    assert judged(played, "scheduled", "PINC") == expected


def test_a_severity_that_a_source_had_before_it_fell_counts_for_the_target_too() -> None:
    fell = source("resolved 0", 10)
    periods = (
        SeverityPeriod(severity="SEV1", since=at(-2)),
        SeverityPeriod(severity="SEV3", since=at(5)),
    )
    fell.facts = fell.facts.model_copy(update={"severities": periods})
    played = history_of(incident("resolved 5", "SEV3", postmortem=issue([])), None, fell)
    assert judged(played, "scheduled", "PINC") == [("breached", 58)]


def test_what_came_through_a_chain_counts_from_the_last_of_its_merges() -> None:
    middle = source("resolved 0", 20, severity="SEV3")
    first = source("resolved 0", 10)
    first.facts = first.facts.model_copy(update={"id": "PFIRST"})
    middle.sources.append(first)
    played = history_of(incident("resolved 5", "SEV3", postmortem=issue([])), None, middle)
    assert judged(played, "scheduled", "PINC") == [("breached", 68)]


OWNER, NOBODY = ("ines", "assignee", "jo"), ("ines", "assignee", None)
CLOSED, OPENED = ("ines", "status", DONE), ("ines", "status", OPEN)
LATEST = 42 * DAY + 24


@pytest.mark.parametrize(
    ("target", "acts", "owned", "done"),
    [
        # pending at the merge: owed to the target from then on
        ("resolved 5", [], [("breached", 34)], [("breached", LATEST)]),
        # what was met for the source is not met a second time, but owed once it is lost
        ("resolved 5", [(6, *OWNER)], [], [("breached", LATEST)]),
        ("resolved 5", [(6, *OWNER), (30, *NOBODY)], [("breached", 54)], [("breached", LATEST)]),
        ("resolved 5", [(6, *CLOSED)], [], []),
        ("resolved 5", [(6, *CLOSED), (30, *OPENED)], [("breached", 54)], [("breached", LATEST)]),
        # the clocks of an open target begin with its resolve
        ("resolved 60", [], [("breached", 84)], [("breached", LATEST + 2 * DAY)]),
    ],
)
def test_an_item_that_was_handed_over_owes_to_the_target_what_was_open_at_the_merge(
    target: str, acts: Acts, owned: Clocks, done: Clocks
) -> None:
    facts = incident(target, postmortem=issue([]))
    for kind, expected in (("owned", owned), ("done", done)):
        assert judged(history_of(facts, None, source("resolved 0", 10, acts)), kind, ITEM) == expected


@pytest.mark.parametrize(
    ("target", "owned"),
    [
        ("resolved 5", []),
        ("resolved 5, reopened 70, acknowledged 71, resolved 80", [("breached", 104)]),
        ("resolved 80", [("breached", 104)]),
    ],
)
def test_what_was_missed_for_the_source_is_owed_again_from_the_next_resolve_of_the_target(
    target: str, owned: Clocks
) -> None:
    facts = incident(target, postmortem=issue([]))
    assert judged(history_of(facts, None, source("resolved 0", 50, [])), "owned", ITEM) == owned


def test_an_item_that_a_merge_takes_away_stays_as_it_stood_at_the_merge() -> None:
    acts: Acts = [(60, *OWNER), (70, *CLOSED)]
    missed = incident("resolved 0", merges=(Merge(at=at(50)),), postmortem=issue([]))
    assert judged(history_of(missed, acts), "owned", ITEM) == [("breached", 25)]


def test_a_clock_that_a_reopening_stopped_before_the_merge_is_not_missed() -> None:
    states = "resolved 0, reopened 10, acknowledged 11, resolved 40"
    merged = incident(states, merges=(Merge(at=at(40)),), postmortem=issue([]))
    assert judged(history_of(merged, []), "owned", ITEM) == []
