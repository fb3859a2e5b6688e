"""From the resolve to the breach with the real duties: who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.mail_rig import OWNER, PROCESS, MakeRig, letters, mailing, subjects, until
from engine.test_reminders import ENFORCED, incident


def test_nobody_schedules_and_the_contacts_hear_of_it_once_after_48_hours(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    rig.cycle()
    incident(rig)
    resolved = rig.clock.now()
    until(rig, resolved + timedelta(hours=47))
    assert [one for one in letters(rig) if "Overdue" in str(one.message["Subject"])] == []
    until(rig, resolved + timedelta(hours=48, minutes=5))
    rig.settle(3)
    late = [one for one in letters(rig) if "Overdue" in str(one.message["Subject"])]
    assert sorted(one.recipients[0] for one in late) == [OWNER, PROCESS]
    assert {str(one.message["Subject"]) for one in late} == {"Overdue: Schedule the postmortem of #1"}


def test_an_items_owner_is_reminded_once_it_was_read_again(make_rig: MakeRig) -> None:
    rules = mailing(postmortem={"mode": "enforce"}, follow_ups={"mode": "enforce", "knowledge_base": False})
    post = make_rig(mappings=(rules,), mail=True)
    post.cycle()
    made = post.world.pagerduty.trigger("Alipay Integration", "Callbacks time out", priority="P3")
    post.cycle()
    post.world.pagerduty.resolve(made.id, "Amara Osei")
    post.settle(4, 600)
    people = post.world.jira
    item = people.sub_task("OPS-2", "Alert earlier", by="Priya Raman")
    people.assign(item.id, "Tomasz Wójcik", "Priya Raman")
    people.edit(item.id, by="Priya Raman", duedate="2026-11-18")
    post.settle(2)
    # the end of that day is at midnight, so the reminder leaves at 20:00, when quiet hours begin
    post.cycle((datetime(2026, 11, 18, 19, 59, tzinfo=UTC) - post.clock.now()).total_seconds())
    post.settle(2)
    reminders = [
        subject for subject in subjects(post, "tomasz.wojcik@qrpay.example") if "Due soon" in subject
    ]
    assert reminders == [f"Due soon: Finish action item {item.key} (Alert earlier)"]
    post.settle(3)
    assert len([subject for subject in subjects(post) if "Alert earlier" in subject]) == 1
