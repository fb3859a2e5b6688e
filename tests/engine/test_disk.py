"""A disk that is full or read-only: nothing leaves without its intent; it goes on by itself afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig
from sqlalchemy import Connection, event

from engine.cast import creates, incident_of, issue_of, logged, nothing_more_is_written, ours, status
from syncd.ledger.open import Ledger
from syncd.ledger.store import audit, outbox
from syncd.policy.marks import mark_in


def note_of_holder(ledger: Ledger) -> str | None:
    holder = ledger.backend.lock().holder()
    return holder.words if holder else None


def full(connection: Any) -> None:
    """No page more than there are."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")


def read_only(connection: Any) -> None:
    """Every write is refused as on a disk that was mounted read-only after an error."""
    connection.execute("PRAGMA query_only=1")


def well(connection: Any) -> None:
    connection.execute("PRAGMA max_page_count=1073741823")
    connection.execute("PRAGMA query_only=0")


class Disk:
    """The disk under a rig's ledger."""

    def __init__(self, rig: Rig) -> None:
        self.state: Callable[[Any], None] = well
        event.listen(rig.ledger.engine.pool, "checkout", lambda connection, *_: self.state(connection))
        # the writers keep their connection
        event.listen(rig.ledger._writer, "begin", self._before_write)

    def _before_write(self, connection: Connection) -> None:
        self.state(connection.connection.driver_connection)


@pytest.mark.parametrize("trouble", [full, read_only])
def test_on_a_disk_that_takes_no_write_nothing_leaves_and_afterwards_all_is_caught_up(
    house: Rig, trouble: Callable[[Any], None]
) -> None:
    disk = Disk(house)
    made = house.world.pagerduty.trigger("Alipay Integration", "Before", priority="P4")
    house.settle(2)
    disk.state = trouble
    with logged() as lines:
        house.world.pagerduty.acknowledge(made.id, "Amara Osei")
        for number in range(30):
            house.world.pagerduty.note(made.id, f"{number} " + "long " * 1000, "Amara Osei")
        house.world.pagerduty.trigger("Alipay Integration", "Meanwhile", priority="P4")
        house.settle(6)
    assert len([line for line in lines if "cannot write the ledger" in line]) == 1
    # other processes learn of it although the ledger takes no word
    assert note_of_holder(house.ledger) == house.ledger.trouble
    sent = house.world.journal.writes()
    with house.ledger.read() as session:
        intended = {row.op for row in outbox.listing(session, list(outbox.OperationState)) if row.attempts}
    marks = {issue["properties"]["syncd"]["op"] for issue in ours(house)}
    assert marks <= intended
    assert len(sent) <= len(intended) + 1
    with logged() as lines:
        disk.state = well
        house.settle(30)
    assert "syncd can write the ledger again" in lines
    assert note_of_holder(house.ledger) is None
    assert len(ours(house)) == 2
    assert status(house) == "In Progress"
    assert len([comment for comment in issue_of(house)["comments"] if "long" in comment["body"]]) == 30
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    with house.ledger.read() as session:
        assert audit.verify(session) is None
    nothing_more_is_written(house)


@pytest.mark.parametrize("path", [r"/issue$", r"/notes$", r"/comment$", r"/transitions$"])
def test_a_disk_that_fills_up_while_a_request_is_under_way_makes_nothing_twice(house: Rig, path: str) -> None:
    disk = Disk(house)
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.world.pagerduty.note(made.id, "on it", "Amara Osei")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    answer = house.world.answer

    def fill_up(service: str, call: Any, *rest: Any) -> Any:
        delivery = answer(service, call, *rest)
        if call.method == "POST" and call.path.endswith(path.strip("$")):
            disk.state = read_only
        return delivery

    house.world.answer = fill_up  # type: ignore[method-assign] # the disk fails with the answer on its way
    house.settle(4)
    house.world.answer = answer  # type: ignore[method-assign] # and no more
    assert disk.state is read_only
    disk.state = well
    house.settle(30)
    assert len(ours(house)) == 1
    assert creates(house) == 1
    assert status(house) == "In Progress"
    assert sum("on it" in comment["body"] for comment in issue_of(house)["comments"]) == 1
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    nothing_more_is_written(house)
