"""Compare what both judges say of a history, looked at often and looked at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from syncd.domain.duty import Duty
from syncd.verify.judge import judge
from verify.first_judge import looked, verdicts
from verify.histories import History
from verify.verify_cast import MONDAY

Clocks = list[tuple[str, datetime]]
Place = tuple[str, str]
KINDS = ("often and seldom", "seldom and once", "first and second judge")


class Difference(NamedTuple):
    """A subject of which two judgements differ: the kind of the comparison, and both lists of clocks."""

    kind: str
    duty: str
    first: str
    second: str


def answers(history: History) -> list[dict[Place, Clocks]]:
    """Return the verdicts of the first judge who looked often, seldom and once, and those of the second."""
    record, corrections = looked(history, [*history.often, history.end])
    often = _by_place(record)
    once = _by_place(looked(history, [history.end])[0])
    seldom = _by_place(looked(history, [*history.seldom, history.end])[0])
    # an approver takes back the breach on record, so the second judge hears only of those
    decisions = history.decisions.model_copy(update={"corrections": tuple(corrections)})
    derived: dict[Place, Clocks] = {}
    for duty in judge(history.facts, history.people, decisions, history.end):
        derived.setdefault((duty.kind, duty.subject), []).append((str(duty.verdict), duty.due_at))
    return [often, seldom, once, {place: _counted(clocks) for place, clocks in derived.items()}]


def differences(history: History) -> Iterator[Difference]:
    """Yield each subject of which the judges differ, or the first one with itself."""
    given = answers(history)
    for place in sorted({place for judged in given for place in judged}):
        of_place = [judged.get(place, []) for judged in given]
        for kind, (first, other) in zip(KINDS, pairwise(of_place), strict=True):
            if first != other:
                yield Difference(kind, " ".join(place), _words(first), _words(other))


def _by_place(duties: Iterable[Duty]) -> dict[Place, Clocks]:
    return {place: _counted(clocks) for place, clocks in verdicts(duties).items()}


def _counted(clocks: Clocks) -> Clocks:
    """Return the clocks that count: a cancelled one moves no figure."""
    return [clock for clock in clocks if clock[0] != "cancelled"]


def _words(clocks: Clocks) -> str:
    if not clocks:
        return "nothing owed"
    hours = [(verdict, (due - MONDAY).total_seconds() / 3600) for verdict, due in clocks]
    return ", ".join(f"{verdict} due {due:.2f}" for verdict, due in hours)
