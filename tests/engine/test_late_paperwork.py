"""From the resolve to the breach with the real duties: who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rig import Rig

from engine.mail_rig import (
    ENFORCED,
    OWNER,
    PROCESS,
    MakeRig,
    incident,
    letters,
    mailing,
    subjects,
    text_of,
    until,
)
from syncd.ledger.store.pages import store_loss


def test_nobody_schedules_and_the_contacts_hear_of_it_once_after_48_hours(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    rig.cycle()
    incident(rig)
    resolved = rig.clock.now()
    until(rig, resolved + timedelta(hours=47))
    assert [letter for letter in letters(rig) if "Overdue" in str(letter.message["Subject"])] == []
    until(rig, resolved + timedelta(hours=48, minutes=5))
    rig.settle(3)
    late = [letter for letter in letters(rig) if "Overdue" in str(letter.message["Subject"])]
    assert sorted(letter.recipients[0] for letter in late) == [OWNER, PROCESS]
    assert {str(finding.message["Subject"]) for finding in late} == {"Overdue: Schedule the postmortem of #1"}


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


def hidden_at_its_deadline(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> tuple[Rig, set[str], datetime]:
    """A rig whose postmortem OPS-2 vanished before the deadline; the hidden keys; and the deadline."""
    post = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    post.cycle()
    incident(post)
    resolved = post.clock.now()
    post.settle(4, 600)
    site, hidden = post.world.jira.site, {"OPS-2"}
    visible = site.visible
    monkeypatch.setattr(
        site, "visible", lambda issue, account: issue.key not in hidden and visible(issue, account)
    )
    hidden.clear()
    until(post, resolved + timedelta(hours=47))
    hidden.add("OPS-2")
    post.loop.slow()
    until(post, resolved + timedelta(hours=48, minutes=5))
    post.settle(1)
    return post, hidden, resolved + timedelta(hours=48)


def about_sight(post: Rig) -> list[tuple[str, str]]:
    pairs = [(letter.recipients[0], str(letter.message["Subject"])) for letter in letters(post)]
    return sorted(pair for pair in pairs if pair[0] == "ops@qrpay.example" or "Not visible" in pair[1])


def test_a_postmortem_that_cannot_be_seen_is_asked_for_at_once_and_told_to_the_contacts_a_day_later(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, hidden, due = hidden_at_its_deadline(make_rig, monkeypatch)
    first = about_sight(post)
    assert [address for address, _subject in first] == [OWNER, "ops@qrpay.example"]
    assert any("was it moved, restricted or deleted?" in text_of(letter) for letter in letters(post))
    until(post, due + timedelta(hours=23))
    assert about_sight(post) == first
    until(post, due + timedelta(hours=25))
    later = [pair for pair in about_sight(post) if pair not in first]
    assert (PROCESS, "Not visible: Schedule the postmortem of #1") in later
    # it comes back, and it was scheduled in time
    hidden.clear()
    post.loop.slow()
    post.settle(3)
    assert post.operations("pending") == []


def test_a_deletion_that_jira_names_is_told_to_the_contacts_at_once_with_the_name(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, _hidden, _due = hidden_at_its_deadline(make_rig, monkeypatch)
    issue_id = str(post.world.jira.find("OPS-2").id)
    store_loss(post.ledger, issue_id, "deleted", "Tomasz Wójcik", "acc-1", post.clock.now())
    post.settle(2)
    assert (PROCESS, "Not visible: Schedule the postmortem of #1") in about_sight(post)
    assert any("Tomasz Wójcik deleted it" in text_of(letter) for letter in letters(post))
