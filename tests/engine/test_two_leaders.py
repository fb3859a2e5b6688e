"""A leader that is stopped directly before the first byte of a write, and another one that leads meanwhile.

Both have an engine of their own on one ledger and one world, under one clock. Each write of a story is tried;
a longer run plays it with more incidents (`make standby` does the same with real daemons).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import rig as rig_module
from rig import Rig

from syncd.ledger.database.leadership import HOLDS, Leadership
from syncd.ledger.errors import LeadershipLost
from syncd.ledger.open import Ledger
from syncd.policy.marks import mark_in
from syncd.sandbox import dump

SETTLE = 60.0
STORY_WRITES = 5
"""The requests that write in the story; a test proves the number."""


class Kept(Leadership):
    """A leadership that is proved all the time, unless its process is stopped."""

    stopped = False

    def why_lost(self) -> str | None:
        self._keep()
        return super().why_lost()

    def why_not_send(self, claimed_at: float | None) -> str | None:
        self._keep()
        return super().why_not_send(claimed_at)

    def _keep(self) -> None:
        if not self.stopped:
            self.prove(self._boottime())


class SharedLock:
    """A lock that another daemon may take at any moment (`LedgerLock`)."""

    def __init__(self, boottime: Callable[[], float], epoch: str) -> None:
        self.leadership: Leadership | None = Kept(boottime, epoch)

    def note(self, words: str | None) -> None:
        """Show nothing."""

    def release(self) -> None:
        """Give nothing back."""


@pytest.fixture
def former(make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Return the leader that is going to be stopped; each rig that starts leads from then on."""
    starts = iter(range(1, 10))
    clock = SimpleNamespace()

    def lead(url: str, _name: str, now: datetime, *_more: object) -> Ledger:
        lock: Any = SharedLock(lambda: clock.of(), f"leader {next(starts)}")
        return Ledger(url, lock, now)

    clock.of = lambda: 0.0
    monkeypatch.setattr(rig_module, "open_for_work", lead)
    made = make_rig(settle_seconds=SETTLE)
    clock.of = made.clock.boottime
    made.cycle()
    yield made


class Stop:
    """Stops a leader directly before the first byte of its n-th write, and lets `meanwhile` happen."""

    def __init__(self, rig: Rig, number: int, meanwhile: Callable[[], None], *, stopped: bool = True) -> None:
        self.refused: list[str | None] = []
        self.writes = 0
        self._number, self._meanwhile, self._stopped = number, meanwhile, stopped
        assert isinstance(rig.ledger.leadership, Kept)
        self._leadership = rig.ledger.leadership
        rig.transport.why_not_send = self._why_not

    def _why_not(self, claimed_at: float | None) -> str | None:
        self.writes += 1
        if self.writes != self._number:
            return self._leadership.why_not_send(claimed_at)
        self._leadership.stopped = self._stopped
        self._meanwhile()
        self.refused.append(self._leadership.why_not_send(claimed_at))
        return self.refused[-1]


def cycles(rig: Rig, count: int, seconds: float = 30.0) -> None:
    for _ in range(count):
        rig.cycle(seconds)


def story(rig: Rig) -> None:
    """Let an incident begin, be worked on and end."""
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4").id
    cycles(rig, 1)
    rig.world.pagerduty.acknowledge(incident, by="Amara Osei")
    rig.world.pagerduty.note(incident, "looking at it", by="Amara Osei")
    cycles(rig, 2)
    rig.world.pagerduty.resolve(incident, by="Amara Osei")
    cycles(rig, 2)


def made_twice(rig: Rig) -> dict[str, int]:
    """Return the marks that stand on more than one issue, comment or note."""
    state, marks = dump.whole(rig.world), Counter[str]()
    for issue in state["jira"]["issues"]:
        marks[(issue["properties"].get("syncd") or {}).get("op", "")] += 1
        marks.update(mark_in(comment["body"]) or "" for comment in issue["comments"])
    for incident in state["pagerduty"]["incidents"]:
        marks.update(mark_in(note["content"]) or "" for note in incident["notes"])
    return {mark: count for mark, count in marks.items() if mark and count > 1}


def end_of(rig: Rig) -> list[tuple[str, int]]:
    """Return the status of each ticket and the number of its comments."""
    issues = dump.whole(rig.world)["jira"]["issues"]
    tickets = [issue for issue in issues if issue["properties"].get("syncd")]
    return [(issue["fields"]["status"]["name"], len(issue["comments"])) for issue in tickets]


def test_the_story_has_so_many_writes(former: Rig) -> None:
    stop = Stop(former, 0, lambda: None)
    story(former)
    assert (stop.writes, end_of(former), made_twice(former)) == (STORY_WRITES, [("Done", 1)], {})


@pytest.mark.parametrize("number", range(1, STORY_WRITES + 1))
def test_a_leader_that_was_stopped_before_a_write_sends_nothing_of_it_later(former: Rig, number: int) -> None:
    heir = Rig(
        former.folder, former.world, former.server, former.mappings, former.clock, SETTLE, name=former.name
    )

    def another_leads() -> None:
        former.world.advance(HOLDS)
        heir.start()
        # the settle time of what was under way begins anew, and passes
        cycles(heir, 6)

    stop = Stop(former, number, another_leads)
    with suppress(LeadershipLost):
        story(former)
    assert len(stop.refused) == 1
    assert stop.refused[0] is not None
    written = former.writes()
    # the former leader knows it now, and writes nothing whatever it tries
    assert former.ledger.leadership is not None
    assert former.ledger.leadership.why_lost() is not None
    former.loop.cycle()
    former.loop.work_queue.drain()
    assert former.writes() == written
    open_incident = next(iter(former.world.pagerduty.account.incidents.values()))
    if open_incident.status != "resolved":
        former.world.pagerduty.resolve(open_incident.id, by="Amara Osei")
    cycles(heir, 6)
    assert made_twice(heir) == {}
    assert [status for status, _comments in end_of(heir)] == ["Done"]
    assert heir.operations("pending", "in_flight", "unknown", "parked") == []
    heir.stop()


def test_an_operation_that_was_prepared_for_too_long_is_given_back_and_leaves_later(former: Rig) -> None:
    stop = Stop(former, 1, lambda: former.world.advance(HOLDS), stopped=False)
    former.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    former.cycle()
    assert stop.refused == ["its claim is 10 s old"]
    create, _note = former.operations()
    assert (create.state, create.attempts, former.writes()) == ("pending", 1, 0)
    cycles(former, 2)
    assert [operation.state for operation in former.operations()] == ["done", "done"]
    assert made_twice(former) == {}
