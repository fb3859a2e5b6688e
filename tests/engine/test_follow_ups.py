"""Action items end to end: where they come from, who owns them, when they are done, what stays on record."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig import SERVICES, Rig, mapping, rig
from sqlmodel import col, select

from engine.cast import events
from syncd.domain.clock import GRACE
from syncd.engine.notify.duty_line import line_of, section_of
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.postmortems import duties_of
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow
from syncd.ledger.views.postmortems import owing_incident_of
from syncd.ledger.views.show import show_data
from syncd.report.weekly.formats import as_csv
from syncd.report.weekly.report import make
from syncd.report.weekly.week import Week
from syncd.sandbox.jira.model import Issue

HOUR = 3600.0
DAY = 24 * HOUR


def team(**follow_ups: Any) -> Any:
    """QRPay's mapping with follow-ups as given."""
    severities = {
        "SEV0": {"pagerduty": "P1", "postmortem": True, "follow_up_days": 15},
        "SEV2": {"pagerduty": "P3", "urgency": "high", "postmortem": True, "follow_up_days": 30},
        "SEV3": {"pagerduty": "P4", "urgency": "low", "follow_up_days": 90},
    }
    return mapping(
        follow_ups={"mode": "enforce", "knowledge_base": False, **follow_ups},
        severities=severities,
        services={
            **SERVICES,
            "Alipay Integration": {"owner": "amara.osei@qrpay.example"},
        },
    )


@contextmanager
def after_an_incident(folder: Path, **follow_ups: Any) -> Iterator[tuple[Rig, str, Issue, Issue]]:
    """A rig with a resolved incident: its id, its ticket and its postmortem."""
    with rig(folder, mappings=(team(**follow_ups),)) as made:
        made.cycle()
        incident = made.world.pagerduty.trigger("Alipay Integration", "Payments are late", priority="P3")
        made.cycle()
        made.world.pagerduty.resolve(incident.id, "Amara Osei")
        made.settle(3, 150)
        people = made.world.jira
        ticket = people.find("OPS-1")
        postmortem = people.create("Priya Raman", "Postmortem", type="Postmortem")
        with made.ledger.write() as session:
            session.add(
                PostmortemRow(
                    incident_id=incident.id,
                    issue_id=str(postmortem.id),
                    key=postmortem.key,
                    project="OPS",
                    origin="operation",
                    created_at=made.clock.now(),
                )
            )
        people.edit(postmortem.id, by="Priya Raman", summary="Postmortem of late payments")
        made.settle(2)
        yield made, incident.id, ticket, postmortem


def items(made: Rig) -> dict[str, ActionItemRow]:
    with made.ledger.read() as session:
        rows = session.exec(select(ActionItemRow).order_by(col(ActionItemRow.key))).all()
    return {row.key: row for row in rows}


def duty(made: Rig, incident: str, kind: str, clock: int = 1) -> Any:
    with made.ledger.read() as session:
        duties = [
            each_duty
            for each_duty in duties_of(session, incident)
            if each_duty.kind == kind and each_duty.clock == clock
        ]
    return duties[0] if duties else None


def quiet(made: Rig) -> None:
    """A second run writes nothing."""
    before = made.writes()
    made.settle(3)
    assert made.writes() == before


def test_a_taken_item_is_owned_since_its_assignment_and_a_leaver_counts_as_none(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, _ticket, postmortem):
        people = made.world.jira
        item = people.sub_task(postmortem.id, "Alert earlier", by="Priya Raman")
        made.cycle()
        made.world.advance(2 * HOUR)
        people.assign(item.id, "Ines Carvalho", by="Priya Raman")
        taken = made.clock.now()
        made.settle(2, HOUR)
        owned = duty(made, incident, "owned")
        assert (owned.state, owned.met_by) == ("met", "Ines Carvalho")
        assert abs((owned.met_at - taken).total_seconds()) < 1
        made.world.advance(3 * DAY)
        people.deactivate("Ines Carvalho")
        made.loop.slow()
        made.settle(2)
        assert items(made)[item.key].facts["violations"] == ["its owner has left"]
        people.edit(item.id, by="Priya Raman", summary="Alert much earlier")
        made.settle(2)
        again = duty(made, incident, "owned", clock=2)
        assert again.state == "pending"
        assert re.fullmatch(r"its owner left between 2026-[-: \w]+ UTC and 2026-[-: \w]+ UTC", again.reason)
        assert duty(made, incident, "owned").state == "met"
        assert len(events(made, "owner.left")) == 1
        people.assign(item.id, "Priya Raman", by="Priya Raman")
        taken = made.clock.now()
        made.settle(2, HOUR)
        assert (duty(made, incident, "owned").state, duty(made, incident, "owned").met_by) == (
            "met",
            "Ines Carvalho",
        )
        by_another = duty(made, incident, "owned", clock=2)
        assert (by_another.state, by_another.met_by) == ("met", "Priya Raman")
        assert by_another.met_at == taken > by_another.started_at
        assert _verdicts(made, incident) == ["met", "met"]
        assert [event["field"] for event in events(made, "item.owner")] == ["assignee", "assignee"]
        assert "Ines" not in json.dumps(events(made, "item.owner"))
        assert len(events(made, "item.scope")) == 1
        quiet(made)


def test_nobody_within_24_working_hours_is_a_breach_that_stays(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, _ticket, postmortem):
        people = made.world.jira
        item = people.sub_task(postmortem.id, "Alert earlier", by="Priya Raman")
        made.settle(2)
        due = duty(made, incident, "owned").due_at
        made.world.advance((due - made.clock.now()).total_seconds() - 60)
        made.cycle()
        assert duty(made, incident, "owned").state == "due_soon"
        made.world.advance(60 + GRACE.total_seconds())
        made.loop.cycle()
        made.loop.tick()
        made.loop.work_queue.drain()
        assert duty(made, incident, "owned").state == "breached"
        people.assign(item.id, "Ines Carvalho", by="Priya Raman")
        made.settle(2)
        late = duty(made, incident, "owned")
        assert (late.state, late.breached_at) == ("met_late", due)
        quiet(made)


def test_the_mail_asks_to_take_what_was_assigned_by_rule(tmp_path: Path) -> None:
    with after_an_incident(tmp_path, unowned="assign") as (made, incident, _ticket, postmortem):
        item = made.world.jira.sub_task(postmortem.id, "Alert earlier", by="Priya Raman")
        made.settle(2)
        assert _what_ends_it(made, incident) == f"Assign {item.key}"
        made.world.advance((duty(made, incident, "owned").due_at + GRACE - made.clock.now()).total_seconds())
        made.settle(4)
        assert items(made)[item.key].facts["violations"] == ["assigned by rule, not taken"]
        assert _what_ends_it(made, incident) == f"Take {item.key} with a comment, or assign it to somebody"


def _verdicts(made: Rig, incident: str) -> list[str]:
    """The verdicts of the owner duty, which the weekly report, its CSV and `syncd show` have alike."""
    now = made.clock.now()
    week = Week.of(duty(made, incident, "owned").due_at, "UTC")
    weekly = [make(made.ledger, week.back(-ahead), None, made.mappings, now) for ahead in range(3)]
    rows = [
        row
        for report in weekly
        for row in csv.DictReader(io.StringIO(as_csv(report)))
        if row["table"] == "duty" and row["duty"] == "owned"
    ]
    record = incident_named(made.ledger, incident)
    assert record is not None
    (shown,) = show_data(made.ledger, record, now)["action_items"]
    assert shown["owned"]["state"] == rows[-1]["verdict"]
    return [row["verdict"] for row in rows]


def _what_ends_it(made: Rig, incident: str) -> str:
    """What a mail says of the duty to own the item."""
    owed, rules = duty(made, incident, "owned"), team()
    owing_incident = owing_incident_of(made.ledger, incident, made.clock.now())
    assert owing_incident is not None
    section = section_of(rules, owing_incident.case.incident)
    line = line_of(owing_incident, rules, section, owed, "it is yours", owner=True)
    return line.act if line else ""


def test_dates_are_judged_as_they_stood_and_postponing_is_counted(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, _ticket, postmortem):
        people = made.world.jira
        item = people.sub_task(
            postmortem.id,
            "Alert earlier",
            by="Priya Raman",
            duedate="2026-11-18",
            assignee={"id": priya(made)},
        )
        made.settle(2)
        for day in ("2026-11-19", "2026-11-20", "2026-11-21"):
            people.edit(item.id, by="Priya Raman", duedate=day)
            made.settle(2)
        kept = items(made)[item.key].facts
        assert (kept["postponed"], kept["due"]) == (3, "2026-11-21")
        assert kept["violations"] == ["postponed 3 times"]
        assert duty(made, incident, "done").state == "pending"
        made.world.advance(6 * DAY)
        made.cycle()
        missed = duty(made, incident, "done")
        assert (missed.state, missed.due_at.isoformat()) == ("breached", "2026-11-22T00:00:00+00:00")
        people.edit(item.id, by="Priya Raman", duedate="2027-03-01")
        made.settle(2)
        assert duty(made, incident, "done").state == "breached"
        assert (
            "its due date is after the latest day allowed, 2026-12-28"
            in items(made)[item.key].facts["violations"]
        )
        people.transition(item.id, "Done", by="Priya Raman")
        made.settle(2)
        assert duty(made, incident, "done").state == "met_late"
        assert len(events(made, "item.date")) == 4
        assert len(events(made, "item.status")) >= 1
        quiet(made)


def priya(made: Rig) -> str:
    return made.world.jira.account_id("Priya Raman")


def test_what_was_done_while_the_daemon_was_away_is_in_time_by_its_own_clock(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, _ticket, postmortem):
        people = made.world.jira
        item = people.sub_task(postmortem.id, "Alert earlier", by="Priya Raman", duedate="2026-11-18")
        made.settle(2)
        made.stop()
        made.world.advance(DAY)
        people.assign(item.id, "Ines Carvalho", by="Ines Carvalho")
        people.transition(item.id, "Done", by="Ines Carvalho")
        made.world.advance(5 * DAY)
        made.start()
        made.settle(2)
        assert duty(made, incident, "done").state == "met"
        assert duty(made, incident, "owned").state == "met_late"
        quiet(made)


def test_an_item_elsewhere_is_followed_and_out_of_sight_it_is_never_done(tmp_path: Path) -> None:
    with after_an_incident(tmp_path, link_types=["Blocks"]) as (made, incident, ticket, _postmortem):
        people = made.world.jira
        item = people.create("Ines Carvalho", "Raise the timeout", project="ENG")
        people.link(ticket.id, item.id, by="Ines Carvalho", type="Blocks")
        made.settle(2)
        assert items(made)[item.key].source == "linked to the ticket"
        people.assign(item.id, "Ines Carvalho", by="Ines Carvalho")
        made.cycle()
        assert duty(made, incident, "owned").state == "pending"
        made.loop.slow()
        made.cycle()
        assert duty(made, incident, "owned").state == "met"
        people.site.project("ENG").denied.add("BROWSE_PROJECTS")
        people.transition(item.id, "Done", by="Ines Carvalho")
        made.loop.slow()
        made.settle(2)
        assert items(made)[item.key].facts["violations"] == ["not visible"]
        made.world.advance(120 * DAY)
        made.settle(2)
        unseen = duty(made, incident, "done")
        assert (unseen.state, unseen.unseen) == ("breached", True)
        people.site.project("ENG").denied.clear()
        made.loop.slow()
        made.settle(2)
        back = duty(made, incident, "done")
        assert (back.state, back.breached_at, back.unseen) == ("met", None, False)


def test_a_merged_sources_follow_ups_count_for_the_target(tmp_path: Path) -> None:
    with rig(tmp_path, mappings=(team(),)) as made:
        made.cycle()
        pagerduty, people = made.world.pagerduty, made.world.jira
        source = pagerduty.trigger("Alipay Integration", "Payments are late", priority="P3")
        target = pagerduty.trigger("Alipay Integration", "Nothing is paid", priority="P1")
        made.settle(2)
        key = next(
            issue.key
            for issue in people.site.issues.values()
            if f"pd-{source.id}" in issue.now.values["labels"]
        )
        item = people.create("Ines Carvalho", "Raise the timeout", labels=["action-item"])
        people.link(key, item.id, by="Ines Carvalho")
        made.settle(2)
        assert items(made)[item.key].incident_id == source.id
        pagerduty.merge(target.id, [source.id], "Amara Osei")
        made.settle(3)
        assert items(made)[item.key].incident_id == target.id
        pagerduty.resolve(target.id, "Amara Osei")
        made.settle(4, 150)
        assert duty(made, target.id, "owned").state == "pending"
        assert duty(made, source.id, "owned") is None
        more = people.sub_task(key, "Alert earlier", by="Ines Carvalho")
        made.settle(2)
        assert items(made)[more.key].incident_id == target.id
        quiet(made)
        pagerduty.reopen(source.id, "Amara Osei")
        made.settle(2)
        made.loop.slow()
        made.settle(2)
        assert (items(made)[item.key].incident_id, items(made)[item.key].ended_at) == (source.id, None)
        quiet(made)


def test_what_cannot_be_read_beside_a_ticket_holds_up_no_move_and_no_note(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, ticket, _):
        beside = made.world.jira.sub_task(ticket.id, "Mend the callback", by="Priya Raman")
        made.world.jira.make_unreadable(beside.id, times=10_000)
        made.settle(2)
        assert items(made) == {}
        made.world.pagerduty.reopen(incident, "Amara Osei")
        made.world.pagerduty.note(incident, "It is back", "Amara Osei")
        made.settle(4, 60)
        assert made.world.jira.site.status(ticket.now).name == "To Do"
        assert any("It is back" in comment.body for comment in ticket.comments)
        made.world.jira.assign(ticket.id, "Ines Carvalho", by="Ines Carvalho")
        made.settle(2)
        made.world.pagerduty.reassign(incident, "Tomasz Wójcik", by="Amara Osei")
        made.settle(3, 60)
        assert [event["reason"] for event in events(made, "left")] == ["a person chose the assignee"]
        made.world.jira.site.unreadable.clear()
        made.settle(3, 60)
        assert items(made)[beside.key].source == "sub-task of the ticket"


def test_a_label_in_another_project_after_the_incident_is_finished_is_noticed_within_a_day(
    tmp_path: Path,
) -> None:
    with after_an_incident(tmp_path) as (made, incident, ticket, _postmortem):
        people = made.world.jira
        item = people.create("Ines Carvalho", "Raise the timeout", project="ENG")
        people.link(ticket.id, item.id, by="Ines Carvalho")
        made.settle(2)
        made.loop.slow()
        assert items(made) == {}
        with made.ledger.write() as session:
            row = session.get(IncidentRow, incident)
            assert row is not None
            assert row.non_items == [str(item.id)]
            row.finished = True
            session.add(row)
        people.add_label(item.id, "action-item", by="Ines Carvalho")
        made.loop.slow()
        made.cycle()
        assert items(made) == {}
        made.world.advance(DAY)
        made.loop.slow()
        made.cycle()
        assert items(made)[item.key].source == "linked to the ticket"
        quiet(made)
