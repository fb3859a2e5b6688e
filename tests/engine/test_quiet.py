"""A quiet cycle and a tick: few statements, and none that reads a whole table which grows for ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from rig import Rig
from sqlalchemy import event
from sqlalchemy.engine import Engine

from engine.mail_rig import MakeRig
from syncd.remote.pagerduty import wire

GROWING = frozenset(
    {
        "action_item",
        "audit_event",
        "duty",
        "incident",
        "mirror_link",
        "operation",
        "postmortem",
        "report_run",
        "ticket",
        "waiver",
    }
)
"""The tables whose rows stay for ever. All others stay small, or are empty while nothing changes."""

Statement = tuple[str, Any]


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Collect the statements that reach a ledger, with their parameters."""
    collected: list[Statement] = []

    def collect(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        collected.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield collected
    finally:
        event.remove(Engine, "before_cursor_execute", collect)


def plans(rig: Rig, made: list[Statement]) -> list[str]:
    """Return the steps of these statements' plans.

    Without statistics SQLite plans by the indices alone, so an empty ledger shows the plans of a full one.
    """
    with closing(sqlite3.connect(rig.folder / rig.name)) as database:
        return [
            f"{step[3]}: {statement}"
            for statement, parameters in made
            for step in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def scans(rig: Rig, made: list[Statement]) -> list[str]:
    """Return the steps of plans that read a growing table, or its index, from end to end."""
    steps = plans(rig, made)
    return [step for step in steps if step.startswith("SCAN ") and _table(step) in GROWING]


def _table(step: str) -> str:
    return step.split()[1].strip(":")


@pytest.fixture
def quiet(make_rig: MakeRig) -> Rig:
    rig = make_rig()
    rig.loop.make_first_contact()
    for number in range(3):
        rig.world.pagerduty.trigger(service="Alipay Integration", title=f"Late {number}", priority="P4")
    rig.settle(12)
    return rig


@pytest.mark.parametrize(
    ("turn", "most"), [(lambda rig: rig.cycle(), 24), (lambda rig: rig.loop.tick(), 2)], ids=["cycle", "tick"]
)
def test_a_quiet_turn_needs_few_statements_and_reads_no_growing_table_whole(
    quiet: Rig, turn: Callable[[Rig], object], most: int
) -> None:
    with statements() as made:
        turn(quiet)
    assert scans(quiet, made) == []
    assert 0 < len(made) <= most


def test_a_quiet_cycle_reads_nothing_again_that_it_has_seen(
    quiet: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the window of the log still shows all that happened
    quiet.world.pagerduty.trigger(service="Alipay Integration", title="Now", priority="P4")
    quiet.settle(4, seconds=1.0)

    def read(*_: object) -> None:
        raise AssertionError("it was seen")

    monkeypatch.setattr(wire, "incident", read)
    assert quiet.cycle(1.0).good


def test_a_quiet_cycle_reads_only_incidents_without_a_search_and_duties_out_of_sight(quiet: Rig) -> None:
    with statements() as made:
        quiet.cycle()
    used = {step.partition(":")[0] for step in plans(quiet, made) if " incident " in step or " duty " in step}
    assert {"SEARCH incident USING INDEX incident_unsearched (created_at<?)"} <= used
    assert {step for step in used if " duty " in step} == {"SEARCH duty USING INDEX duty_unseen (state=?)"}
