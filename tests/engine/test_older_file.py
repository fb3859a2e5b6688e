"""An older file of the ledger is put back by hand: nothing is doubled, nothing is lost, and syncd says so."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written
from engine.mail_rig import COMPLIANCE, CTO, MakeRig, letters, mailing, mails, recipients, subjects, whys
from engine.restored_rig import doubled, keys, seen_by_people
from engine.test_every_jira_datacenter import others
from engine.test_rebuilt import RULES, over
from syncd.engine.runtime.ledger_age import WAITS_FOR
from syncd.ledger.store.restored import PUT_BACK
from syncd.sandbox import faults
from syncd.sandbox.mail import Letter

AMARA = "Amara Osei"
OPERATOR = "ops@qrpay.example"
EDITIONS = pytest.mark.parametrize("edition", ["cloud", "data center"])


def text(letter: Letter) -> str:
    body = letter.message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def snapshot(rig: Rig) -> Path:
    """Copy the ledger as a snapshot of its volume does: in one moment, with its write-ahead log."""
    with rig.ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = rig.folder / "snapshot.db"
    shutil.copyfile(rig.folder / rig.name, copy)
    return copy


def put_back(rig: Rig, copy: Path, *, noted: bool = False) -> None:
    """Stop syncd, put the snapshot in the ledger's place, start syncd.

    A snapshot of the whole volume brings an older note beside the ledger, too; with `noted` the note stays.
    """
    rig.stop()
    shutil.copyfile(copy, rig.folder / rig.name)
    if not noted:
        (rig.folder / f"{rig.name}.head").unlink()
    rig.start()


def busy_hour(rig: Rig) -> list[Any]:
    """What happens after the snapshot: 12 incidents, notes, comments, an acknowledgement."""
    people = rig.world.pagerduty
    made = [people.trigger("Alipay Integration", f"Lost {number}", priority="P4") for number in range(12)]
    rig.settle(2)
    for incident in made[:3]:
        people.note(incident.id, f"on it {incident.number}", AMARA)
    people.acknowledge(made[0].id, AMARA)
    rig.settle(3)
    rig.world.jira.comment(keys(rig)[made[1].id], "anybody?", by="Ines Carvalho")
    rig.settle(3)
    return made


@pytest.mark.parametrize(
    ("edition", "lag"), [("cloud", 100_000), ("data center", 0), ("data center", 100_000)]
)
def test_a_snapshot_of_the_volume_doubles_nothing_whether_the_search_lags_or_not(
    make_rig: MakeRig, errors: list[str], edition: str, lag: int
) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    old = house.world.pagerduty.trigger("BluBank Integration", "Before", priority="P4")
    house.settle(3)
    copy = snapshot(house)
    house.world.jira.site.options.search_lag = lag
    made = busy_hour(house)
    house.world.pagerduty.note(old.id, "written after the snapshot", AMARA)
    house.settle(2)
    tickets, before = keys(house), seen_by_people(house)
    assert len(tickets) == 13
    put_back(house, copy)
    assert list(keys(house)) == [old.id]
    fresh = house.world.pagerduty.trigger("Core QRPay Web", "After", priority="P4")
    house.settle(20, 60)
    house.world.jira.site.options.search_lag = 0
    house.settle(4, 60)
    assert {incident: key for incident, key in keys(house).items() if incident != fresh.id} == tickets
    assert {incident.id for incident in made} <= keys(house).keys()
    after = seen_by_people(house)
    assert doubled(after) == []
    assert before["comments"].keys() <= after["comments"].keys()
    assert before["notes"].keys() <= after["notes"].keys()
    assert sum("older than what it made" in line for line in errors) == 1
    assert not house.operations("parked", "unknown")
    nothing_more_is_written(house)


@EDITIONS
def test_texts_that_are_all_an_older_file_lacks_are_not_written_twice(
    make_rig: MakeRig, edition: str
) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    old = house.world.pagerduty.trigger("BluBank Integration", "Before", priority="P4")
    house.world.faults.add(faults.error(429), service="pagerduty", path=r"/notes$", method="POST", times=1)
    house.cycle()
    copy = snapshot(house)
    house.settle(3)
    house.world.pagerduty.note(old.id, "written after the snapshot", AMARA)
    house.world.jira.comment(keys(house)[old.id], "anybody?", by="Ines Carvalho")
    house.settle(3)
    before = seen_by_people(house)
    put_back(house, copy)
    house.settle(4)
    assert seen_by_people(house) == before
    assert doubled(before) == []
    nothing_more_is_written(house)


@EDITIONS
def test_postmortems_and_items_made_after_the_snapshot_are_found(make_rig: MakeRig, edition: str) -> None:
    house = make_rig(mail=True, mappings=(mailing(**RULES),), data_center_edition=edition == "data center")
    house.cycle()
    copy = snapshot(house)
    house.world.jira.site.options.search_lag = 100_000
    over(house, "Over")
    house.settle(4, 600)
    before = seen_by_people(house)
    put_back(house, copy)
    house.settle(20, 60)
    assert seen_by_people(house)["issues"] == before["issues"]
    assert doubled(seen_by_people(house)) == []


@EDITIONS
def test_nothing_leaves_before_jira_has_answered_but_notices_which_say_that_they_may_be_repeated(
    make_rig: MakeRig, edition: str
) -> None:
    house = make_rig(mail=True, mappings=(mailing(),), data_center_edition=edition == "data center")
    house.settle(2)
    copy = snapshot(house)
    grave = house.world.pagerduty.trigger("Core QRPay Web", "All down", priority="P1")
    house.settle(2)
    sent = len(recipients(house))
    assert sent == 2
    tickets = keys(house)
    if edition == "cloud":
        words = faults.error(403, body={"errorMessages": ["You may not search by creator."], "errors": {}})
        house.world.faults.add(words, service="jira", path=r"/search/jql$", body="creator", times=None)
    else:
        path = r"/(search|OPS-\d+)$"
        house.world.faults.add(faults.error(503), service="jira", path=path, times=None)
    put_back(house, copy)
    writes = house.writes()
    house.settle(4)
    assert house.writes() == writes
    held = {row.kind: row.waits_for for row in house.operations("pending")}
    assert held == (
        {"link_note": WAITS_FOR}
        if edition == "cloud"
        else {"create_ticket": "Jira to answer", "link_note": "its ticket"}
    )
    notices = [letter for letter in letters(house) if OPERATOR not in letter.recipients]
    assert sorted(to for letter in notices for to in letter.recipients) == sorted([CTO, COMPLIANCE] * 2)
    assert all("This may be a repetition" in text(letter) for letter in notices[sent:])
    house.world.faults.clear()
    house.settle(16, 60)
    assert keys(house) == tickets
    assert list(tickets) == [grave.id]
    assert sum(to != OPERATOR for to in recipients(house)) == 4
    assert doubled(seen_by_people(house)) == []
    nothing_more_is_written(house)


def test_mails_about_the_time_before_are_recorded_as_not_sent_and_open_notices_leave_once_more(
    make_rig: MakeRig,
) -> None:
    house = make_rig(mail=True, mappings=(mailing(**RULES),))
    house.settle(2)
    copy = snapshot(house)
    grave = house.world.pagerduty.trigger("Core QRPay Web", "All down", priority="P1")
    over_by_now = house.world.pagerduty.trigger("Alipay Integration", "Short", priority="P1")
    house.settle(2)
    house.world.pagerduty.resolve(over_by_now.id, AMARA)
    house.settle(2)
    sent = len(recipients(house))
    house.world.advance(timedelta(days=2, hours=1).total_seconds())
    put_back(house, copy, noted=True)
    house.settle(20, 60)
    repeated = [letter for letter in letters(house)[sent:] if "may be a repetition" in text(letter)]
    assert len(repeated) == 2
    again = {row.incident_id for row in mails(house) if row.state == "done"}
    assert over_by_now.id not in again
    assert grave.id in again
    dropped = [row for row in mails(house) if row.state == "dropped"]
    assert dropped
    assert {why for row in dropped for why in whys(house, row.id)} == {PUT_BACK}


def test_the_operator_is_told_once_what_a_file_that_was_put_back_lost_and_what_was_found_again(
    make_rig: MakeRig,
) -> None:
    house = make_rig(mail=True, mappings=(mailing(**RULES),))
    house.settle(2)
    copy = snapshot(house)
    over(house, "Over")
    house.settle(4, 600)
    house.world.advance(timedelta(days=2, hours=1).total_seconds())
    put_back(house, copy)
    house.settle(20, 60)
    subject = "syncd: An older file of the ledger was put back"
    (letter,) = [letter for letter in letters(house) if letter.message["Subject"] == subject]
    words = " ".join(text(letter).split())
    assert "older than what it made: OPS-" in words
    assert "Its record ends at " in words
    assert "Found again by its mark: 1 ticket" in words
    assert 'Recorded as "not sent: ledger was put back": 4 mails' in words
    house.restart()
    house.settle(3, 60)
    assert subjects(house).count(subject) == 1


@EDITIONS
def test_a_quiet_start_costs_two_requests_more(make_rig: MakeRig, edition: str) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(3)
    house.cycle(86_400.0 * 2)
    house.settle(3)
    house.restart()
    house.cycle()
    first = len(house.world.journal.lines(service="jira"))
    house.restart()
    patterns = house.world.journal.lines(service="jira")[first:]
    house.context.ledger_age.prove({"OPS"})
    house.cycle()
    without = len(house.world.journal.lines(service="jira")) - first
    house.restart()
    start = len(house.world.journal.lines(service="jira"))
    house.cycle()
    assert len(house.world.journal.lines(service="jira")) - start - without == 2, patterns
    quiet = len(house.world.journal.lines(service="jira"))
    house.cycle()
    assert len(house.world.journal.lines(service="jira")) - quiet == 1


@EDITIONS
def test_after_a_deleted_ledger_tickets_that_the_search_does_not_show_yet_are_found_by_key(
    make_rig: MakeRig, edition: str
) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    others(house, 3)
    house.world.pagerduty.trigger("BluBank Integration", "Indexed", priority="P4")
    house.settle(3)
    house.world.jira.site.options.search_lag = 100_000
    for number in range(4):
        house.world.pagerduty.trigger("Alipay Integration", f"Not indexed {number}", priority="P4")
    house.settle(3)
    tickets = keys(house)
    assert len(tickets) == 5
    house.stop()
    house.name = "another.db"
    house.world.advance(60)
    house.start()
    house.settle(3)
    # also over a restart in the middle
    house.restart()
    house.settle(12, 60)
    assert keys(house) == tickets
    assert doubled(seen_by_people(house)) == []
    nothing_more_is_written(house)
