"""The two duties on the real engine: a postmortem that people work on, and clocks that run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rig import Rig, mapping

from syncd.domain.clock import GRACE
from syncd.domain.duty import Duty, DutyKind
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.postmortems import duties_of, waivers_of
from syncd.ledger.store.tables import IncidentRow, PostmortemRow
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data
from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_EMAIL

INES = "Ines Carvalho"
AMARA = "Amara Osei"
HOUR = 3600.0
DAY = 24 * HOUR
LATE = GRACE.total_seconds()
RULES: dict[str, Any] = {"postmortem": {"mode": "report"}}


def resolved(make_rig: Any, **changes: Any) -> tuple[Rig, str, str]:
    """A rig with one incident that was resolved just now, and the postmortem that was made for it."""
    house: Rig = make_rig(mappings=(mapping(**{**RULES, **changes}),))
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    house.cycle()
    house.world.pagerduty.resolve(made.id, AMARA)
    house.cycle(400)
    people = house.world.jira
    bot = next(
        person.account_id for person in house.world.jira.site.people.values() if person.email == BOT_EMAIL
    )
    postmortem = people.create(bot, "Postmortem: latency", assignee={"accountId": people.account_id(INES)})
    with house.ledger.write() as session:
        session.add(
            PostmortemRow(
                incident_id=made.id,
                issue_id=str(postmortem.id),
                key=postmortem.key,
                project="OPS",
                origin="operation",
                created_at=house.clock.now(),
            )
        )
    look(house, made.id)
    return house, made.id, postmortem.key


def look(house: Rig, incident: str) -> None:
    """Decide on the incident now."""
    house.loop.work_queue.submit([incident])
    house.loop.work_queue.drain()


def duties(house: Rig, incident: str) -> tuple[Duty, ...]:
    with house.ledger.read() as session:
        return duties_of(session, incident)


def scheduled(house: Rig, incident: str) -> Duty:
    return [duty for duty in duties(house, incident) if duty.kind is DutyKind.SCHEDULED][-1]


def until(house: Rig, at: Any) -> None:
    """Let time pass to a moment, at which both sides are read, then let the daemon tick."""
    house.world.advance((at - house.clock.now()).total_seconds())
    house.loop.cycle()
    house.loop.tick()
    house.loop.work_queue.drain()


def review_day(house: Rig, days: int = 5) -> str:
    return f"{house.clock.now() + timedelta(days=days):%Y-%m-%d}"


def test_a_person_who_schedules_it_meets_it_by_jiras_time_and_then_all_is_quiet(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig)
    assert [str(each_duty.state) for each_duty in duties(house, incident)] == ["pending", "pending"]
    house.world.advance(HOUR)
    house.world.jira.edit(postmortem, INES, duedate=review_day(house))
    acted = house.clock.now()
    house.world.advance(HOUR)
    house.settle(2)
    duty = scheduled(house, incident)
    assert duty.state == "met"
    assert duty.met_at is not None
    assert abs((duty.met_at - acted).total_seconds()) < 1
    before, asked = house.writes(), len(house.world.journal.lines())
    house.settle(2)
    assert house.writes() == before
    assert len(house.world.journal.lines()) - asked == 6


@pytest.mark.any_day
def test_a_tick_takes_it_up_when_it_is_due_soon_and_when_it_is_overdue(make_rig: Any) -> None:
    house, incident, _postmortem_or_item = resolved(make_rig)
    due = scheduled(house, incident).due_at
    until(house, due - timedelta(hours=24, seconds=1))
    assert scheduled(house, incident).state == "pending"
    until(house, due - timedelta(hours=24) + timedelta(seconds=1))
    assert scheduled(house, incident).state == "due_soon"
    until(house, due + timedelta(seconds=1))
    assert scheduled(house, incident).state == "due_soon"
    until(house, due + GRACE + timedelta(seconds=1))
    duty = scheduled(house, incident)
    assert (duty.state, duty.breached_at) == ("breached", due)
    with house.ledger.read() as session:
        row = session.get(IncidentRow, incident)
    assert row is not None
    assert any("it was not scheduled by" in note for note in row.dry_run_notes)


@pytest.mark.parametrize(("seconds", "state"), [(-1, "met"), (1, "met_late")])
def test_a_daemon_that_was_down_over_the_deadline_judges_by_when_people_acted(
    make_rig: Any, seconds: int, state: str
) -> None:
    house, incident, postmortem = resolved(make_rig)
    due = scheduled(house, incident).due_at
    house.stop()
    house.world.advance((due - house.clock.now()).total_seconds() + seconds)
    house.world.jira.edit(postmortem, INES, duedate=review_day(house))
    house.world.advance(3 * DAY)
    house.start()
    house.settle(3)
    duty = scheduled(house, incident)
    assert duty.state == state
    assert duty.breached_at == (due if state == "met_late" else None)


@pytest.mark.parametrize("side", ["pagerduty", "jira"])
def test_at_a_start_nothing_is_judged_before_both_sides_were_read(make_rig: Any, side: str) -> None:
    house, incident, postmortem = resolved(make_rig)
    due = scheduled(house, incident).due_at
    house.stop()
    house.world.advance((due - house.clock.now()).total_seconds() - HOUR)
    house.world.jira.edit(postmortem, INES, duedate=review_day(house))
    house.world.advance(DAY)
    house.world.faults.add(faults.error(503), service=side, times=None)
    house.start()
    house.loop.work_queue.drain()
    house.settle(3, 400)
    assert scheduled(house, incident).state == "pending"
    house.world.faults.clear()
    house.settle(3, 400)
    assert (scheduled(house, incident).state, scheduled(house, incident).breached_at) == ("met", None)


def test_while_pagerduty_cannot_be_read_a_deadline_that_passes_is_not_judged(make_rig: Any) -> None:
    house, incident, _postmortem = resolved(make_rig)
    due = scheduled(house, incident).due_at
    until(house, due - timedelta(hours=2))
    # reopened behind syncd's back: the clock has stopped
    house.world.faults.add(faults.error(503), service="pagerduty", times=None)
    house.world.pagerduty.reopen(incident, AMARA)
    until(house, due + timedelta(hours=2))
    house.settle(3, 400)
    assert scheduled(house, incident).state == "due_soon"
    house.world.faults.clear()
    house.settle(3, 400)
    assert (scheduled(house, incident).state, scheduled(house, incident).breached_at) == ("cancelled", None)


def test_a_date_that_is_taken_away_again_is_owed_again(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig)
    house.world.jira.edit(postmortem, INES, duedate=review_day(house))
    house.settle(2)
    assert scheduled(house, incident).state == "met"
    house.world.jira.edit(postmortem, INES, duedate=None)
    house.settle(2)
    assert scheduled(house, incident).state == "pending"


def test_reopened_before_it_was_met_a_new_clock_starts_at_the_next_resolve(make_rig: Any) -> None:
    house, incident, _postmortem_or_item = resolved(make_rig)
    house.world.advance(HOUR)
    house.world.pagerduty.reopen(incident, AMARA)
    house.world.pagerduty.acknowledge(incident, "Tomasz Wójcik")
    house.cycle()
    until(house, house.clock.now() + timedelta(minutes=31))
    assert scheduled(house, incident).state == "cancelled"
    house.world.pagerduty.resolve(incident, AMARA)
    at = house.clock.now()
    house.settle(2)
    duty = scheduled(house, incident)
    assert (duty.clock, duty.state) == (2, "pending")
    assert abs((duty.started_at - at).total_seconds()) < 1


def test_a_label_with_an_approvers_comment_waives_and_its_removal_ends_that(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig, people={"approvers": ["amara.osei@qrpay.example"]})
    people = house.world.jira
    people.add_label(postmortem, "waived", AMARA)
    people.comment(postmortem, "waived: the bank writes this one", AMARA)
    house.settle(2)
    assert scheduled(house, incident).state == "waived"
    with house.ledger.read() as session:
        (waiver,) = waivers_of(session, incident)
    assert (waiver.source, waiver.by, waiver.reason) == ("jira", AMARA, "waived: the bank writes this one")
    house.world.advance(HOUR)
    people.set_labels(postmortem, [], AMARA)
    house.settle(2)
    assert scheduled(house, incident).state == "pending"


def test_a_label_on_an_action_item_waives_that_item_and_holds_up_no_other_duty(make_rig: Any) -> None:
    house, incident, postmortem = resolved(
        make_rig, people={"approvers": ["amara.osei@qrpay.example"]}, follow_ups={"mode": "report"}
    )
    people, due = house.world.jira, scheduled(house, incident).due_at
    item = people.sub_task(people.find(postmortem).id, "Alert earlier", by=INES)
    people.add_label(item.key, "waived", INES)
    house.settle(2)
    people.comment(item.key, "waived: the bank does this one", AMARA)
    house.settle(2)
    states = {duty.kind: str(duty.state) for duty in duties(house, incident) if duty.subject == str(item.id)}
    assert states == {DutyKind.OWNED: "pending", DutyKind.DONE: "waived"}
    until(house, due + GRACE + timedelta(seconds=1))
    assert scheduled(house, incident).state == "breached"


def test_the_postmortems_owner_waives_nothing_with_the_label(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig, people={"approvers": ["amara.osei@qrpay.example"]})
    people = house.world.jira
    people.assign(postmortem, AMARA, INES)
    people.add_label(postmortem, "waived", AMARA)
    people.comment(postmortem, "waived", AMARA)
    house.settle(2)
    assert scheduled(house, incident).state == "pending"


def test_a_postmortem_that_is_gone_is_asked_for_no_more_and_counts_as_not_met(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig)
    due = scheduled(house, incident).due_at
    house.world.jira.delete(postmortem)
    until(house, due + GRACE + timedelta(seconds=1))
    assert (scheduled(house, incident).state, scheduled(house, incident).unseen) == ("breached", True)
    asked = len(house.world.journal.lines())
    look(house, incident)
    assert len(house.world.journal.lines()) == asked
    record = incident_named(house.ledger, incident)
    assert record is not None
    shown = show_data(house.ledger, record, house.clock.now())["postmortem"]
    assert any("syncd cannot see" in line for line in shown["scheduled"]["explained"])


def test_a_breach_is_judged_when_the_deadline_has_passed_by_both_clocks(make_rig: Any) -> None:
    house, incident, _postmortem_or_item = resolved(make_rig)
    due = scheduled(house, incident).due_at
    house.clock.step = HOUR
    house.settle(1)
    until(house, due + timedelta(minutes=58))
    assert scheduled(house, incident).state == "due_soon"
    until(house, due + timedelta(minutes=62))
    assert (scheduled(house, incident).state, scheduled(house, incident).breached_at) == ("breached", due)


def test_show_and_status_say_how_it_stands(make_rig: Any) -> None:
    house, incident, postmortem = resolved(make_rig, postmortem={"mode": "enforce"})
    record = incident_named(house.ledger, incident)
    assert record is not None
    shown = show_data(house.ledger, record, house.clock.now())["postmortem"]
    (listed,) = status_data(house.ledger)["incidents"]
    assert (shown["key"], shown["owner"]) == (postmortem, INES)
    for kind in ("scheduled", "completed"):
        assert {"state", "due_at", "reason"} <= set(shown[kind])
        assert shown[kind]["state"] == "pending"
        assert any(line.startswith("To do: ") for line in shown[kind]["explained"])
    assert (listed["postmortem"], listed["due_at"]) == (postmortem, shown["scheduled"]["due_at"])
