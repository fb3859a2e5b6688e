"""Up to when PagerDuty's log was read: what moves the watermark, and what a reload sets back."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from rig import Rig

from syncd.engine.observe.pagerduty import OVERLAP, WATERMARK, PagerDutyPoller, rewind_pagerduty
from syncd.ledger.store.key_values import get_value
from syncd.remote.errors import Cause, NotDone
from syncd.sandbox import faults


def watermark(rig: Rig) -> datetime:
    return datetime.fromisoformat(str(get_value(rig.ledger, WATERMARK)["at"]))


def test_the_watermark_moves_only_with_the_last_page(house: Rig) -> None:
    for number in range(130):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    before = watermark(house)
    house.world.faults.add(faults.error(500), service="pagerduty", path=r"/log_entries$", skip=1, times=1)
    result = house.cycle()
    assert not result.pagerduty
    assert watermark(house) == before
    house.cycle()
    assert watermark(house) > before


def test_a_window_that_would_pass_the_last_page_is_halved(house: Rig) -> None:
    asked: list[tuple[datetime, datetime]] = []
    busy_since = house.clock.now()
    poller = house.loop.pagerduty

    def read(since: datetime, until: datetime) -> bool:
        asked.append((since, until))
        return until - since <= timedelta(minutes=5)

    poller._read_window = read  # type: ignore[method-assign] # a record too full to be read at once
    house.world.advance(3600)
    poller._read_log(watermark(house))
    assert watermark(house) == house.clock.now()
    read_windows = [window for window in asked if window[1] - window[0] <= timedelta(minutes=5)]
    assert read_windows[0][0] <= busy_since
    assert all(earlier[1] == later[0] for earlier, later in pairwise(read_windows))


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[datetime, datetime]]:
    """Return a list that grows with each window in which the log is read."""
    asked: list[tuple[datetime, datetime]] = []
    read = PagerDutyPoller._read_window

    def note(poller: PagerDutyPoller, since: datetime, until: datetime) -> bool:
        asked.append((since, until))
        return read(poller, since, until)

    monkeypatch.setattr(PagerDutyPoller, "_read_window", note)
    return asked


def test_quiet_cycles_store_the_watermark_once_a_minute_and_a_restart_reads_from_there(
    house: Rig, windows: list[tuple[datetime, datetime]]
) -> None:
    house.settle(3, seconds=61)
    stored, read = [watermark(house)], []
    for _ in range(6):
        house.cycle(20)
        stored.append(watermark(house))
        read.append(windows[-1])
    # each window begins where the one before ended, less the overlap
    assert [since for since, _ in read[1:]] == [until - OVERLAP for _, until in read[:-1]]
    assert [after - before for before, after in pairwise(stored)] == [
        timedelta(),
        timedelta(),
        timedelta(minutes=1),
    ] * 2
    house.cycle(20)
    house.restart()
    house.loop.make_first_contact()
    house.cycle(20)
    assert windows[-1] == (stored[-1] - OVERLAP, stored[-1] + timedelta(seconds=40))


@pytest.mark.parametrize("seconds", [20, 120], ids=["not stored", "stored"])
def test_a_watermark_that_is_set_back_while_the_log_is_read_stays_there(
    house: Rig, windows: list[tuple[datetime, datetime]], seconds: int
) -> None:
    house.settle(3, seconds=61)
    back = watermark(house) - timedelta(hours=1)
    read = house.loop.pagerduty._read_window

    def reload_meanwhile(since: datetime, until: datetime) -> bool:
        rewind_pagerduty(house.ledger, {"at": back.isoformat()})
        return read(since, until)

    house.loop.pagerduty._read_window = reload_meanwhile  # type: ignore[method-assign]
    house.cycle(seconds)
    assert watermark(house) == back
    house.loop.pagerduty._read_window = read  # type: ignore[method-assign]
    house.cycle()
    assert windows[-1] == (back - OVERLAP, house.clock.now())
    assert watermark(house) == house.clock.now()


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("while_it", ["reads the log", "fills up"])
@pytest.mark.parametrize("seconds", [20, 120])
def test_a_reload_that_asks_for_the_days_before_while_a_poll_runs_gets_them(
    house: Rig, seconds: int, while_it: str, forgets: bool
) -> None:
    house.settle(3, seconds=61)
    poller, filled = house.loop.pagerduty, list[str]()
    read, backfill = poller._read_window, poller._backfill

    def reload() -> None:
        rewind_pagerduty(house.ledger, {})
        if forgets:
            house.loop.rules_changed()

    def read_beside(since: datetime, until: datetime) -> bool:
        reload()
        return read(since, until)

    def fill_up() -> None:
        filled.append("again")
        if while_it == "fills up" and len(filled) == 1:
            reload()
        backfill()

    poller._backfill = fill_up  # type: ignore[method-assign]
    if while_it == "fills up":
        reload()
    else:
        poller._read_window = read_beside  # type: ignore[method-assign]
    house.cycle(seconds)
    poller._read_window = read  # type: ignore[method-assign]
    before = len(filled)
    house.cycle()
    assert len(filled) == before + 1
    house.cycle()
    assert len(filled) == before + 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_reload_of_two_files_reads_the_days_before_one_and_the_log_since_the_other(
    house: Rig, windows: list[tuple[datetime, datetime]], order: int
) -> None:
    house.settle(3, seconds=61)
    back, filled = watermark(house) - timedelta(hours=1), list[str]()
    poller, backfill = house.loop.pagerduty, house.loop.pagerduty._backfill

    def fill_up() -> None:
        filled.append("again")
        if len(filled) == 1:
            raise NotDone("pagerduty", "incidents", Cause.REJECTED, "no", status=400)
        backfill()

    poller._backfill = fill_up  # type: ignore[method-assign]
    for mark in [{}, {"at": back.isoformat()}][::order]:
        rewind_pagerduty(house.ledger, mark)
    house.cycle()
    assert windows[-1] == (back - OVERLAP, house.clock.now())
    assert filled == ["again"]
    # the refusal did not answer the request
    house.cycle(seconds=60)
    house.cycle()
    assert filled == ["again"] * 2
