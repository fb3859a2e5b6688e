"""Who goes first while many incidents wait: the order in which they get a worker, and who keeps one free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import pytest
from rig import Rig, RigClock, mapping

from engine.cast import issue_of
from syncd.domain.mail import OPERATOR
from syncd.engine import work_queue as work_queue_module
from syncd.engine.act.attempts import Later
from syncd.engine.act.lane_of import ranks_of
from syncd.engine.observe.pagerduty import PagerDutyPoller
from syncd.engine.rules import Rank
from syncd.engine.work_queue import BESIDE, WorkQueue
from syncd.ledger.store.change_queue import notice_changes
from syncd.remote.http.lanes import Lane, asking
from syncd.sandbox.cast import START
from syncd.sandbox.clock import SandboxClock

PATIENCE = 60.0
"""Seconds after which a thread that never comes fails its test."""


def trigger(rig: Rig, title: str, **more: Any) -> str:
    return rig.world.pagerduty.trigger("Alipay Integration", title, **more).id


def queue_of(work: Any, **more: Any) -> WorkQueue:
    return WorkQueue(work, RigClock(SandboxClock(START)), **more)


def test_new_incidents_get_their_tickets_in_the_order_of_their_severities(house: Rig) -> None:
    house.cycle()
    for priority in ("P4", "P3", "P4", "P2", "P3", "P1"):
        trigger(house, priority, priority=priority)
    house.cycle()
    tickets = [issue_of(house, number)["fields"]["summary"] for number in range(1, 7)]
    assert tickets == ["P1", "P2", "P3", "P3", "P4", "P4"]


def test_ranks_follow_the_severity_that_pagerduty_shows_and_what_is_over_has_none(house: Rig) -> None:
    house.cycle()
    gravest, light = trigger(house, "gravest", priority="P1"), trigger(house, "light", priority="P4")
    risen, over = trigger(house, "risen", priority="P4"), trigger(house, "over", priority="P1")
    house.world.pagerduty.resolve(over, "Amara Osei")
    house.cycle()
    house.world.pagerduty.set_priority(risen, "P2", "Amara Osei")
    house.loop.pagerduty.poll()
    assert ranks_of(house.context, [gravest, light, risen, over, OPERATOR, "PNEVER"]) == {
        gravest: Rank.GRAVEST,
        light: Rank.LIGHT + 3,
        risen: Rank.GRAVEST + 1,
        over: Rank.OVER,
        OPERATOR: Rank.MAILS,
    }


def test_a_restricted_ticket_without_its_level_goes_before_the_gravest(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(restricted={"titles": ["^secret"], "level": "Security incident"}),))
    rig.cycle()
    incident, gravest = trigger(rig, "ordinary", priority="P4"), trigger(rig, "gravest", priority="P1")
    rig.cycle()
    rig.world.pagerduty.set_title(incident, "secret leak", "Amara Osei")
    rig.loop.pagerduty.poll()
    assert ranks_of(rig.context, [incident, gravest]) == {incident: Rank.LEVEL, gravest: Rank.GRAVEST}
    rig.settle(2)
    assert ranks_of(rig.context, [incident]) == {incident: Rank.LIGHT + 3}


def test_an_incident_that_is_queued_again_keeps_its_gravest_rank() -> None:
    order: list[str] = []
    ranks = {"a": Rank.LIGHT, "b": Rank.LIGHT, "c": Rank.LIGHT}

    def work(incident: str) -> Later:
        order.append(incident)
        return Later()

    work_queue = queue_of(work, ranks=lambda idents: {ident: ranks[ident] for ident in idents})
    work_queue.submit(["a", "b", "c"])
    work_queue.submit_told({"c": Rank.GRAVEST})
    work_queue.submit(["c"])
    work_queue.drain()
    assert order == ["c", "a", "b"]


def test_an_incident_whose_webhook_tells_no_rank_has_that_on_record_or_may_be_among_the_gravest() -> None:
    order: list[str] = []
    on_record = {"light": int(Rank.LIGHT)}

    def work(incident: str) -> Later:
        order.append(incident)
        return Later()

    def ranks(incidents: Sequence[str]) -> dict[str, int]:
        return {incident: on_record[incident] for incident in incidents if incident in on_record}

    work_queue = queue_of(work, ranks=ranks)
    work_queue.submit_told({"light": None, "told": Rank.LIGHT, "unknown": None})
    work_queue.drain()
    assert order == ["unknown", "light", "told"]


def test_an_incident_that_rose_leaves_nothing_for_which_light_ones_give_way() -> None:
    queue = queue_of(lambda _incident: Later())
    queue.submit_told({"P1": Rank.GRAVEST + 1})
    queue.submit_told({"P1": Rank.GRAVEST})
    assert queue._has_grave()
    queue.drain()
    assert not queue._has_grave()


def test_whom_an_incident_wakes_and_whose_time_has_come_go_by_their_ranks() -> None:
    order: list[str] = []
    clock = RigClock(SandboxClock(START))
    ranks = {"light": Rank.LIGHT, "other": Rank.LIGHT, "late": Rank.GRAVEST, "woken": Rank.GRAVEST}

    def work(incident: str) -> Later:
        order.append(incident)
        first = order.count(incident) == 1
        return Later(
            1.0 if incident == "late" and first else None, {"woken"} if incident == "light" else set()
        )

    work_queue = WorkQueue(work, clock, ranks=lambda idents: {ident: ranks[ident] for ident in idents})
    work_queue.submit(["late"])
    work_queue.drain()
    clock.sandbox.advance(2)
    work_queue.submit(["light", "other"])
    work_queue.wake()
    work_queue.drain()
    assert order == ["late", "late", "light", "woken", "other"]


def test_an_incident_has_one_timer_however_often_it_was_worked_on_meanwhile() -> None:
    turns: list[str] = []
    clock = RigClock(SandboxClock(START))

    def work(incident: str) -> Later:
        turns.append(incident)
        return Later(5.0)

    work_queue = WorkQueue(work, clock)
    for _ in range(4):
        work_queue.submit(["one"])
        work_queue.drain()
        clock.sandbox.advance(1)
    turns.clear()
    for _ in range(20):
        clock.sandbox.advance(1)
        work_queue.wake()
        work_queue.drain()
    assert turns == ["one"] * 4


@pytest.fixture
def slow() -> Iterator[Event]:
    """An event for which light work waits."""
    event = Event()
    yield event
    event.set()


def test_while_all_workers_wait_with_light_incidents_grave_ones_and_notices_find_one(slow: Event) -> None:
    done: dict[str, Event] = {}
    ranks = {"light": Rank.LIGHT, "notice": Rank.NOTICE, "grave": Rank.GRAVEST}
    names = [f"light-{number}" for number in range(4)] + ["notice-0", "grave-0", "grave-1"]

    def work(incident: str) -> Later:
        if incident.startswith("light"):
            slow.wait(PATIENCE)
        done[incident].set()
        return Later()

    done.update({name: Event() for name in names})
    work_queue = queue_of(
        work, ranks=lambda idents: {ident: int(ranks[ident.partition("-")[0]]) for ident in idents}
    )
    work_queue.start(2)
    work_queue.submit(names[:4])
    work_queue.submit(names[4:])
    assert all(done[name].wait(PATIENCE) for name in names[4:])
    assert not any(done[name].is_set() for name in names[:4])
    slow.set()
    assert work_queue.wait_idle(PATIENCE)
    assert all(done[name].is_set() for name in names)
    assert work_queue.stop(PATIENCE)


def test_while_a_grave_incident_is_worked_on_one_light_one_at_a_time_begins_beside_it() -> None:
    rank = {"grave": int(Rank.GRAVEST)}
    work_queue = queue_of(
        lambda _incident: Later(),
        ranks=lambda idents: {ident: rank.get(ident, Rank.LIGHT) for ident in idents},
    )
    work_queue.submit(["light-0", "light-1"])
    assert work_queue._take(block=False) == "light-0"
    assert not work_queue._must_yield()
    # it waits, then a worker has it
    work_queue.submit(["grave"])
    assert work_queue._must_yield()
    assert work_queue._take(block=False) == "grave"
    assert work_queue._must_yield()
    # light work never stands still, and a batch is no worker
    work_queue.release(["light-0"])
    work_queue.reserve(["light-0"])
    assert not work_queue._must_yield()
    assert work_queue._take(block=False) == "light-1"
    assert work_queue._must_yield()
    work_queue.release(["grave"])
    assert not work_queue._must_yield()


def test_a_light_incident_gives_way_in_the_middle_of_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue_module, "GIVES_WAY", PATIENCE)
    order: list[str] = []
    begun, grave = Event(), Event()
    rank = {"grave": int(Rank.GRAVEST)}

    def work(incident: str) -> Later:
        if incident == "light":
            begun.set()
            grave.wait(PATIENCE)
            work_queue.give_way(incident)
        else:
            grave.set()
        order.append(incident)
        return Later()

    work_queue = queue_of(work, ranks=lambda idents: {ident: rank.get(ident, Rank.LIGHT) for ident in idents})
    # without workers nobody is beside it
    work_queue.give_way("light")
    work_queue.start(1)
    work_queue.submit(["light"])
    assert begun.wait(PATIENCE)
    work_queue.submit(["grave"])
    assert work_queue.wait_idle(PATIENCE)
    assert order == ["grave", "light"]
    assert work_queue.stop(PATIENCE)


def test_two_workers_stay_free_of_light_notices() -> None:
    work_queue = queue_of(lambda _incident: Later(), ranks=lambda idents: dict.fromkeys(idents, Rank.NOTICE))
    work_queue.submit(["notice"])
    assert work_queue._take(block=False, least=Rank.GRAVE) is None
    assert work_queue._take(block=False, least=Rank.NOTICE) == "notice"
    assert BESIDE == (Rank.NOTICE, Rank.GRAVE, Rank.GRAVE)


def test_what_a_grave_incident_asks_is_of_the_first_class(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Lane] = {}
    client = house.context.services.pagerduty
    read = client.incident

    def incident(incident_id: str) -> Any:
        asked[incident_id] = asking().lane
        return read(incident_id)

    monkeypatch.setattr(client, "incident", incident)
    house.cycle()
    gravest, light = trigger(house, "gravest", priority="P1"), trigger(house, "light", priority="P4")
    house.cycle()
    later = house.ledger.logical_clock.next()
    notice_changes(house.ledger, [gravest, light], house.clock.now(), later, "a test")
    house.loop.work_on_notices()
    house.loop.work_queue.drain()
    assert asked == {gravest: Lane.FIRST, light: Lane.CREATE}


def test_workers_begin_with_a_grave_incident_while_the_poll_still_reads(house: Rig) -> None:
    house.cycle()
    begun: list[list[str]] = []
    poller = PagerDutyPoller(house.context, begun.append)
    poller.poll()
    trigger(house, "light", priority="P4")
    gravest = trigger(house, "gravest", priority="P1")
    house.world.advance(30)
    poller.poll()
    assert begun == [[gravest]]


def test_older_log_entries_give_way_where_a_page_brought_news(house: Rig) -> None:
    house.cycle()
    gave_way: list[int] = []
    poller = PagerDutyPoller(house.context, give_way=lambda: gave_way.append(1))
    poller.poll()
    assert gave_way == []
    for number in range(110):
        trigger(house, f"Storm {number}", priority="P4")
    house.world.advance(30)
    poller.poll()
    first = len(gave_way)
    assert first > 0
    poller.poll()
    assert len(gave_way) == first


def test_who_lets_the_workers_go_first_waits_until_they_are_done_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, goes_on = Event(), Event()

    def work(_incident: str) -> Later:
        begun.set()
        assert goes_on.wait(PATIENCE)
        return Later()

    queue = queue_of(work)
    # without threads the caller works itself
    queue.submit(["P1"])
    queue.let_work()
    queue.start(1)
    assert begun.wait(PATIENCE)
    queue.let_work()
    assert not queue.idle()
    monkeypatch.setattr(work_queue_module, "GIVES_WAY", PATIENCE)
    goes_on.set()
    queue.let_work()
    assert queue.idle()
    assert queue.stop(PATIENCE)


@pytest.mark.parametrize(
    ("rank", "wakes", "wanted"),
    [(Rank.LIGHT, set(), False), (Rank.LIGHT, {"other"}, True), (Rank.NOTICE, set(), True)],
)
def test_the_end_of_a_light_incident_wakes_waiting_workers_only_for_another_one(
    monkeypatch: pytest.MonkeyPatch, rank: int, wakes: set[str], wanted: bool
) -> None:
    queue = queue_of(lambda incident: Later(wake=wakes if incident == "first" else set()))
    queue.submit_told({"first": rank})
    woken: list[bool] = []
    monkeypatch.setattr(queue._takeable, "notify_all", lambda: woken.append(True))
    assert queue._take(block=False) == "first"
    queue._one("first")
    assert bool(woken) is wanted


def test_an_incident_that_is_queued_as_light_while_a_worker_for_notices_has_it_gets_another_turn() -> None:
    begun, go, turns = Event(), Event(), list[str]()

    def work(incident: str) -> Later:
        turns.append(incident)
        begun.set()
        assert go.wait(PATIENCE)
        return Later()

    queue = queue_of(work)
    queue.submit_told({"it": Rank.NOTICE})
    queue.start(1)
    assert begun.wait(PATIENCE)
    queue.submit_told({"it": Rank.LIGHT})
    go.set()
    assert queue.wait_idle(PATIENCE)
    assert turns == ["it", "it"]
    queue.stop(0)
