"""The rehearsal after the start: it gets a new incident's writes ready and leaves nothing behind."""

from __future__ import annotations

import pytest
from ledger_reading import AuditEventRow, rows
from loguru import logger
from rig import Rig

from engine.cast import nothing_more_is_written
from syncd.engine import rehearsal
from syncd.engine.rehearsal import rehearse


def test_a_rehearsal_gets_a_ticket_ready_asks_nobody_and_stores_and_logs_nothing(house: Rig) -> None:
    house.cycle()
    lines: list[str] = []
    sink = logger.add(lines.append)
    requests, events = house.world.journal.total(), rows(house.ledger, AuditEventRow)
    assert rehearse(house.context) == 1
    logger.remove(sink)
    assert house.world.journal.total() == requests
    assert rows(house.ledger, AuditEventRow) == events
    assert house.operations() == []
    assert lines == []
    house.world.pagerduty.trigger("Alipay Integration", "A true one", priority="P1")
    house.settle(2)
    assert len(house.world.jira.site.issues) == 1
    nothing_more_is_written(house)


def test_a_rehearsal_that_fails_stops_nothing(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    house.cycle()

    def fail(*_: object) -> int:
        raise ValueError

    monkeypatch.setattr(rehearsal, "_play", fail)
    assert rehearse(house.context) == 0
