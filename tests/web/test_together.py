"""Webhooks that arrive at the same time: one transaction, each its own answer, ranks for the work queue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from engine.cast import issue_of
from ledger_reading import ChangeNoticeRow, rows
from rig import Rig

from syncd.engine.loop import ControlLoop
from syncd.engine.rules import Rank
from syncd.ledger.store.change_queue import notice_changes
from syncd.sandbox import faults
from syncd.web.receive import LOOK_EVERY, Receiver
from syncd.web.together import Together
from web.test_listener import pagerduty, trigger

PATIENCE = 60.0
"""Seconds after which a test fails that waits for a thread."""


def test_bodies_that_arrive_while_others_are_stored_share_the_next_transaction() -> None:
    shares: list[list[bytes]] = []
    begun, over, again = Event(), Event(), Event()

    def take(bodies: Sequence[bytes]) -> list[str]:
        shares.append(list(bodies))
        (again if begun.is_set() else begun).set()
        assert over.wait(PATIENCE)
        return [f"took {body.decode()}" for body in bodies]

    async def deliver() -> list[str]:
        together = Together(take)
        outcomes = [together.take(b"0")]
        # the event loop is held here all the time: the next transaction does not wait for it
        assert begun.wait(PATIENCE)
        outcomes += [together.take(str(number).encode()) for number in range(1, 4)]
        over.set()
        assert again.wait(PATIENCE)
        return await asyncio.gather(*outcomes)

    assert asyncio.run(deliver()) == ["took 0", "took 1", "took 2", "took 3"]
    assert shares == [[b"0"], [b"1", b"2", b"3"]]


def test_a_thread_that_cannot_start_costs_one_body_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def deliver() -> str:
        together = Together(lambda bodies: ["stored" for _ in bodies])
        with monkeypatch.context() as patched:
            patched.setattr(Thread, "start", full)
            with pytest.raises(RuntimeError, match="can't start"):
                together.take(b"0")
        return await together.take(b"1")

    assert asyncio.run(deliver()) == "stored"


def test_a_body_after_a_long_rest_is_stored_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.web.together.LONGEST_REST", 0.0)
    threads: list[Thread] = []

    def take(bodies: Sequence[bytes]) -> list[str]:
        threads.append(current_thread())
        return ["stored"] * len(bodies)

    async def deliver() -> list[str]:
        together, outcomes = Together(take), list[str]()
        for body in (b"0", b"1"):
            outcomes.append(await together.take(body))
            threads[-1].join(PATIENCE)
        return outcomes

    assert asyncio.run(deliver()) == ["stored"] * 2
    assert threads[0] is not threads[1]
    # the end of the process waits for none of them
    assert all(thread.daemon for thread in threads)


def test_a_body_whose_sender_has_left_is_stored_and_takes_none_of_its_neighbours_along() -> None:
    stored: list[bytes] = []
    begun, over = Event(), Event()

    def take(bodies: Sequence[bytes]) -> list[str]:
        begun.set()
        assert over.wait(PATIENCE)
        stored.extend(bodies)
        return ["used"] * len(bodies)

    async def deliver() -> list[str]:
        together = Together(take)
        outcomes = [together.take(b"0")]
        assert begun.wait(PATIENCE)
        outcomes += [together.take(b"1"), together.take(b"2")]
        outcomes.pop(1).cancel()
        over.set()
        return await asyncio.gather(*outcomes)

    assert asyncio.run(deliver()) == ["used", "used"]
    assert stored == [b"0", b"1", b"2"]


def test_a_body_that_fails_takes_none_of_its_neighbours_along() -> None:
    def take(bodies: Sequence[bytes]) -> list[str]:
        if b"bad" in bodies:
            raise ValueError("a defect")
        return ["used"] * len(bodies)

    async def deliver() -> list[Any]:
        together = Together(take)
        bodies = (b"first", b"good", b"bad", b"fine")
        return await asyncio.gather(*(together.take(body) for body in bodies), return_exceptions=True)

    outcomes = asyncio.run(deliver())
    assert [outcomes[0], outcomes[1], outcomes[3]] == ["used"] * 3
    assert isinstance(outcomes[2], ValueError)


def test_what_comes_together_is_stored_once_and_each_incident_looked_at_once(house: Rig) -> None:
    handed: dict[str, int | None] = {}
    receiver = Receiver(house.context, handed.update)
    first, second = trigger(house), trigger(house)
    house.cycle()
    bodies = [pagerduty(first, title=f"{number}") for number in range(3)] + [pagerduty(second)]
    assert receiver.pagerduty([*bodies, bodies[0], b"{}"]) == ["used"] * 4 + ["known", "unused"]
    assert list(handed) == [first, second]
    assert [notice.incident_id for notice in rows(house.ledger, ChangeNoticeRow)] == [first, second]


@pytest.mark.parametrize(
    ("told", "rank"),
    [
        ({"priority": {"summary": "P1"}}, Rank.GRAVEST),
        ({"priority": {"summary": "P4"}}, Rank.LIGHT + 3),
        ({"priority": None, "urgency": "low"}, Rank.LIGHT + 3),
        ({"priority": None, "title": "[SEV1] slow"}, Rank.GRAVEST + 1),
        # it shows no priority: it may be about the gravest
        ({"urgency": "low"}, None),
    ],
)
def test_a_webhook_tells_how_soon_syncd_looks_and_nothing_else(
    house: Rig, told: dict[str, Any], rank: int | None
) -> None:
    handed: dict[str, int | None] = {}
    receiver = Receiver(house.context, handed.update)
    house.cycle()
    service = {"id": "PSVC001", "summary": "Alipay Integration"}
    incident = trigger(house, priority="P3")
    body = pagerduty(incident, "incident.triggered", service=service, **told)
    assert receiver.pagerduty([body]) == ["used"]
    assert handed == {incident: rank}
    house.loop.work_queue.submit_told(handed)
    house.loop.work_queue.drain()
    # its priority is the one that PagerDuty shows
    assert issue_of(house)["fields"]["priority"]["name"] == "Medium"


def test_looks_at_many_incidents_because_of_webhooks_do_not_begin_at_the_same_moment(house: Rig) -> None:
    moments: dict[str, list[float]] = {}

    def look(ranks: Mapping[str, int]) -> None:
        for incident in ranks:
            moments.setdefault(incident, []).append(house.clock.boottime())

    receiver = Receiver(house.context, look)
    incidents = [trigger(house) for _ in range(10)]
    house.cycle()
    for moment in range(30):
        receiver.pagerduty([pagerduty(incident, title=f"{moment}") for incident in incidents])
        house.world.advance(0.1)
    pauses = {later - sooner for looks in moments.values() for sooner, later in pairwise(looks)}
    assert min(pauses) >= LOOK_EVERY - 0.001
    assert len({looks[1] for looks in moments.values()}) > 2


def test_a_cycle_leaves_an_incident_to_the_look_that_its_webhooks_wait_for(house: Rig) -> None:
    loop = ControlLoop(house.context, lambda: receiver.waiting())
    receiver = Receiver(house.context, loop.work_queue.submit_told)
    busy, quiet = trigger(house), trigger(house)
    loop.cycle()
    loop.work_queue.drain()
    for title in ("first", "second"):
        receiver.pagerduty([pagerduty(busy, title=title)])
        loop.work_queue.drain()
    assert notice_of(house, busy)
    loop.work_on_notices()
    assert loop.work_queue.idle()
    notice_changes(house.ledger, [quiet], house.clock.now(), house.ledger.logical_clock.next(), "a test")
    loop.work_on_notices()
    loop.work_queue.drain()
    assert not notice_of(house, quiet)
    assert notice_of(house, busy)
    house.world.advance(2)
    receiver.tick()
    loop.work_queue.drain()
    assert not notice_of(house, busy)


def notice_of(house: Rig, incident: str) -> bool:
    return any(notice.incident_id == incident for notice in rows(house.ledger, ChangeNoticeRow))


def test_the_webhook_of_our_own_note_causes_no_look_and_that_of_a_persons_does(house: Rig) -> None:
    handed: list[str] = []
    receiver = Receiver(house.context, handed.extend)
    incident, other = trigger(house), trigger(house)
    house.cycle()
    house.settle()
    (ours,) = house.world.pagerduty.account.incidents[incident].notes
    notes = [(incident, ours.content), (other, ours.content), (incident, "called the bank")]
    notes += [(incident, f"called the bank\nsyncd {16 * 'a'}"), (incident, f"{ours.content}\nwe called")]
    outcomes = receiver.pagerduty([note_of(about, text) for about, text in notes])
    assert outcomes == ["unused"] + ["used"] * 4
    assert {notice.incident_id for notice in rows(house.ledger, ChangeNoticeRow)} == {incident, other}
    house.world.advance(10)
    handed.clear()
    assert receiver.pagerduty([note_of(incident, ours.content, event="EV9")]) == ["unused"]
    receiver.tick()
    assert handed == []


def test_a_note_of_ours_that_is_not_confirmed_yet_causes_a_look(house: Rig) -> None:
    handed: list[str] = []
    receiver = Receiver(house.context, handed.extend)
    incident = trigger(house)
    # PagerDuty made the note, its answer was lost, and nobody can look for it
    notes = {"service": "pagerduty", "path": "/notes$", "times": None}
    house.world.faults.add(faults.lose_answer(), method="POST", **notes)
    house.world.faults.add(faults.error(503), method="GET", **notes)
    house.cycle()
    (ours,) = house.world.pagerduty.account.incidents[incident].notes
    assert receiver.pagerduty([note_of(incident, ours.content)]) == ["used"]
    assert handed == [incident]


def note_of(incident: str, content: str, event: str = "") -> bytes:
    """Return the webhook of a note as PagerDuty documents it."""
    data = {
        "id": "PNOTE1",
        "type": "incident_note",
        "content": content,
        "trimmed": False,
        "incident": {"id": incident, "type": "incident_reference"},
    }
    return json.dumps({"event": {"id": event, "event_type": "incident.annotated", "data": data}}).encode()
