"""Every turn that the life of an incident takes beside the plain ones."""

from __future__ import annotations

from typing import Any

from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, row_of, status


def moves(rig: Rig) -> int:
    pattern = "/rest/api/2/issue/{issue}/transitions"
    return len(rig.world.journal.lines(service="jira", method="POST", pattern=pattern))


def test_a_resolve_moves_the_ticket_at_once_and_a_reopen_moves_it_back_after_five_minutes(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Flapping", priority="P4")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(3)
    assert (status(house), moves(house)) == ("In Progress", 1)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.cycle()
    assert (status(house), moves(house)) == ("Done", 2)
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(4)
    assert (status(house), moves(house)) == ("Done", 2)
    house.settle(10)
    assert (status(house), moves(house)) == ("To Do", 3)
    nothing_more_is_written(house)


def test_a_move_back_that_waits_is_carried_over_also_after_a_restart(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.cycle()
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(2)
    house.restart()
    assert status(house) == "Done"
    house.world.advance(3600)
    house.settle(1)
    assert status(house) == "To Do"


def test_an_acknowledgement_that_times_out_changes_nothing(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    before = moves(house)
    house.world.pagerduty.unacknowledge(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "In Progress"
    assert moves(house) == before


def test_a_snooze_and_an_alert_change_nothing_on_the_ticket(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(3)
    before = house.writes()
    house.world.pagerduty.snooze(made.id, 3600, "Amara Osei")
    house.world.pagerduty.alert(made.id, "another one")
    house.settle(3)
    assert house.writes() == before


def test_an_escalation_hands_the_ticket_to_the_new_responder(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    first = issue_of(house)["fields"]["assignee"]["displayName"]
    house.world.pagerduty.escalate(made.id, 2, "Amara Osei")
    house.settle(2)
    assert issue_of(house)["fields"]["assignee"]["displayName"] != first


def test_a_merged_incident_s_ticket_is_linked_as_duplicate_and_closed(house: Rig) -> None:
    source = house.world.pagerduty.trigger("Alipay Integration", "Symptom", priority="P1")
    target = house.world.pagerduty.trigger("BluBank Integration", "Cause", priority="P2")
    house.settle(2)
    house.world.pagerduty.merge(target.id, [source.id], "Amara Osei")
    house.settle(4)
    keys = {issue["fields"]["summary"]: issue["key"] for issue in (issue_of(house, 1), issue_of(house, 2))}
    link = issue_of(house, int(keys["Symptom"][4:]))["fields"]["issuelinks"][0]
    other = link.get("outwardIssue") or link.get("inwardIssue")
    assert (link["type"]["name"], other["key"]) == ("Duplicate", keys["Cause"])
    assert status(house, int(keys["Symptom"][4:])) == "Done"
    assert status(house, int(keys["Cause"][4:])) == "To Do"
    nothing_more_is_written(house)


def test_a_merged_incident_that_was_reopened_and_resolved_unseen_is_no_duplicate_any_more(house: Rig) -> None:
    source = house.world.pagerduty.trigger("Alipay Integration", "Symptom", priority="P1")
    target = house.world.pagerduty.trigger("BluBank Integration", "Cause", priority="P2")
    house.settle(2)
    house.world.pagerduty.merge(target.id, [source.id], "Amara Osei")
    house.settle(4)
    number = next(number for number in (1, 2) if issue_of(house, number)["fields"]["summary"] == "Symptom")
    assert status(house, number) == "Done"
    house.world.pagerduty.reopen(source.id, "Amara Osei")
    house.world.pagerduty.resolve(source.id, "Amara Osei")
    house.settle(16)
    assert status(house, number) == "In Review"
    nothing_more_is_written(house)


def test_a_merge_target_that_nobody_has_seen_gets_a_ticket(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(enforce_from="2026-11-16"),))
    target = rig.world.pagerduty.trigger("BluBank Integration", "Cause", priority="P4")
    source = rig.world.pagerduty.trigger("Alipay Integration", "Symptom", priority="P4")
    rig.world.pagerduty.merge(target.id, [source.id], "Amara Osei")
    rig.world.pagerduty.resolve(target.id, "Amara Osei")
    rig.settle(16)
    assert len(rig.world.jira.site.issues) == 2
    assert {status(rig, 1), status(rig, 2)} == {"Done"}
    nothing_more_is_written(rig)


def test_a_merge_into_a_service_that_no_mapping_claims_is_said_on_the_ticket(house: Rig) -> None:
    source = house.world.pagerduty.trigger("Alipay Integration", "Symptom", priority="P4")
    target = house.world.pagerduty.trigger("Ordering API", "Cause")
    house.settle(2)
    house.world.pagerduty.merge(target.id, [source.id], "Amara Osei")
    house.settle(4)
    assert len(house.world.jira.site.issues) == 1
    assert sum("merged into" in comment["body"] for comment in issue_of(house)["comments"]) == 1
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_an_incident_moved_to_another_service_keeps_its_ticket_and_changes_its_component(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.pagerduty.move(made.id, "BluBank Integration", "Amara Osei")
    house.settle(3)
    assert [component["name"] for component in issue_of(house)["fields"]["components"]] == [
        "BluBank Integration"
    ]
    assert len(house.world.jira.site.issues) == 1
    nothing_more_is_written(house)


def test_an_incident_moved_to_an_unclaimed_service_keeps_being_followed(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.move(made.id, "Ordering API", "Amara Osei")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert status(house) == "Done"


NOISE = [{"name": "flapping probes", "title": "^probe", "urgency": "low"}]


def test_noise_gets_no_ticket_is_recorded_and_gets_one_when_it_rises(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(noise=NOISE),))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Probe 7 timed out", urgency="low")
    rig.world.pagerduty.note(made.id, "ignore it", "Amara Osei")
    rig.settle(3)
    assert rig.writes() == 0
    assert row_of(rig, made).noise_rule == "flapping probes"
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.settle(3)
    assert issue_of(rig)["fields"]["priority"]["name"] == "Highest"
    assert row_of(rig, made).noise_rule is None
    nothing_more_is_written(rig)


def test_a_noise_rule_never_touches_a_severity_that_owes_a_postmortem(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(noise=[{"name": "all", "title": "."}]),))
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", "Probe", priority="P1")
    rig.settle(2)
    assert len(rig.world.jira.site.issues) == 1


def test_low_urgency_that_is_soon_over_gets_no_ticket_and_one_that_stays_does(make_rig: Any) -> None:
    rule = [{"name": "self-healing", "resolved_within_minutes": 5}]
    rig = make_rig(mappings=(mapping(noise=rule),))
    rig.cycle()
    short = rig.world.pagerduty.trigger("Alipay Integration", "Short", urgency="low")
    rig.world.pagerduty.trigger("Alipay Integration", "Long", urgency="low")
    seen = rig.world.pagerduty.trigger("Alipay Integration", "Seen", urgency="low")
    rig.world.pagerduty.acknowledge(seen.id, "Amara Osei")
    rig.cycle()
    rig.world.pagerduty.resolve(short.id)
    rig.settle(4)
    summaries = [issue["fields"]["summary"] for issue in [issue_of(rig, 1)]]
    assert summaries == ["Seen"]
    rig.settle(10)
    assert issue_of(rig, 2)["fields"]["summary"] == "Long"
    assert len(rig.world.jira.site.issues) == 2
    nothing_more_is_written(rig)


def test_what_a_rule_in_mode_report_would_have_done_is_recorded(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(closing={"mode": "report"}),))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(14)
    assert "close" in " ".join(row_of(rig, made).dry_run_notes)
    assert incident_of(rig, made)["status"] == "resolved"
