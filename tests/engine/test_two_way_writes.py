"""What a person does to the ticket travels to the incident, once and only where it is switched on."""

from __future__ import annotations

from typing import Any

import pytest
from rig import SERVICES, Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, status, trigger
from engine.test_conflicts import events, told
from syncd.domain.operation import Kind
from syncd.engine.act.kinds.change_incident import ChangeIncidentKind
from syncd.sandbox import faults

ALL = dict.fromkeys(("acknowledge", "resolve", "reopen", "reassign", "priority", "title"), True)
WHO = "Ines Carvalho"


@pytest.fixture
def both(make_rig: Any) -> Rig:
    """A rig where everything travels."""
    rig: Rig = make_rig(mappings=(mapping(two_way=ALL),))
    rig.cycle()
    return rig


def changes(rig: Rig) -> int:
    """How often an incident was written to."""
    return len(rig.world.journal.lines(service="pagerduty", method="PUT", pattern="/incidents/{id}"))


def test_a_person_s_move_acknowledges_and_resolves_the_incident(both: Rig) -> None:
    made = trigger(both)
    both.world.jira.transition("OPS-1", "In Progress", WHO)
    both.settle(2)
    assert (incident_of(both, made)["status"], status(both)) == ("acknowledged", "In Progress")
    both.world.jira.transition("OPS-1", "In Review", WHO)
    both.settle(14)
    assert (incident_of(both, made)["status"], status(both)) == ("resolved", "In Review")
    assert changes(both) == 2
    nothing_more_is_written(both)


def test_a_person_s_move_out_of_resolved_reopens_and_pages(both: Rig) -> None:
    made = trigger(both)
    both.world.pagerduty.resolve(made.id, "Amara Osei")
    both.settle(14)
    assert status(both) == "In Review"
    both.world.jira.transition("OPS-1", "In Progress", WHO)
    both.settle(3)
    assert (incident_of(both, made)["status"], status(both)) == ("triggered", "In Progress")
    assert changes(both) == 1
    nothing_more_is_written(both)


def test_who_is_given_the_ticket_is_given_the_incident(both: Rig) -> None:
    made = trigger(both)
    both.world.jira.assign("OPS-1", "Mei Tanaka", WHO)
    both.settle(3)
    given = [assignment["assignee"]["summary"] for assignment in incident_of(both, made)["assignments"]]
    assert given == ["Mei Tanaka"]
    assert issue_of(both)["fields"]["assignee"]["displayName"] == "Mei Tanaka"
    nothing_more_is_written(both)


def test_priority_and_title_follow_the_ticket(both: Rig) -> None:
    made = trigger(both)
    both.world.jira.edit("OPS-1", WHO, summary="The bank is slow", priority={"name": "Highest"})
    both.settle(3)
    shown = incident_of(both, made)
    assert (shown["title"], shown["priority"]["summary"]) == ("The bank is slow", "P1")
    fields = issue_of(both)["fields"]
    assert (fields["summary"], fields["priority"]["name"]) == ("The bank is slow", "Highest")
    assert "SEV0" in fields["labels"]
    nothing_more_is_written(both)


def test_nothing_travels_while_nothing_is_switched_on_nor_afterwards(make_rig: Any) -> None:
    rig: Rig = make_rig()
    rig.cycle()
    made = trigger(rig)
    rig.world.jira.transition("OPS-1", "In Progress", WHO)
    rig.world.jira.assign("OPS-1", "Mei Tanaka", WHO)
    rig.world.jira.edit("OPS-1", WHO, summary="The bank is slow", priority={"name": "Highest"})
    rig.settle(3)
    assert changes(rig) == 0
    rig.mappings = (mapping(two_way=ALL, version="two"),)
    rig.restart()
    rig.settle(3)
    assert changes(rig) == 0
    assert incident_of(rig, made)["status"] == "triggered"
    rig.world.jira.transition("OPS-1", "In Review", WHO)
    rig.settle(2)
    assert incident_of(rig, made)["status"] == "resolved"


@pytest.mark.parametrize("key", sorted(ALL))
def test_each_is_switched_on_singly(make_rig: Any, key: str) -> None:
    rig: Rig = make_rig(mappings=(mapping(two_way={key: True}),))
    rig.cycle()
    made = trigger(rig)
    rig.world.jira.transition("OPS-1", "In Progress", WHO)
    rig.world.jira.assign("OPS-1", "Mei Tanaka", WHO)
    rig.world.jira.edit("OPS-1", WHO, summary="The bank is slow", priority={"name": "Highest"})
    rig.settle(3)
    shown = incident_of(rig, made)
    got = {
        "acknowledge": shown["status"] == "acknowledged",
        "reassign": shown["assignments"][0]["assignee"]["summary"] == "Mei Tanaka",
        "priority": shown["priority"]["summary"] == "P1",
        "title": shown["title"] == "The bank is slow",
    }
    assert {name for name, is_so in got.items() if is_so} == {key} & set(got)
    assert changes(rig) == (key in got)
    nothing_more_is_written(rig)


def test_our_own_moves_and_edits_do_not_travel(both: Rig) -> None:
    made = trigger(both)
    both.world.pagerduty.acknowledge(made.id, "Amara Osei")
    both.world.pagerduty.set_title(made.id, "Latency high", "Amara Osei")
    both.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    both.world.pagerduty.reassign(made.id, "Mei Tanaka", "Amara Osei")
    both.settle(3)
    both.world.pagerduty.resolve(made.id, "Amara Osei")
    both.settle(14)
    assert changes(both) == 0
    nothing_more_is_written(both)


def test_an_edit_of_ours_whose_answer_was_lost_does_not_travel_back(both: Rig) -> None:
    made = trigger(both)
    both.world.faults.add(faults.lose_answer(), service="jira", method="PUT", path="/issue/", times=1)
    both.world.pagerduty.set_title(made.id, "Latency high", "Amara Osei")
    both.world.pagerduty.set_title(made.id, "Latency high", "Amara Osei")
    both.settle(1)
    both.world.pagerduty.set_title(made.id, "Latency", "Amara Osei")
    both.settle(4)
    assert changes(both) == 0
    assert incident_of(both, made)["title"] == "Latency"


def test_a_change_in_pagerduty_at_the_same_time_stands(both: Rig) -> None:
    made = trigger(both)
    both.world.jira.transition("OPS-1", "In Progress", WHO)
    both.world.pagerduty.resolve(made.id, "Amara Osei")
    both.settle(14)
    assert incident_of(both, made)["status"] == "resolved"
    assert changes(both) == 0
    assert told(both, "so syncd did not change it") == 1
    nothing_more_is_written(both)


def test_a_change_in_pagerduty_that_no_poll_has_shown_yet_is_seen_before_the_write(
    both: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trigger(both)
    render = ChangeIncidentKind.render

    def meanwhile(self: ChangeIncidentKind, context: Any, operation: Any, basis: Any) -> Any:
        if incident_of(both, made)["status"] != "resolved":
            both.world.pagerduty.resolve(made.id, "Amara Osei")
        return render(self, context, operation, basis)

    monkeypatch.setattr(ChangeIncidentKind, "render", meanwhile)
    both.world.jira.transition("OPS-1", "In Progress", WHO)
    both.settle(14)
    assert (incident_of(both, made)["status"], changes(both)) == ("resolved", 0)
    assert told(both, "so syncd did not change it") == 1


@pytest.mark.parametrize("named", ["already", "lost", "updated", "down"])
def test_a_write_that_fails_or_is_lost_ends_with_one_acknowledgement(both: Rig, named: str) -> None:
    made = trigger(both)
    strike = {
        "already": faults.error(
            400, body={"error": {"message": "Incident Already Acknowledged", "code": 1002}}
        ),
        "lost": faults.lose_answer(),
        "updated": faults.error(400, body={"error": {"message": "Incident Updated", "code": 1005}}),
        "down": faults.error(503),
    }[named]
    both.world.faults.add(strike, service="pagerduty", method="PUT", path="/incidents/", times=1)
    both.world.jira.transition("OPS-1", "In Progress", WHO)
    both.settle(6)
    expected = "triggered" if named == "already" else "acknowledged"
    assert incident_of(both, made)["status"] == expected
    assert status(both) == "In Progress"
    nothing_more_is_written(both)


def test_one_status_for_two_states_carries_no_move_and_says_so_once(make_rig: Any) -> None:
    jira = {"project": "OPS", "statuses": {"resolved": "In Progress"}}
    rig: Rig = make_rig(mappings=(mapping(two_way=ALL, jira=jira),))
    rig.cycle()
    made = trigger(rig)
    for to in ("In Progress", "To Do", "In Progress"):
        rig.world.jira.transition("OPS-1", to, WHO)
        rig.settle(2)
    assert (incident_of(rig, made)["status"], changes(rig)) == ("triggered", 0)
    assert told(rig, "stands for two states") == 1
    nothing_more_is_written(rig)


def test_somebody_whom_pagerduty_does_not_know_is_left_and_said(both: Rig) -> None:
    made = trigger(both)
    before = incident_of(both, made)["assignments"]
    both.world.jira.assign("OPS-1", "Jonas Lindqvist", WHO)
    both.settle(3)
    now = [assignment["assignee"]["id"] for assignment in incident_of(both, made)["assignments"]]
    assert now == [change["assignee"]["id"] for change in before]
    assert told(both, "syncd did not carry this change to PagerDuty") == 1
    nothing_more_is_written(both)


def test_two_robots_that_undo_each_other_are_a_conflict(both: Rig) -> None:
    made = trigger(both)
    for _ in range(5):
        if incident_of(both, made)["title"] == "Latency":
            both.world.jira.edit("OPS-1", WHO, summary="The bank is slow")
            both.settle(2)
        if incident_of(both, made)["title"] != "Latency":
            both.world.pagerduty.set_title(made.id, "Latency", "Amara Osei")
            both.settle(2)
    assert [event["aspect"] for event in events(both)] == ["summary"]
    assert changes(both) == 3
    nothing_more_is_written(both)


def test_the_title_of_a_restricted_incident_does_not_travel(make_rig: Any) -> None:
    rules = mapping(two_way=ALL, restricted={"titles": ["breach"], "project": "SEC"}, services=SERVICES)
    rig: Rig = make_rig(mappings=(rules,))
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Data breach", priority="P3")
    rig.settle(3)
    keys = [issue.key for issue in rig.world.jira.site.issues.values()]
    for key in keys:
        rig.world.jira.edit(key, WHO, summary="Another title")
    rig.settle(3)
    assert incident_of(rig, made)["title"] == "Data breach"
    assert not [row for row in rig.operations() if row.kind == Kind.CHANGE_INCIDENT]


def test_a_mass_of_moved_tickets_is_held(both: Rig) -> None:
    for number in range(27):
        both.world.pagerduty.trigger("Alipay Integration", f"Latency {number}", priority="P3")
    both.settle(4)
    for number in range(27):
        both.world.jira.transition(f"OPS-{number + 1}", "In Progress", WHO)
    both.settle(3)
    assert changes(both) == 0
    held = [row for row in both.operations("held") if row.kind == Kind.CHANGE_INCIDENT]
    assert len(held) == 27
