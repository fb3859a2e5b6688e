"""A host whose clock is wrong, and the net behind the watermark: what happens between two polls is seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from ledger_reading import IncidentRow, rows
from loguru import logger
from rig import Rig

from engine.cast import incident_of, nothing_more_is_written, ours, status
from engine.mail_rig import subjects
from engine.test_watermark import watermark
from syncd.engine.observe.pagerduty import WATERMARK
from syncd.engine.status import daemon_status
from syncd.ledger.store.key_values import set_value
from syncd.ledger.views.status import status_data
from syncd.policy.marks import mark_in
from syncd.sandbox.pagerduty.records import Incident

MINUTE, DAY = 60.0, 86400.0
STEPS = (15 * MINUTE, -15 * MINUTE, 3 * DAY, -3 * DAY)


def passes_between_two_polls(
    rig: Rig, title: str = "Payments fail", service: str = "Alipay Integration"
) -> Incident:
    made = rig.world.pagerduty.trigger(service, title, priority="P1")
    rig.world.advance(10)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    return made


def has_one_ticket(rig: Rig, incident: Incident) -> None:
    (ticket,) = [issue for issue in ours(rig) if issue["properties"]["syncd"]["incident"] == incident.id]
    assert status(rig, int(ticket["key"].rpartition("-")[2])) in ("In Review", "Done")
    notes = [note["content"] for note in incident_of(rig, incident)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_p1_between_two_polls_is_seen_while_the_clock_was_wrong_from_the_first_start(
    make_rig: Any, step: float
) -> None:
    rig: Rig = make_rig()
    rig.stop()
    rig.name = "another.db"
    rig.clock.step = step
    rig.start()
    rig.settle(2)
    made = passes_between_two_polls(rig)
    rig.settle(4)
    rig.settle(1, seconds=60)
    assert abs(watermark(rig) - rig.world.clock()) <= timedelta(seconds=2)
    rig.clock.step = 0.0
    rig.settle(4)
    has_one_ticket(rig, made)
    nothing_more_is_written(rig)


@pytest.mark.parametrize("step", STEPS)
def test_a_p1_between_two_polls_is_seen_while_the_clock_is_set_and_set_back(house: Rig, step: float) -> None:
    before = passes_between_two_polls(house, "Before")
    house.clock.step = step
    house.cycle()
    during = passes_between_two_polls(house, "During")
    house.cycle()
    house.clock.step = 0.0
    after = passes_between_two_polls(house, "After")
    house.settle(6)
    for incident in (before, during, after):
        has_one_ticket(house, incident)
    nothing_more_is_written(house)


@pytest.mark.parametrize("step", (15 * MINUTE, -15 * MINUTE))
def test_our_clock_does_with_a_wide_overlap_where_no_answer_has_a_date(make_rig: Any, step: float) -> None:
    rig: Rig = make_rig()
    rig.world.dateless |= {"pagerduty", "jira"}
    rig.clock.step = step
    rig.restart()
    rig.settle(2)
    made = passes_between_two_polls(rig)
    rig.settle(3)
    rig.world.dateless.clear()
    rig.clock.step = 0.0
    other = passes_between_two_polls(rig, "Later")
    rig.settle(6)
    has_one_ticket(rig, made)
    has_one_ticket(rig, other)
    nothing_more_is_written(rig)


def test_the_slow_poll_takes_up_what_the_fast_poll_missed(house: Rig) -> None:
    made = passes_between_two_polls(house)
    # the log of these minutes was never read
    set_value(house.ledger, WATERMARK, at=(house.world.clock() + timedelta(hours=1)).isoformat())
    house.world.advance(3600)
    house.settle(2)
    assert not ours(house)
    house.loop.slow()
    house.settle(4)
    has_one_ticket(house, made)
    nothing_more_is_written(house)


def test_the_slow_poll_reads_what_was_resolved_within_a_month_once_a_day(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(2)
    house.loop.slow()
    house.world.advance(10 * DAY)
    house.settle(2)
    house.world.pagerduty.account.options.priority_entry = None
    house.loop.slow()
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.world.advance(3600)
    asked = len(house.world.journal.lines("pagerduty", "GET", "/incidents"))
    house.loop.slow()
    assert len(house.world.journal.lines("pagerduty", "GET", "/incidents")) == asked + 1
    house.settle(2)
    assert severity(house, made) == "SEV3"
    house.world.advance(DAY)
    house.loop.slow()
    house.settle(4)
    assert severity(house, made) == "SEV0"
    nothing_more_is_written(house)


def severity(rig: Rig, incident: Incident) -> str | None:
    return next((row.severity for row in rows(rig.ledger, IncidentRow) if row.id == incident.id), None)


def test_a_daily_read_that_a_wrong_clock_dated_ahead_is_not_put_off(house: Rig) -> None:
    set_value(house.ledger, "pagerduty.daily", at=datetime(2031, 1, 1, tzinfo=house.began.tzinfo).isoformat())
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(2)
    house.world.advance(10 * DAY)
    house.settle(2)
    house.world.pagerduty.account.options.priority_entry = None
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.world.advance(3600)
    house.loop.slow()
    house.settle(4)
    assert severity(house, made) == "SEV0"


def test_a_clock_that_differs_is_said_by_status_and_the_log_and_mailed_once(make_rig: Any) -> None:
    rig: Rig = make_rig(mail=True)
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}", level="WARNING")
    rig.settle(2)
    rig.clock.step = -15 * MINUTE
    rig.settle(3)
    words = "PagerDuty's clock is 15 minutes ahead of this machine's"
    assert any(words in str(note) for note in status_data(rig.ledger)["notes"])
    assert any(words in remark for remark in daemon_status(rig.context, {}).remarks)
    rig.restart()
    rig.settle(3)
    rig.world.advance(2 * DAY)
    rig.settle(2)
    rig.restart()
    rig.settle(2)
    assert sum(words in line for line in lines) == 1
    assert f"syncd: {words}" in subjects(rig)
    assert sum(words in subject for subject in subjects(rig)) == 1
    rig.clock.step = 0.0
    rig.settle(2)
    assert not status_data(rig.ledger)["notes"]
    rig.clock.step = 20 * MINUTE
    rig.settle(2)
    assert sum("20 minutes behind" in subject for subject in subjects(rig)) == 2
    logger.remove(sink)
