"""One thing that cannot be read holds up nothing else, is on record once, and is read again."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import incident_of, issue_of, kinds_of_events, nothing_more_is_written, standing, status
from syncd.remote.http.wire import UnreadableError
from syncd.remote.jira import wire as wire_jira
from syncd.remote.pagerduty import wire as wire_pagerduty
from syncd.sandbox import faults


class Odd:
    """Makes what stands for these ids unreadable, wherever it comes from."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ids: set[str] = set()
        for module, name in ((wire_pagerduty, "incident"), (wire_pagerduty, "note"), (wire_jira, "issue")):
            patch.setattr(module, name, self._picky(getattr(module, name)))

    def _picky(self, parse: Any) -> Any:
        def picky(raw: Any, *more: Any) -> Any:
            if raw["id"] in self.ids:
                raise UnreadableError("'status' is not as documented")
            return parse(raw, *more)

        return picky


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    return Odd(monkeypatch)


def test_an_incident_that_cannot_be_read_holds_up_no_other_and_gets_its_ticket_later(
    house: Rig, odd: Odd
) -> None:
    bad = house.world.pagerduty.trigger("Alipay Integration", "Odd")
    good = house.world.pagerduty.trigger("Alipay Integration", "Good")
    odd.ids.add(bad.id)
    for _ in range(5):
        assert house.cycle().good
    assert issue_of(house)["properties"]["syncd"]["incident"] == good.id
    assert [trouble["whose"] for trouble in standing(house)["troubles"]] == [bad.id]
    assert kinds_of_events(house).count("incident.unreadable") == 1
    assert not house.context.health.down()
    odd.ids.clear()
    house.loop.slow()
    house.settle(2)
    assert issue_of(house, 2)["properties"]["syncd"]["incident"] == bad.id
    assert standing(house)["troubles"] == []
    nothing_more_is_written(house)


def test_it_is_asked_for_again_by_its_id_every_quarter_of_an_hour_and_not_every_cycle(
    house: Rig, odd: Odd
) -> None:
    bad = house.world.pagerduty.trigger("Alipay Integration", "Odd")
    odd.ids.add(bad.id)
    house.settle(6)
    by_id = house.world.journal.lines(service="pagerduty", method="GET", pattern="/incidents/{id}")
    assert len(by_id) == 1
    house.loop.slow()
    house.settle(3)
    by_id = house.world.journal.lines(service="pagerduty", method="GET", pattern="/incidents/{id}")
    assert len(by_id) == 2


def test_one_that_was_known_before_stays_as_it_is_until_it_can_be_read(house: Rig, odd: Odd) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    odd.ids.add(made.id)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    assert (status(house), [trouble["whose"] for trouble in standing(house)["troubles"]]) == (
        "To Do",
        [made.id],
    )
    odd.ids.clear()
    house.loop.slow()
    house.cycle()
    assert status(house) == "In Progress"


def test_a_note_that_cannot_be_read_leaves_the_others_as_they_are_and_holds_up_nothing(
    house: Rig, odd: Odd
) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    note = house.world.pagerduty.note(made.id, "odd", "Amara Osei")
    odd.ids.add(note.id)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(4)
    house.loop.slow()
    house.settle(1)
    assert status(house) == "In Progress"
    assert not house.context.health.down()
    odd.ids.clear()
    house.loop.slow()
    house.settle(2)
    assert any("odd" in comment["body"] for comment in issue_of(house)["comments"])
    assert len(incident_of(house, made)["notes"]) == 2


def test_a_ticket_that_cannot_be_read_holds_up_no_other_of_its_page(house: Rig, odd: Odd) -> None:
    for title in ("First", "Second"):
        house.world.pagerduty.trigger("Alipay Integration", title)
    house.settle(2)
    odd.ids.add(str(issue_of(house, 1)["id"]))
    house.world.jira.comment("OPS-1", "hidden", by="Ines Carvalho")
    house.world.jira.comment("OPS-2", "called the bank", by="Ines Carvalho")
    for _ in range(3):
        assert house.cycle().good
    second = house.world.pagerduty.find(2)
    assert any("called the bank" in note.content for note in second.notes)
    odd.ids.clear()
    house.settle(2)
    assert any("hidden" in note.content for note in house.world.pagerduty.find(1).notes)


@pytest.mark.parametrize("code", [403, 404])
def test_notes_that_we_may_not_read_hold_up_neither_ticket_nor_resolve(house: Rig, code: int) -> None:
    where = {"service": "pagerduty", "method": "GET", "path": r"/notes$"}
    house.world.faults.add(faults.error(code), times=None, **where)
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.world.pagerduty.note(made.id, "called the bank", "Amara Osei")
    house.settle(6)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(20)
    assert status(house) == "In Review"
