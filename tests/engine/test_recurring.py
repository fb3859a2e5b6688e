"""GameDays and reviews end to end: made once before they are due, judged, reported, told and waived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ledger_reading import DutyRow, OperationRow, rows
from rig import Rig

from engine.mail_rig import OWNER, PROCESS, MakeRig, mailing, subjects, until
from syncd.config.templates.templates import Templates
from syncd.domain.duty import DutyState, verdict_of
from syncd.domain.operation import Kind
from syncd.engine.rules import TicketRenderer
from syncd.ledger.requests import answers
from syncd.ledger.store.recurring import recurring_items
from syncd.ledger.views.show import recurring_data
from syncd.ledger.views.status import status_data
from syncd.policy.recurring.exercise import TIMES
from syncd.report.weekly.formats import as_csv, written
from syncd.report.weekly.report import make
from syncd.report.weekly.week import Week
from syncd.sandbox import faults

BEFORE = datetime(2026, 12, 16, 8, tzinfo=UTC)
MADE = datetime(2026, 12, 17, 0, 0, 30, tzinfo=UTC)
DEADLINE = datetime(2027, 1, 1, tzinfo=UTC)
STORM, REVIEW = "recurring:QRPay/Storm/2026-Q4", "recurring:QRPay/Review/2026-Q4"
GAME_DAY = {
    "kind": "game_day",
    "mode": "enforce",
    "every": "quarter",
    "owner": OWNER,
    "scenario": "Upstream latency above 2 seconds",
    "services": ["Alipay Integration"],
    "template": "qrpay/game_day.j2",
}


def rules(**recurring: Any) -> Any:
    return mailing(recurring=recurring or {"Storm": GAME_DAY})


@pytest.fixture
def house(make_rig: MakeRig, request: pytest.FixtureRequest) -> Rig:
    """A rig on the day before the issue is made, whose ledger has read both services."""
    more = getattr(request, "param", {})
    made = make_rig(
        mail=True, mappings=(rules(),), start=BEFORE, renderer=TicketRenderer(Templates()), **more
    )
    made.cycle()
    assert made.operations() == []
    return made


def made_on(rig: Rig, moment: datetime = MADE) -> Any:
    """Let the issue be made; return it as Jira has it."""
    until(rig, moment)
    rig.settle(2)
    (item,) = recurring_items(rig.ledger, "QRPay")
    return rig.world.jira.find(item.key)


def creates(rig: Rig) -> list[OperationRow]:
    return [row for row in rows(rig.ledger, OperationRow) if row.kind == Kind.CREATE_RECURRING]


def verdicts(rig: Rig, ident: str = STORM) -> list[DutyState]:
    duties = [row for row in rows(rig.ledger, DutyRow) if row.incident_id == ident]
    return [verdict_of(DutyState(duty.state), duty.breached_at) for duty in duties]


@pytest.mark.parametrize("house", [{}, {"data_center_edition": True}], ids=["cloud", "dc"], indirect=True)
def test_one_issue_is_made_for_its_owner_with_the_due_date_and_the_musts(house: Rig) -> None:
    issue = made_on(house)
    fields = issue.now.values
    assert fields["summary"] == "GameDay: Storm, 2026-Q4"
    assert fields["duedate"] == "2026-12-31"
    assert set(fields["labels"]) == {"syncd", "syncd-recurring"}
    for must in ("Upstream latency", "Success criteria", "In staging with synthetic traffic", "Findings"):
        assert must in fields["description"]
    assert verdicts(house) == [DutyState.PENDING]
    # nothing is written a second time, whatever restarts
    writes = house.writes()
    house.restart()
    house.settle(3)
    assert house.writes() == writes
    shown = recurring_data(house.ledger, issue.key, house.clock.now())
    assert shown is not None and shown["action_items"][0]["held"]["state"] == "pending"


def test_the_times_that_people_fill_in_are_kept_for_the_exercise(house: Rig) -> None:
    issue = made_on(house)
    text = issue.now.values["description"].replace("start:", "start: 2026-12-20 14:00")
    house.world.jira.edit(issue.key, by="Amara Osei", description=text)
    house.settle(2)
    (item,) = recurring_items(house.ledger, "QRPay")
    assert item.facts[TIMES] == {"start": "2026-12-20 14:00"}


def test_a_lost_answer_and_a_lost_ledger_make_no_second_issue(house: Rig) -> None:
    lost = {"service": "jira", "method": "POST", "path": "/issue$", "times": 1}
    house.world.faults.add(faults.lose_answer(), **lost)
    until(house, MADE)
    house.settle(4, 300)
    assert len(house.world.jira.site.issues) == 1
    house.stop()
    house.name = "another.db"
    house.start()
    house.settle(4, 300)
    assert len(house.world.jira.site.issues) == 1
    (item,) = recurring_items(house.ledger, "QRPay")
    assert verdicts(house) == [DutyState.PENDING]
    assert item.incident_id == STORM


def test_closed_by_a_person_it_is_held_and_the_next_period_comes(house: Rig) -> None:
    issue = made_on(house)
    until(house, datetime(2026, 12, 29, 9, tzinfo=UTC))
    house.world.jira.transition(issue.key, "Done", "Amara Osei")
    until(house, DEADLINE + timedelta(hours=9))
    house.settle(2)
    assert verdicts(house) == [DutyState.MET]
    report = make(house.ledger, Week.named("2026-W53"), "QRPay", house.mappings, house.clock.now())
    assert (report.figures["met"], report.figures["of"]) == (1, 1)
    assert report.figures["held"] == {"game_day": {"met": 1, "of": 1}}
    for form in ("text", "html"):
        assert "Exercises held: 1 of 1" in written(report, form, Templates()).replace(
            "\N{NO-BREAK SPACE}", " "
        )
    assert ",game_day" in as_csv(report)
    until(house, datetime(2027, 3, 17, 9, tzinfo=UTC))
    house.settle(2)
    assert [row.incident_id for row in creates(house)] == [STORM, "recurring:QRPay/Storm/2027-Q1"]


def test_missed_it_is_told_once_to_owner_and_process_owner_and_stays_missed(house: Rig) -> None:
    issue = made_on(house)
    until(house, DEADLINE + timedelta(minutes=30))
    house.settle(3)
    assert verdicts(house) == [DutyState.BREACHED]
    late = [line for line in subjects(house) if line.startswith("Overdue: Hold Storm, 2026-Q4")]
    assert len(late) == 2
    assert subjects(house, OWNER) and subjects(house, PROCESS)
    house.world.jira.transition(issue.key, "Done", "Amara Osei")
    house.settle(2)
    assert verdicts(house) == [DutyState.MET_LATE]
    # what was missed is made again all the same in the next period
    until(house, datetime(2027, 3, 17, 9, tzinfo=UTC))
    assert len(creates(house)) == 2


def test_an_owner_without_an_address_is_mentioned_on_the_issue(house: Rig) -> None:
    issue = made_on(house)
    account = house.world.jira.account_id("Mei Tanaka")
    house.world.jira.edit(issue.key, "Amara Osei", assignee={"accountId": account})
    until(house, DEADLINE + timedelta(minutes=30))
    house.settle(3)
    (body,) = [comment.body for comment in house.world.jira.find(issue.key).comments]
    assert body.startswith(f"Overdue: [~accountid:{account}] the exercise or review is overdue since ")


def test_in_report_nothing_is_made_and_status_says_what_would_be(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules(Storm={**GAME_DAY, "mode": "report"}),), start=MADE)
    rig.settle(2)
    assert (rig.operations(), rig.writes()) == ([], 0)
    (note,) = status_data(rig.ledger)["dry_run_notes"]
    assert note["incident"] == STORM
    assert note["dry_run_notes"] == ["make its issue, due 2026-12-31: it comes round"]


def test_a_waiver_is_given_by_the_issues_key_and_an_entry_that_goes_cancels_the_rest(house: Rig) -> None:
    issue = made_on(house)
    day = house.clock.now() + timedelta(days=20)
    asked = {"of": issue.key, "until": day.isoformat(), "reason": "a freeze", "by": PROCESS}
    number = answers.ask(house.ledger, "waive", asked, "root")
    house.loop.tick()
    house.loop.work_queue.drain()
    assert answers.answer_of(house.ledger, number)["failed"] is False
    assert verdicts(house) == [DutyState.WAIVED]
    house.swap_rules(mailing())
    house.loop.take_up()
    house.settle(2)
    assert verdicts(house) == [DutyState.CANCELLED]


def test_after_a_grave_incident_a_review_is_made_and_later_ones_are_linked_to_it(make_rig: MakeRig) -> None:
    review = {"kind": "review", "mode": "enforce", "every": "year", "owner": PROCESS, "after": ["SEV1"]}
    rig = make_rig(mappings=(rules(Review=review),), start=datetime(2026, 11, 10, 8, tzinfo=UTC))
    rig.cycle()
    pagerduty = rig.world.pagerduty
    for title in ("Payments are late", "Payments are late again"):
        incident = pagerduty.trigger("Alipay Integration", title, priority="P2")
        rig.settle(2)
        pagerduty.resolve(incident.id, "Amara Osei")
        rig.settle(6, 600)
    (create,) = creates(rig)
    assert create.incident_id == "recurring:QRPay/Review/after #1"
    (item,) = recurring_items(rig.ledger, "QRPay")
    tickets = {rig.world.jira.find(key).id for key in ("OPS-1", "OPS-3")}
    assert item.issue is not None
    assert {str(each) for each in tickets} <= {link.other_id for link in item.issue.links}
