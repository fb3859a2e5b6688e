"""How changes are seen: pages, moments, the slow poll; and that nothing changed costs next to nothing."""

from __future__ import annotations

from typing import Any

from rig import Rig
from sqlmodel import select

from engine.cast import incident_of, issue_of, nothing_more_is_written, status
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.store.snapshots import save_incident
from syncd.ledger.store.tables import ChangeNoticeRow, IncidentRow
from syncd.policy.marks import mark_in
from syncd.sandbox import faults


def test_a_quiet_cycle_asks_two_things_of_pagerduty_and_one_of_jira(house: Rig) -> None:
    for number in range(30):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    house.settle(15)
    before = dict(house.world.journal.counts())
    for _ in range(5):
        house.loop.cycle()
        house.loop.work_queue.drain()
    after = house.world.journal.counts()
    asked = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
    assert asked == {
        ("pagerduty", "GET", "/incidents"): 5,
        ("pagerduty", "GET", "/log_entries"): 5,
        ("jira", "POST", "/rest/api/2/search/jql"): 5,
    }


def test_what_a_page_touched_is_kept_although_the_next_page_fails(house: Rig) -> None:
    for number in range(130):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    house.world.faults.add(faults.error(500), service="pagerduty", path=r"/log_entries$", skip=1, times=None)
    house.cycle()
    with house.ledger.read() as session:
        from sqlmodel import func, select

        assert session.exec(select(func.count()).select_from(IncidentRow)).one() >= 25


def test_an_answer_that_began_before_a_later_one_is_not_stored(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    older = house.ledger.logical_clock.next()
    stale = house.context.services.pagerduty.incident(made.id)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.cycle()
    assert stale is not None
    with house.ledger.write() as session:
        intake = storage_rules(house.context).incident
        assert save_incident(session, stale, older, house.clock.now(), "QRPay", intake) is None
    house.settle(2)
    assert status(house) == "In Progress"


def test_what_happened_while_the_daemon_was_down_is_caught_up(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Before", priority="P4")
    house.settle(2)
    house.stop()
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    over = house.world.pagerduty.trigger("BluBank Integration", "Came and went", priority="P4")
    house.world.advance(600)
    house.world.pagerduty.resolve(over.id, "Amara Osei")
    house.world.advance(36 * 3600)
    house.start()
    house.settle(3)
    assert status(house, 1) == "Done"
    assert status(house, 2) == "Done"
    nothing_more_is_written(house)


def test_a_severity_that_rose_after_the_close_is_seen_by_the_slow_poll_though_the_log_is_silent(
    house: Rig,
) -> None:
    options = house.world.pagerduty.account.options
    options.priority_entry = options.title_entry = None
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.world.advance(3600)
    house.settle(2)
    assert status(house, 1) == "Done"
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.world.pagerduty.set_title(made.id, "All payments stopped", "Amara Osei")
    house.world.advance(900)
    house.settle(2)
    house.loop.slow()
    house.settle(2)
    assert house.world.jira.site.find("OPS-1").now.values["summary"] == "All payments stopped"
    with house.ledger.read() as session:
        row = session.get(IncidentRow, made.id)
        assert row is not None
        assert row.severity == "SEV0"
    nothing_more_is_written(house)


def test_what_was_moved_to_nobodys_service_is_still_read_by_the_slow_poll(house: Rig) -> None:
    house.world.pagerduty.account.options.title_entry = None
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.move(made.id, "Ordering API", "Amara Osei")
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.world.advance(3600)
    house.settle(2)
    house.world.pagerduty.set_title(made.id, "Orders stopped", "Amara Osei")
    house.world.advance(900)
    house.settle(2)
    house.loop.slow()
    house.settle(2)
    assert house.world.jira.site.find("OPS-1").now.values["summary"] == "Orders stopped"


def test_a_ticket_that_the_index_forgot_is_seen_by_the_slow_poll(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    house.world.jira.site.options.search_lag = 86400
    house.world.jira.comment("OPS-1", "anybody there?", by="Ines Carvalho")
    house.settle(2)
    before = house.writes()
    house.loop.slow()
    house.settle(1)
    assert house.writes() == before + 1


def test_a_pagerduty_that_is_down_keeps_the_slow_poll_from_nothing_in_jira(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(3)
    house.world.jira.site.options.search_lag = 86400
    house.world.jira.comment("OPS-1", "anybody there?", by="Ines Carvalho")
    house.world.faults.add(faults.error(503), service="pagerduty", method="GET", times=None)
    house.loop.slow()
    with house.ledger.read() as session:
        notices = [notice.why for notice in session.exec(select(ChangeNoticeRow)).all()]
    assert notices == ["its ticket changed"]


def test_a_ledger_that_was_deleted_finds_its_tickets_and_texts_again(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.world.pagerduty.note(made.id, "on it", "Amara Osei")
    house.settle(3)
    house.stop()
    house.name = "another.db"
    house.start()
    house.settle(3)
    with house.ledger.read() as session:
        from syncd.ledger.store.tables import TicketRow

        ticket = session.get(TicketRow, made.id)
        assert ticket is not None
        assert ticket.key == "OPS-1"
    assert len(house.world.jira.site.issues) == 1
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    assert len([comment for comment in issue_of(house)["comments"] if "on it" in comment["body"]]) == 1


def test_a_ticket_made_by_hand_with_the_label_is_adopted_and_kept_as_people_wrote_it(make_rig: Any) -> None:
    rig = make_rig()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.stop()
    rig.world.jira.create(
        "Ines Carvalho", "Made by hand", type="Incident", labels=[f"pd-{made.id}"], priority={"name": "Low"}
    )
    rig.world.advance(60)
    rig.name = "later.db"
    rig.start()
    rig.settle(4)
    fields = issue_of(rig)["fields"]
    assert fields["summary"] == "Made by hand"
    assert fields["priority"]["name"] == "Low"
    assert len(rig.world.jira.site.issues) == 1
    nothing_more_is_written(rig)
