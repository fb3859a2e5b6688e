"""The nightly search for duplicates: they are found, and only what nobody touched is closed."""

from __future__ import annotations

from typing import Any

from rig import Rig

from engine.cast import issue_of, kinds_of_events, nothing_more_is_written, standing, status
from syncd.sandbox.cast import BOT_EMAIL

DAY = 86_400.0


def double(rig: Rig, of: str = "OPS-1") -> str:
    """A second issue that bears the mark of the first, as a doubled create would leave it; its key."""
    number = int(of.rpartition("-")[2])
    mark = issue_of(rig, number)["properties"]["syncd"]
    made = rig.world.jira.create(BOT_EMAIL, "Latency", type="Incident")
    rig.world.jira.set_property(made.id, "syncd", mark, BOT_EMAIL)
    return str(made.now.key)


def doubled(rig: Rig) -> str:
    rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(2)
    key = double(rig)
    rig.world.advance(60)
    return key


def sweeping(rig: Rig) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in rig.operations() if row.kind.endswith("_duplicate")]


def sweep(rig: Rig) -> None:
    rig.loop.jobs.nightly()
    rig.loop.work_queue.drain()
    rig.settle(2)


def test_the_younger_is_linked_and_closed_and_the_older_kept(house: Rig) -> None:
    doubled(house)
    sweep(house)
    assert (status(house, 1), status(house, 2)) == ("To Do", "Done")
    (link,) = issue_of(house, 2)["fields"]["issuelinks"]
    assert link["type"]["name"] == "Duplicate"
    assert (link.get("outwardIssue") or link.get("inwardIssue"))["key"] == "OPS-1"
    assert standing(house)["duplicates"]["found"] == 1
    assert {"duplicate.found", "duplicate.linked", "duplicate.closed"} <= set(kinds_of_events(house))
    nothing_more_is_written(house)


def test_a_second_sweep_finds_nothing_new_to_do(house: Rig) -> None:
    doubled(house)
    sweep(house)
    before = sweeping(house)
    house.world.advance(DAY)
    sweep(house)
    assert sweeping(house) == before
    told = standing(house)["duplicates"]
    assert (told["found"], told["left"]) == (1, [])
    assert kinds_of_events(house).count("duplicate.found") == 1


def test_it_looks_once_a_day_however_often_it_is_asked(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.loop.jobs.nightly()
    asked = house.world.journal.total("jira")
    for _ in range(5):
        house.loop.jobs.nightly()
    assert house.world.journal.total("jira") == asked
    house.world.advance(DAY)
    house.loop.jobs.nightly()
    assert house.world.journal.total("jira") > asked


def left(rig: Rig) -> list[dict[str, Any]]:
    sweep(rig)
    pairs: list[dict[str, Any]] = standing(rig)["duplicates"]["left"]
    assert status(rig, 2) != "Done"
    nothing_more_is_written(rig)
    return pairs


def test_one_that_a_person_commented_on_is_reported_and_left(house: Rig) -> None:
    key = doubled(house)
    house.world.jira.comment(key, "I work here", "Ines Carvalho")
    (pair,) = left(house)
    assert (pair["older"], pair["younger"]) == ("OPS-1", key)
    assert pair["reason"] == "somebody touched the younger one"


def test_one_that_a_person_edited_is_reported_and_left(house: Rig) -> None:
    key = doubled(house)
    house.world.jira.edit(key, "Ines Carvalho", summary="Mine")
    assert len(left(house)) == 1


def test_one_that_a_person_touched_after_it_was_found_is_linked_and_left_open(house: Rig) -> None:
    from engine.cast import ask

    key = doubled(house)
    ask(house, "pause", targets=["jira"], reason="not now")
    sweep(house)
    house.world.jira.comment(key, "I work here", "Ines Carvalho")
    ask(house, "resume", targets=["jira"])
    house.settle(2)
    assert status(house, 2) == "To Do"
    assert len(issue_of(house, 2)["fields"]["issuelinks"]) == 1
    nothing_more_is_written(house)


def test_where_the_ledger_holds_the_younger_it_is_reported_and_left(house: Rig) -> None:
    from syncd.ledger.store.tables import TicketRow

    doubled(house)
    with house.ledger.write() as session:
        from sqlmodel import select

        row = session.exec(select(TicketRow)).one()
        row.issue_id = next(
            issue.id for issue in house.world.jira.site.issues.values() if issue.now.key == "OPS-2"
        )
        session.add(row)
    (pair,) = left(house)
    assert pair["reason"] == "the ledger does not hold the older one for the ticket"


def test_issues_without_our_mark_are_nobody_s_doubles(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.clone("OPS-1", "Ines Carvalho")
    house.world.jira.create("Ines Carvalho", "Latency", type="Incident")
    sweep(house)
    assert standing(house)["duplicates"]["found"] == 0
