"""A deleted ledger where labels are missing: nothing is made twice, because creator and mark stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ledger_reading import ActionItemRow, PostmortemRow, forget_tickets, rows
from loguru import logger
from rig import Rig, RigClock

from engine.cast import events, nothing_more_is_written, standing
from engine.mail_rig import MakeRig, mailing
from engine.restored_rig import back_up_rig, doubled, keys, restore_rig, seen_by_people
from engine.test_bulk import each_has_one_ticket, storm
from engine.test_every_jira_datacenter import CREATE, others
from engine.test_follow_up_rows import TABLE, write
from engine.test_rebuilt import RULES, deleted, duties, over, postmortem
from engine.test_rivals import both, paused
from engine.test_sweep import double, sweep
from syncd.config.templates.templates import Templates
from syncd.engine.jobs.resync import Resync, Scope
from syncd.engine.rules import TicketRenderer
from syncd.sandbox import faults, presets
from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL
from syncd.sandbox.jira.model import Person
from syncd.sandbox.world import World

INES, AMARA = "Ines Carvalho", "Amara Osei"
SUCCESSOR = "712020:successor"
EDITIONS = pytest.mark.parametrize("edition", ["cloud", "data center"])
MISSING = pytest.mark.parametrize("missing", ["not on the screens", "removed by an automation"])


@pytest.fixture
def logged() -> list[str]:
    """The warnings of a test."""
    lines: list[str] = []
    logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    return lines


def without_labels(world: World) -> None:
    presets.without_fields(world.jira.site, "OPS", "labels")


def remove_labels(rig: Rig) -> None:
    for issue in list(rig.world.jira.site.issues.values()):
        if issue.now.values.get("labels"):
            rig.world.jira.set_labels(issue.now.key, [], INES)


def change_account(world: World) -> None:
    """From now on our token belongs to another account."""
    site = world.jira.site
    site.people[SUCCESSOR] = Person(SUCCESSOR, "syncd 2", "syncd2@qrpay.example", username="syncd-two")
    site.tokens = dict.fromkeys(site.tokens, SUCCESSOR)


def former(edition: str) -> str:
    return BOT_ACCOUNT if edition == "cloud" else BOT_EMAIL.partition("@")[0]


@dataclass
class Stood:
    """What stood there before the ledger was lost."""

    tickets: dict[str, str]
    papers: dict[str, Any]
    seen_by_people: dict[str, Any]
    duties: dict[str, Any]
    issues: int


def papers(rig: Rig) -> dict[str, Any]:
    return {
        "postmortems": {row.incident_id: row.key for row in rows(rig.ledger, PostmortemRow)},
        "items": sorted(row.key for row in rows(rig.ledger, ActionItemRow)),
    }


def stands(rig: Rig, *judged: str) -> Stood:
    return Stood(
        tickets=keys(rig),
        papers=papers(rig),
        seen_by_people=seen_by_people(rig),
        duties={incident: duties(rig, incident) for incident in judged},
        issues=len(rig.world.jira.site.issues),
    )


def lived_in(make_rig: MakeRig, edition: str, missing: str) -> tuple[Rig, str]:
    """A rig with tickets in all stages; the resolved incident has postmortem, items, notes and comments."""
    preset = without_labels if missing == "not on the screens" else lambda _world: None
    house = make_rig(
        mappings=(mailing(**RULES),),
        mail=True,
        preset=preset,
        data_center_edition=edition == "data center",
        renderer=TicketRenderer(Templates()),
    )
    house.cycle()
    closed = over(house, "Over")
    write(house, postmortem(house, closed).key, TABLE)
    house.settle(4, 600)
    house.world.pagerduty.trigger("Core QRPay Web", "Still open", priority="P2")
    quick = house.world.pagerduty.trigger("BluBank Integration", "Small", priority="P4")
    house.world.pagerduty.note(quick.id, "on it", AMARA)
    house.settle(3)
    house.world.pagerduty.resolve(quick.id, AMARA)
    house.settle(4, 13 * 3600)
    if missing != "not on the screens":
        remove_labels(house)
    house.settle(2)
    return house, closed


@EDITIONS
@MISSING
def test_a_deleted_ledger_doubles_nothing(make_rig: MakeRig, edition: str, missing: str) -> None:
    house, closed = lived_in(make_rig, edition, missing)
    before = stands(house, closed)
    assert len(before.tickets) == 3
    assert len(before.papers["postmortems"]) == 1
    assert len(before.papers["items"]) >= 4
    deleted(house)
    assert stands(house, closed) == before
    assert doubled(before.seen_by_people) == []
    nothing_more_is_written(house)


@pytest.mark.parametrize(("edition", "named"), [("cloud", "by id"), ("data center", "by address")])
def test_nor_does_it_when_the_account_has_changed_and_the_former_one_is_named(
    make_rig: MakeRig, edition: str, named: str
) -> None:
    house, closed = lived_in(make_rig, edition, "not on the screens")
    before = stands(house, closed)
    house.stop()
    change_account(house.world)
    house.name = "another.db"
    house.world.advance(60)
    house.start(former_accounts=(former(edition) if named == "by id" else BOT_EMAIL,))
    house.settle(6)
    assert stands(house, closed) == before
    assert events(house, "comment.not_believed") == []


@EDITIONS
def test_marks_on_the_latest_tickets_betray_a_former_account_that_nobody_named(
    make_rig: MakeRig, edition: str, logged: list[str]
) -> None:
    house, closed = lived_in(make_rig, edition, "not on the screens")
    before = stands(house, closed)
    house.stop()
    change_account(house.world)
    house.name = "another.db"
    house.start()
    house.settle(6)
    after = stands(house, closed)
    assert (after.tickets, after.papers, after.issues) == (before.tickets, before.papers, before.issues)
    assert doubled(after.seen_by_people) == []
    (line,) = [line for line in logged if "SYNCD_FORMER_ACCOUNTS" in line]
    assert former(edition) in line


def test_an_account_that_jira_does_not_know_hides_no_other(make_rig: MakeRig, logged: list[str]) -> None:
    house = make_rig(preset=without_labels)
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    tickets = keys(house)
    house.stop()
    house.name = "another.db"
    house.start(former_accounts=("712020:long-gone",))
    house.settle(3)
    assert keys(house) == tickets
    assert doubled(seen_by_people(house)) == []
    assert any("712020:long-gone" in line for line in logged)


def test_the_ledger_itself_remembers_a_former_account(make_rig: MakeRig, logged: list[str]) -> None:
    house = make_rig(preset=without_labels)
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    before = seen_by_people(house)
    change_account(house.world)
    house.restart()
    house.settle(2)
    assert seen_by_people(house) == before
    (line,) = [line for line in logged if "account in Jira has changed" in line]
    assert line.endswith("changed to syncd 2; former: syncd")
    nothing_more_is_written(house)


@EDITIONS
@MISSING
def test_yesterdays_ledger_finds_what_was_made_in_the_gap(
    make_rig: MakeRig, edition: str, missing: str
) -> None:
    preset = without_labels if missing == "not on the screens" else lambda _world: None
    house = make_rig(preset=preset, data_center_edition=edition == "data center")
    house.cycle()
    copy = back_up_rig(house)
    house.world.advance(60)
    house.world.jira.site.options.search_lag = 300
    house.world.pagerduty.trigger("Alipay Integration", "In the gap", priority="P4")
    house.settle(2)
    remove_labels(house)
    house.settle(1)
    tickets = keys(house)
    restore_rig(house, copy)
    house.settle(14, 60)
    assert keys(house) == tickets
    assert doubled(seen_by_people(house)) == []


@EDITIONS
def test_a_ticket_that_was_moved_to_another_project_is_found(make_rig: MakeRig, edition: str) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Moved", priority="P4")
    house.settle(2)
    house.world.jira.move("OPS-1", "ENG", INES, type="Task")
    deleted(house)
    assert keys(house) == {made.id: "ENG-1"}
    assert doubled(seen_by_people(house)) == []


def test_a_resync_finds_tickets_without_labels(make_rig: MakeRig) -> None:
    house = make_rig(preset=without_labels)
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    tickets = keys(house)
    forget_tickets(house.ledger)
    Resync(house.context, house.loop.work_queue, lambda _ids: house.loop.work_queue.drain()).run(Scope())
    assert keys(house) == tickets
    house.settle(2)
    assert doubled(seen_by_people(house)) == []


def test_on_data_center_the_nightly_search_and_the_look_beyond_fifty_keys_need_no_labels(
    make_rig: MakeRig,
) -> None:
    house = make_rig(preset=without_labels, data_center_edition=True)
    house.cycle()
    others(house, 70)
    lag = house.world.faults.add(faults.error(503), service="jira", path="/search", times=None)
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=CREATE, times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.faults.remove(lag.id)
    house.settle(12)
    assert list(keys(house).values()) == ["OPS-71"]
    assert doubled(seen_by_people(house)) == []
    double(house, "OPS-71")
    house.world.advance(60)
    sweep(house)
    assert standing(house)["duplicates"]["found"] == 1


def test_the_older_of_two_ledgers_is_told_by_creators(make_rig: MakeRig, tmp_path: Path) -> None:
    house = make_rig(preset=without_labels)
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Before the other came")
    house.settle(2)
    other = Rig(tmp_path, house.world, house.server, house.mappings, RigClock(house.world.clock), name="b.db")
    other.start()
    try:
        house.world.pagerduty.trigger("Alipay Integration", "Made by both")
        both(house, other, 3)
        assert set(paused(other)) == {"jira", "pagerduty", "mail", "chat"}
        assert paused(house) == {}
    finally:
        other.stop()


@EDITIONS
def test_labels_that_a_changed_screen_refuses_are_left_out_once_alone_and_in_batches(
    make_rig: MakeRig, edition: str
) -> None:
    house = make_rig(mappings=(mailing(**RULES),), mail=True, data_center_edition=edition == "data center")
    house.cycle()
    house.world.advance(600)
    without_labels(house.world)
    incidents = [*storm(house, 14, priority="P3"), *storm(house, 1, priority="P1")]
    house.settle(3)
    each_has_one_ticket(house, incidents)
    assert not house.operations("parked", "pending", "unknown")
    refused = [event for event in events(house, "ticket.made") if "labels" in event["refused"]]
    assert refused
    writes = len(house.world.journal.lines(service="jira", method="POST", pattern="/rest/api/2/issue"))
    incidents += storm(house, 1, priority="P1")
    house.settle(2)
    each_has_one_ticket(house, incidents)
    lines = house.world.journal.lines(service="jira", method="POST", pattern="/rest/api/2/issue")[writes:]
    assert [line.status for line in lines] == [201]
    nothing_more_is_written(house)


@EDITIONS
def test_postmortem_and_items_go_on_without_labels_that_a_changed_screen_refuses(
    make_rig: MakeRig, edition: str
) -> None:
    house = make_rig(mappings=(mailing(**RULES),), data_center_edition=edition == "data center")
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, AMARA)
    house.cycle()
    without_labels(house.world)
    house.settle(3, 900)
    paper = postmortem(house, made.id)
    assert len(papers(house)["items"]) == 1
    assert not paper.now.values.get("labels")
    (event,) = events(house, "postmortem.made")
    assert event["refused"] == ["labels"]
    assert not house.operations("parked", "pending", "unknown")


def test_a_user_name_with_a_backslash_is_searched_for(make_rig: MakeRig) -> None:
    house = make_rig(preset=without_labels, data_center_edition=True)
    house.world.jira.site.people[BOT_ACCOUNT].username = "CORP\\syncd"
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    tickets = keys(house)
    deleted(house)
    assert keys(house) == tickets
    assert doubled(seen_by_people(house)) == []
