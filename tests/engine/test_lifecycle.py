"""An incident's life on its ticket, end to end: the real engine, adapters and ledger on the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, status
from syncd.policy.marks import mark_in


def test_a_triggered_incident_gets_one_ticket_with_all_that_the_mapping_says(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency above 2 s", priority="P2")
    house.cycle()
    issue = issue_of(house)
    fields = issue["fields"]
    assert fields["summary"] == "Latency above 2 s"
    assert fields["issuetype"]["name"] == "Incident"
    assert fields["priority"]["name"] == "High"
    assert [part["name"] for part in fields["components"]] == ["Alipay Integration"]
    assert set(fields["labels"]) == {"syncd", f"pd-{made.id}", "SEV1"}
    assert fields["assignee"]["displayName"] == "Amara Osei"
    assert issue["properties"]["syncd"]["incident"] == made.id
    nothing_more_is_written(house)


def test_the_incident_gets_one_note_that_names_its_ticket(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert len(notes) == 1
    assert notes[0].startswith("Ticket OPS-1: http://127.0.0.1")
    assert mark_in(notes[0])


def test_a_severity_that_nobody_chose_is_marked_as_assumed(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "No priority", urgency="low")
    house.cycle()
    assert {"SEV3", "severity-assumed"} <= set(issue_of(house)["fields"]["labels"])


def test_the_severity_s_labels_follow_it_and_people_s_labels_stay(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "No priority", urgency="low")
    house.settle(2)
    house.world.jira.add_label("OPS-1", "seen", by="Ines Carvalho")
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.settle(2)
    assert set(issue_of(house)["fields"]["labels"]) == {"syncd", f"pd-{made.id}", "SEV0", "seen"}
    house.world.pagerduty.set_priority(made.id, None, "Amara Osei")
    house.settle(2)
    assert {"SEV3", "severity-assumed", "seen"} <= set(issue_of(house)["fields"]["labels"])
    assert "SEV0" not in issue_of(house)["fields"]["labels"]
    assert issue_of(house)["comments"] == []
    nothing_more_is_written(house)


def test_a_clone_that_carries_our_labels_is_a_persons(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    clone = house.world.jira.clone("OPS-1", "Ines Carvalho")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.world.pagerduty.note(made.id, "looking", "Amara Osei")
    house.settle(3)
    number = int(clone.key.partition("-")[2])
    assert (status(house), status(house, number)) == ("In Progress", "To Do")
    assert issue_of(house, number)["comments"] == []
    nothing_more_is_written(house)


def test_acknowledge_resolve_and_reopen_move_the_ticket_and_clear_its_resolution(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    assert status(house) == "To Do"
    people.acknowledge(made.id, "Amara Osei")
    house.cycle()
    assert status(house) == "In Progress"
    people.resolve(made.id, "Amara Osei")
    house.cycle()
    assert status(house) == "Done"
    assert issue_of(house)["fields"]["resolution"] is not None
    house.settle(12)
    people.reopen(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "To Do"
    assert issue_of(house)["fields"]["resolution"] is None
    nothing_more_is_written(house)


@pytest.mark.parametrize("restarted", [False, True])
def test_only_a_move_back_waits_until_the_ticket_left_that_status_five_minutes_ago(
    house: Rig, restarted: bool
) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(12)
    people.resolve(made.id, "Amara Osei")
    house.cycle()
    assert status(house) == "Done"
    people.reopen(made.id, "Amara Osei")
    house.cycle()
    if restarted:
        house.restart()
    house.settle(8)
    assert status(house) == "Done"
    (move,) = house.operations("pending")
    assert (move.kind, move.aspect) == ("move_ticket", "status")
    house.cycle()
    assert status(house) == "To Do"
    nothing_more_is_written(house)


def test_an_incident_that_flaps_within_five_minutes_moves_its_ticket_once(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(12)
    people.resolve(made.id, "Amara Osei")
    house.cycle()
    for _ in range(3):
        people.reopen(made.id, "Amara Osei")
        house.cycle()
        people.resolve(made.id, "Amara Osei")
        house.cycle()
    moves = [operation for operation in house.operations("done") if operation.kind == "move_ticket"]
    assert (status(house), len(moves), house.operations("pending")) == ("Done", 1, [])
    nothing_more_is_written(house)


def test_a_move_back_waits_also_where_a_person_moved_the_ticket(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P1")
    people.acknowledge(made.id, "Amara Osei")
    house.settle(12)
    house.world.jira.transition("OPS-1", "In Review", by="Ines Carvalho")
    people.resolve(made.id, "Amara Osei")
    house.cycle()
    people.reopen(made.id, "Amara Osei")
    people.acknowledge(made.id, "Amara Osei")
    house.settle(8)
    assert status(house) == "In Review"
    house.settle(2)
    assert status(house) == "In Progress"


def test_an_incident_that_owes_a_postmortem_is_not_closed_at_its_resolve(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P1")
    house.cycle()
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12)
    assert status(house) == "In Review"


def test_nothing_is_closed_unless_the_mapping_switches_it_on(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(closing={"mode": "report"}),))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.cycle()
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(12)
    assert status(rig) == "In Review"


def test_an_incident_that_was_over_before_it_was_seen_gets_a_ticket_at_the_right_status(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Short", priority="P4")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12)
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_priority_title_and_assignee_follow_in_one_edit(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P3")
    house.settle(2)
    before = house.writes()
    people.set_priority(made.id, "P1", "Amara Osei")
    people.set_title(made.id, "Latency everywhere", "Amara Osei")
    people.reassign(made.id, ["Mei Tanaka"], "Amara Osei")
    house.cycle()
    fields = issue_of(house)["fields"]
    assert fields["priority"]["name"] == "Highest"
    assert fields["summary"] == "Latency everywhere"
    assert fields["assignee"]["displayName"] == "Mei Tanaka"
    assert house.writes() == before + 1
    nothing_more_is_written(house)


@pytest.mark.parametrize("nobody", ["Hannah Weiss", "Jonas Lindqvist"])
def test_who_cannot_have_a_ticket_is_replaced_by_the_fallback_and_the_ticket_is_made(
    house: Rig, nobody: str
) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency", assignees=[nobody])
    house.cycle()
    assert issue_of(house)["fields"]["assignee"]["displayName"] == "Priya Raman"


def test_an_assignee_chosen_by_a_person_stays_and_the_new_responder_is_named_once(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.assign("OPS-1", "Ines Carvalho", by="Ines Carvalho")
    house.settle(2)
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], "Amara Osei")
    house.settle(3)
    issue = issue_of(house)
    assert issue["fields"]["assignee"]["displayName"] == "Ines Carvalho"
    told = [comment["body"] for comment in issue["comments"] if "Mei Tanaka" in comment["body"]]
    assert len(told) == 1
    nothing_more_is_written(house)


def test_a_field_that_the_mapping_gives_to_jira_stays_as_people_left_it(make_rig: Any) -> None:
    jira = {"project": "OPS", "owners": {"summary": "jira", "priority": "jira"}}
    rig = make_rig(mappings=(mapping(jira=jira),))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    rig.settle(2)
    rig.world.jira.edit("OPS-1", "Ines Carvalho", summary="What it really is")
    rig.world.pagerduty.set_title(made.id, "Another title", "Amara Osei")
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.settle(3)
    fields = issue_of(rig)["fields"]
    assert fields["summary"] == "What it really is"
    assert fields["priority"]["name"] == "Medium"


def test_what_a_person_wrote_into_a_field_of_pagerdutys_is_replaced_but_said(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="What it really is")
    house.settle(2)
    assert issue_of(house)["fields"]["summary"] == "What it really is"
    house.world.pagerduty.set_title(made.id, "Another title", "Amara Osei")
    house.settle(3)
    issue = issue_of(house)
    assert issue["fields"]["summary"] == "Another title"
    assert sum("What it really is" in comment["body"] for comment in issue["comments"]) == 1


def test_a_ticket_that_a_person_moved_stays_until_the_incident_changes(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.transition("OPS-1", "In Review", by="Ines Carvalho")
    house.settle(3)
    assert status(house) == "In Review"
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "In Progress"


def test_a_persons_move_between_the_create_and_the_first_read_is_not_undone(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    house.world.jira.transition("OPS-1", "In Review", "Ines Carvalho")
    house.settle(3)
    assert status(house) == "In Review"
    nothing_more_is_written(house)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(3)
    assert status(house) == "In Progress"
    nothing_more_is_written(house)


def test_a_ticket_that_a_person_closed_is_not_pulled_back(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.transition("OPS-1", "Done", by="Ines Carvalho")
    house.settle(2)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(3)
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_notes_become_comments_and_comments_become_notes_each_once(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.pagerduty.note(made.id, "restarted {html}workers{html}", "Amara Osei")
    house.world.jira.comment("OPS-1", "ok", by="Ines Carvalho")
    house.world.jira.comment("OPS-1", "ok", by="Ines Carvalho")
    house.settle(4)
    comments = [comment["body"] for comment in issue_of(house)["comments"]]
    mirrored = [body for body in comments if "restarted" in body]
    assert len(mirrored) == 1
    assert "{html}" not in mirrored[0].replace("\\{", "")
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum("\nok\n" in text for text in notes) == 2
    nothing_more_is_written(house)


def test_an_incident_of_a_service_that_no_mapping_claims_gets_nothing(house: Rig) -> None:
    house.world.pagerduty.trigger("Ordering API", "Not ours")
    house.settle(2)
    assert house.writes() == 0
    assert list(house.loop.pagerduty.unmapped.values()) == ["Ordering API"]


def test_a_resolve_keeps_the_assignee(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12)
    assert issue_of(house)["fields"]["assignee"]["displayName"] == "Amara Osei"


def test_a_reopened_incident_is_followed_although_pagerduty_logs_no_entry_for_it(house: Rig) -> None:
    house.world.pagerduty.account.options.reopen_entry = None
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12)
    assert status(house) == "Done"
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "To Do"
