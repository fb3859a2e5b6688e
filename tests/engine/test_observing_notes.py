"""How notes are seen: which read brings them, and which is spared."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written, status
from syncd.engine import reconcile
from syncd.ledger.store.lookups import find_incident
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.marks import mark_in
from syncd.sandbox import dump, faults


def notes_read(rig: Rig) -> int:
    return len(rig.world.journal.lines(service="pagerduty", method="GET", pattern="/incidents/{id}/notes"))


def texts_on_record(rig: Rig, incident: str) -> list[str]:
    row = find_incident(rig.ledger, incident).incident
    assert row is not None
    return [note["text"] for note in row.notes or ()]


def test_our_own_note_in_the_log_has_no_notes_read(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    (note,) = house.world.pagerduty.account.incidents[made.id].notes
    assert mark_in(note.content) is not None
    assert notes_read(house) == 0


def test_a_persons_note_beside_our_own_is_read(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    (ours,) = house.world.pagerduty.account.incidents[made.id].notes
    house.world.pagerduty.note(made.id, f"{ours.content}\nI saw this", "Amara Osei")
    house.cycle()
    assert len(texts_on_record(house, made.id)) == 2


def test_a_note_whose_operation_is_not_confirmed_is_read(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    text = "Ticket OPS-7\nsyncd 0123456789abcdef"
    house.world.pagerduty.note(made.id, text, "Amara Osei")
    house.cycle()
    assert text in texts_on_record(house, made.id)


def test_a_note_older_than_the_ledger_comes_with_the_ticket_and_costs_no_request(house: Rig) -> None:
    people, before = house.world.pagerduty, house.world.clock() - timedelta(hours=2)
    noted = people.trigger("Alipay Integration", "Latency", at=before)
    people.trigger("Alipay Integration", "Errors", at=before)
    people.note(noted.id, "the database is slow", "Amara Osei", at=before + timedelta(hours=1))
    house.cycle()
    assert texts_on_record(house, noted.id)[0] == "the database is slow"
    texts = [
        comment["body"]
        for issue in dump.whole(house.world)["jira"]["issues"]
        for comment in issue["comments"]
    ]
    assert ["the database is slow" in text for text in texts] == [True]
    # an earlier ledger may have written a link note, so each incident's notes are listed once before it
    assert notes_read(house) == 2
    nothing_more_is_written(house)


def test_our_own_note_has_the_incident_not_decided_again(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    # the tickets of a batch were read back already, so no first read of theirs is news either
    for number in range(12):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    house.cycle()
    decided: list[str] = []
    decide = reconcile.decide

    def counted(case: Case, book: Rulebook) -> Decision:
        decided.append(case.incident.id)
        return decide(case, book)

    monkeypatch.setattr(reconcile, "decide", counted)
    house.settle(2)
    assert decided == []


def test_what_a_person_changed_before_our_note_is_news(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    house.world.faults.add(faults.error(500), service="pagerduty", path=r"/notes$", times=1)
    house.cycle()
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(25)
    assert house.world.pagerduty.account.incidents[made.id].notes
    assert status(house, 1) == "In Progress"


def test_an_edited_note_is_seen_by_the_slow_poll(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    note = house.world.pagerduty.note(made.id, "first", "Amara Osei")
    house.settle(3)
    house.world.pagerduty.edit_note(made.id, note.id, "second", at=None)
    house.loop.slow()
    assert "second" in texts_on_record(house, made.id)
