"""A report is derived again from both services: what agrees, what differs, what can no longer be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from rig import Rig, mapping, rig

from syncd.engine.jobs.verify_report import Line, Outcome, verify
from syncd.ledger.views.to_verify import on_record_of
from syncd.report.weekly.report import make, run_of
from syncd.report.weekly.week import Week

INES, AMARA = "Ines Carvalho", "Amara Osei"
HOUR = 3600.0
DAY = 24 * HOUR
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two weeks after three incidents: one is scheduled in time, one late and with items, one never."""
    rules = mapping(
        postmortem={"mode": "enforce", "complete_days": 90},
        follow_ups={"mode": "enforce"},
        close_gate={"mode": "off"},
    )
    with rig(tmp_path_factory.mktemp("weeks"), mappings=(rules,)) as house:
        play(house)
        yield house


def play(house: Rig) -> None:
    house.settle(2)
    jira = house.world.jira
    kept, late, missed = (resolved(house, title) for title in ("Latency", "Errors", "Backlog"))
    for key in (kept, late, missed):
        jira.assign(key, INES, INES)
    jira.edit(kept, INES, duedate=in_days(house, 5))
    owned, _unowned = (jira.sub_task(late, title, INES) for title in ("Alert", "Limit"))
    pass_time(house, 5 * HOUR)
    jira.assign(owned.key, AMARA, INES)
    pass_time(house, 3 * DAY)
    jira.edit(late, INES, duedate=in_days(house, 5))
    jira.transition(owned.key, "Done", AMARA)
    pass_time(house, 4 * DAY)


def resolved(house: Rig, title: str) -> str:
    """Return the key of the postmortem of an incident that was resolved."""
    made = house.world.pagerduty.trigger("Alipay Integration", title, priority="P2")
    house.cycle()
    house.world.pagerduty.acknowledge(made.id, AMARA)
    house.cycle(400)
    house.world.pagerduty.resolve(made.id, AMARA)
    house.settle(3, 900)
    record = on_record_of(house.ledger, made.id)
    assert record is not None
    assert record.postmortem is not None
    return record.postmortem[1]


def in_days(house: Rig, days: int) -> str:
    return f"{house.clock.now() + timedelta(days=days):%Y-%m-%d}"


def pass_time(house: Rig, seconds: float) -> None:
    house.cycle(seconds)
    for _ in range(2):
        house.loop.tick()
        house.loop.work_queue.drain()
        house.cycle(900)


def compared(house: Rig, change: Callable[[Rows], Rows] = lambda rows: rows) -> list[Line]:
    """Make the reports of the last two weeks and return their comparison with both services."""
    now = house.clock.now()
    lines: list[Line] = []
    for back in range(2):
        run = run_of(make(house.ledger, Week.of(now, "UTC").back(back), "QRPay", house.mappings, now), now)
        rows, bounds = change(run.rows), (run.begins, run.ends)
        lines += verify(house.ledger, house.context.services, house.mappings, rows, bounds, "QRPay", now)
    return lines


def different(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.outcome is not Outcome.SAME]


def test_reports_agree_with_what_both_services_say(weeks: Rig) -> None:
    writes = weeks.writes()
    lines = compared(weeks)
    assert different(lines) == []
    assert {line.duty for line in lines} == {"scheduled", "owned"}
    assert {line.on_record.split(",")[0] for line in lines} >= {"met", "met_late", "breached"}
    assert weeks.writes() == writes


def test_a_row_that_was_changed_a_row_left_out_and_a_deadline_that_moved_differ(weeks: Rig) -> None:
    def kinder(rows: Rows) -> Rows:
        return [
            {**row, "verdict": "met"} if row.get("verdict") == "breached" else row
            for row in rows
            if row.get("verdict") != "met_late"
        ]

    lines = different(compared(weeks, kinder))
    assert {line.outcome for line in lines} == {Outcome.DIFFERENT}
    assert {(line.on_record.split(",")[0], line.derived.split(",")[0]) for line in lines} == {
        ("met", "breached"),
        ("not in the report", "met_late"),
    }


def test_an_issue_that_jira_does_not_show_any_more_is_not_verifiable(weeks: Rig) -> None:
    lines = compared(weeks)
    key = next(line.name.split()[1] for line in lines if line.duty == "scheduled")
    weeks.world.jira.delete(key)
    lines = different(compared(weeks))
    assert {line.outcome for line in lines} == {Outcome.NOT_VERIFIABLE}
    assert {line.source for line in lines} == {f"Jira does not show {key} any more"}
