"""The drill: the ledger is deleted, and what it knew of duties is read back from the services."""

from __future__ import annotations

import json
from datetime import time, timedelta
from typing import Any

from rig import Rig

from engine.cast import events, nothing_more_is_written, status
from engine.mail_rig import MakeRig, letters, mailing, mails
from engine.restored_rig import back_up_rig, doubled, restore_rig, seen_by_people
from syncd.domain.duty import Duty, Waiver
from syncd.ledger.requests import answers
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.postmortems import duties_of, waivers_of
from syncd.ledger.store.restored import WHY
from syncd.ledger.store.tables import PostmortemRow
from syncd.ledger.views.evidence import evidence_of
from syncd.ledger.views.show import show_data
from syncd.report.weekly.report import make
from syncd.report.weekly.week import latest_due
from syncd.report.weekly.words import report_context
from syncd.sandbox.jira.model import Comment
from syncd.sandbox.jira.model import Issue as SandboxIssue

AMARA, INES, APPROVER = "Amara Osei", "Ines Carvalho", "priya.raman@qrpay.example"
WORDS = "The bank {writes} it"
RULES: dict[str, Any] = {"postmortem": {"mode": "enforce"}, "follow_ups": {"mode": "enforce"}}
HOUR = 3600.0


def owing(make_rig: MakeRig, **changes: Any) -> Rig:
    """A rig whose mapping enforces postmortems and follow-ups and sends mails."""
    house = make_rig(mail=True, mappings=(mailing(**RULES | changes),))
    house.cycle()
    return house


def over(house: Rig, title: str) -> str:
    """An incident that was resolved and whose postmortem is there; its id."""
    made = house.world.pagerduty.trigger("Alipay Integration", title, priority="P2")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, AMARA)
    house.settle(3, 900)
    return str(made.id)


def postmortem(house: Rig, incident: str) -> SandboxIssue:
    """The postmortem of an incident, as Jira has it."""
    with house.ledger.read() as session:
        row = session.get(PostmortemRow, incident)
    assert row is not None
    return house.world.jira.find(row.key)


def comments(house: Rig, issue: SandboxIssue, words: str) -> list[Comment]:
    return [comment for comment in issue.comments if not comment.deleted and words in comment.body]


def ask(house: Rig, kind: str, of: str, **more: str) -> None:
    """What somebody asks for at the command line; it is granted."""
    arguments = {"of": of, "by": APPROVER, "reason": WORDS, **more}
    number = answers.ask(house.ledger, kind, arguments, "test")
    house.settle(2)
    answer = answers.answer_of(house.ledger, number)
    assert not answer["failed"], answer["lines"]


def waive(house: Rig, of: str, days: float = 9, **more: str) -> None:
    ask(house, "waive", of, until=(house.clock.now() + timedelta(days=days)).isoformat(), **more)


def duties(house: Rig, incident: str) -> list[Duty]:
    """The duties of an incident as they are judged; that they are rebuilt is asked apart."""
    with house.ledger.read() as session:
        known = [duty.model_copy(update={"rebuilt": False}) for duty in duties_of(session, incident)]
    return sorted(known, key=lambda finding: finding.place)


def waivers(house: Rig, incident: str) -> tuple[Waiver, ...]:
    with house.ledger.read() as session:
        return waivers_of(session, incident)


def state(house: Rig, incident: str, kind: str = "scheduled") -> str:
    return str([duty for duty in duties(house, incident) if duty.kind == kind][-1].state)


def deleted(house: Rig, **changes: Any) -> None:
    """The ledger is gone, and the daemon starts without one, with rules that somebody changed meanwhile."""
    house.stop()
    house.name = f"another-{house.name}"
    if changes:
        house.mappings = (mailing(**RULES | changes),)
    house.world.advance(60)
    house.start()
    house.settle(6)


def report(house: Rig) -> str:
    """The foot of the latest report."""
    mapping, now = house.mappings[0], house.clock.now()
    week = latest_due(now, "monday", time(), mapping.zone)
    made = make(house.ledger, week, mapping.team, house.mappings, now)
    return " ".join(report_context(made)["foot"])


def test_a_deleted_ledger_is_rebuilt_kept_late_and_waived_duties_stand_as_before(make_rig: MakeRig) -> None:
    house = owing(make_rig)
    met, late, waived = (over(house, title) for title in ("Kept", "Late", "Waived"))
    day = f"{house.clock.now() + timedelta(days=3):%Y-%m-%d}"
    house.world.jira.edit(postmortem(house, met).key, INES, duedate=day)
    house.settle(2)
    waive(house, waived)
    house.settle(4, 13 * HOUR)
    assert [state(house, incident) for incident in (met, late, waived)] == ["met", "breached", "waived"]
    before = {incident: duties(house, incident) for incident in (met, late, waived)}
    (given,) = waivers(house, waived)
    texts, sent = seen_by_people(house), len(letters(house))
    assert sent

    deleted(house)
    assert {incident: duties(house, incident) for incident in (met, late, waived)} == before
    assert waivers(house, waived) == (given.model_copy(update={"rebuilt": True}),)
    assert seen_by_people(house) == texts
    assert doubled(seen_by_people(house)) == []
    assert len(letters(house)) == sent
    assert {row.state for row in mails(house)} == {"dropped"}
    assert WHY in {each_event["why"] for each_event in events(house, "operation.dropped")}
    nothing_more_is_written(house)
    house.settle(1, 6 * HOUR)
    assert doubled(seen_by_people(house)) == []

    assert "Rebuilt from Jira and PagerDuty, because an earlier ledger was lost: " in report(house)
    assert "3 tickets, 3 postmortems, 3 action items, 1 breach, 1 waiver" in report(house)
    (event,) = events(house, "waiver.rebuilt")
    assert "priya" not in json.dumps(event)
    records = {incident: incident_named(house.ledger, incident) for incident in (late, waived)}
    shown = {name: show_data(house.ledger, row, house.clock.now()) for name, row in records.items() if row}
    proof = {name: evidence_of(house.ledger, row) for name, row in records.items() if row}
    lines = [" ".join(duty["postmortem"]["scheduled"]["explained"]) for duty in shown.values()]
    assert all("rebuilt from syncd's comment" in line for line in lines)
    assert [duty["rebuilt"] for duty in proof[late]["duties"] if duty["kind"] == "scheduled"] == [True]
    assert [waiver["rebuilt"] for waiver in proof[waived]["waivers"]] == [True]


def test_what_was_waived_ended_and_taken_back_stands_on_the_issues_and_is_rebuilt(make_rig: MakeRig) -> None:
    house = owing(
        make_rig, people={"process_owner": APPROVER, "approvers": [APPROVER, "tomasz.wojcik@qrpay.example"]}
    )
    first, second = over(house, "One"), over(house, "Two")
    earlier, two = postmortem(house, first), postmortem(house, second)
    item = house.world.jira.sub_task(earlier.id, "Alert earlier", by=INES)
    house.settle(2)
    waive(house, item.key, days=20)
    waive(house, str(earlier.key), days=2, duty="scheduled")
    house.settle(2)
    ask(house, "unwaive", earlier.key)
    house.world.jira.add_label(two.key, "waived", "Tomasz Wójcik")
    house.world.jira.comment(two.key, "waived: nobody was hurt", "Tomasz Wójcik")
    house.settle(2)
    assert state(house, second) == "waived"
    house.world.jira.set_labels(two.key, [], INES)
    house.settle(2)
    house.settle(5, 15 * HOUR)
    assert state(house, first) == "breached"
    ask(house, "correct", earlier.key, duty="scheduled")
    house.settle(2)
    assert len(comments(house, earlier, "Waiver: ")) == 2
    assert (
        len(
            comments(
                house,
                earlier,
                "Correction: syncd recorded that it was not scheduled in time. This is taken back",
            )
        )
        == 1
    )
    (on_item,) = comments(house, item, "Waiver: the duty to finish it is waived until")
    assert "priya.raman" in on_item.body
    assert "The bank" in on_item.body
    before = {ident: duties(house, ident) for ident in (first, second)}
    given = {ident: waivers(house, ident) for ident in (first, second)}
    assert [(len(given[first]), len(given[second]))] == [(2, 1)]
    texts = seen_by_people(house)

    deleted(house)
    after = {ident: waivers(house, ident) for ident in (first, second)}
    plain = {ident: [w.model_copy(update={"rebuilt": False}) for w in after[ident]] for ident in after}
    for ident in (first, second):
        assert sorted(plain[ident], key=str) == sorted(given[ident], key=str)
    assert {ident: duties(house, ident) for ident in (first, second)} == before
    assert seen_by_people(house) == texts
    nothing_more_is_written(house)


def test_a_breach_on_record_stays_one_although_the_rules_have_changed_and_its_label_stays_away(
    make_rig: MakeRig,
) -> None:
    house = owing(make_rig)
    late = over(house, "Late")
    house.settle(4, 13 * HOUR)
    (before,) = [duty for duty in duties(house, late) if duty.kind == "scheduled"]
    assert before.state == "breached"
    house.world.jira.set_labels(postmortem(house, late).key, ["syncd-postmortem", f"pd-{late}"], INES)
    house.settle(1)
    texts = seen_by_people(house)

    deleted(house, postmortem={"mode": "enforce", "schedule_hours": 96})
    (after,) = [duty for duty in duties(house, late) if duty.kind == "scheduled"]
    assert (after.state, after.due_at, after.breached_at) == ("breached", before.due_at, before.due_at)
    assert seen_by_people(house) == texts
    assert "postmortem-overdue" not in postmortem(house, late).now.values["labels"]


def test_nobody_forges_a_waiver_by_copying_or_editing_ours(make_rig: MakeRig) -> None:
    house = owing(make_rig)
    edited, copied = over(house, "Edited"), over(house, "Copied")
    waive(house, edited)
    (ours,) = comments(house, postmortem(house, edited), "Waiver: ")
    house.world.advance(HOUR)
    house.world.jira.edit_comment(postmortem(house, edited).key, ours.id, ours.body + " ", INES)
    theirs = house.world.jira.comment(postmortem(house, copied).key, ours.body, INES)
    theirs.properties.update(ours.properties)
    house.settle(4, 13 * HOUR)
    assert [state(house, incident) for incident in (edited, copied)] == ["waived", "breached"]

    deleted(house)
    assert [state(house, incident) for incident in (edited, copied)] == ["breached", "breached"]
    assert waivers(house, edited) == waivers(house, copied) == ()
    refused = {event["comment"] for event in events(house, "comment.not_believed")}
    assert refused == {str(ours.id), str(theirs.id)}
    assert "1 breach." in report(house)
    assert doubled(seen_by_people(house)) == []


def test_a_waiver_given_after_the_backup_holds_after_the_restore(make_rig: MakeRig) -> None:
    house = owing(make_rig)
    waived = over(house, "Waived")
    copy = back_up_rig(house)
    house.world.advance(HOUR)
    waive(house, waived)
    late = over(house, "In the gap")
    house.world.jira.edit(
        postmortem(house, late).key, INES, duedate=f"{house.clock.now() + timedelta(days=4):%Y-%m-%d}"
    )
    house.settle(4, 13 * HOUR)
    texts, sent = seen_by_people(house), len(letters(house))
    assert [state(house, incident) for incident in (waived, late)] == ["waived", "met"]

    restore_rig(house, copy)
    house.settle(20, 60)
    assert [state(house, incident) for incident in (waived, late)] == ["waived", "met"]
    assert [waiver.rebuilt for waiver in waivers(house, waived)] == [True]
    assert seen_by_people(house) == texts
    assert len(letters(house)) == sent


def test_a_first_ledger_is_not_taken_for_one_that_follows_another(make_rig: MakeRig) -> None:
    house = make_rig(mail=True, mappings=(mailing(),))
    house.stop()
    house.world.pagerduty.trigger("Alipay Integration", "Older than the daemon", priority="P1")
    house.world.advance(300)
    house.start()
    house.settle(2)
    assert len(letters(house)) == 2
    assert events(house, "ledger.succeeds") == []

    deleted(house)
    assert len(letters(house)) == 2
    assert {row.state for row in mails(house)} == {"dropped"}
    assert len(events(house, "ledger.succeeds")) == 1


def test_who_was_not_notified_by_the_lost_ledger_is_notified(make_rig: MakeRig) -> None:
    house = make_rig(mail=True, mappings=(mailing(),))
    house.world.pagerduty.trigger("Alipay Integration", "Known", priority="P1")
    house.settle(2)
    assert len(letters(house)) == 2
    house.world.pagerduty.trigger("Alipay Integration", "While nobody looked", priority="P1")
    deleted(house)
    assert len(letters(house)) == 4
    assert sorted(row.state for row in mails(house)) == ["done", "done", "dropped", "dropped"]


def test_a_close_that_was_overridden_is_not_taken_back_after_the_ledger_was_deleted(
    make_rig: MakeRig,
) -> None:
    house = owing(make_rig, close_gate={"mode": "reopen"})
    over(house, "Closed all the same")
    for stands in ("In Review", "Done"):
        house.world.jira.transition("OPS-1", "Done", INES)
        house.settle(4)
        assert status(house) == stands
    before = seen_by_people(house)
    deleted(house)
    assert status(house) == "Done"
    assert seen_by_people(house) == before
