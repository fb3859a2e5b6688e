"""Compare what both judges say of a history, looked at often and looked at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.verify.judge import judge
from verify.first_judge import looked, verdicts
from verify.histories import END, History
from verify.verify_cast import MONDAY

Clocks = list[tuple[str, datetime]]
OFTEN = timedelta(hours=29)


class Difference(NamedTuple):
    """A subject of which two judgements differ: the kind of the comparison, and both lists of clocks."""

    kind: str
    duty: str
    first: str
    second: str


def end_of(history: History) -> datetime:
    return history.facts.created_at + timedelta(hours=END)


def differences(history: History) -> Iterator[Difference]:
    """Yield each subject of which the judges differ, or the first one with itself."""
    end = end_of(history)
    second: dict[tuple[str, str], Clocks] = {}
    for duty in judge(history.facts, history.people, history.decisions, end):
        second.setdefault((duty.kind, duty.subject), []).append((str(duty.verdict), duty.due_at))
    moments, moment = [], history.facts.created_at
    while moment < end:
        moment += OFTEN
        moments.append(min(moment, end))
    often, once = (
        {place: _counted(clocks) for place, clocks in verdicts(looked(history, looks)).items()}
        for looks in (moments, [end])
    )
    for place in sorted({*second, *often, *once}):
        name, derived = f"{place[0]} {place[1]}", _counted(second.get(place, []))
        by_often, by_once = often.get(place, []), once.get(place, [])
        if by_often != by_once:
            yield Difference("often and once", name, _words(by_often), _words(by_once))
        if by_once != derived:
            yield Difference("first and second", name, _words(by_once), _words(derived))


def _counted(clocks: Clocks) -> Clocks:
    """Return the clocks that count: a cancelled one moves no figure."""
    return [clock for clock in clocks if clock[0] != "cancelled"]


def _words(clocks: Clocks) -> str:
    if not clocks:
        return "nothing owed"
    hours = [(verdict, (due - MONDAY).total_seconds() / 3600) for verdict, due in clocks]
    return ", ".join(f"{verdict} due {due:.2f}" for verdict, due in hours)
