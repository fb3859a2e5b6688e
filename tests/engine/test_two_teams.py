"""Two teams side by side, each with a mapping and a Jira project of its own, and incidents between them."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping
from sqlmodel import select

from engine.cast import pause, resume
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.engine.runtime.waits import UNMAPPED
from syncd.ledger.store.key_values import set_value
from syncd.ledger.store.tables import TicketRow
from syncd.ledger.views.status import status_data
from syncd.sandbox import dump, presets
from syncd.sandbox.jira.model import Component
from syncd.sandbox.jira.workflow import Status, any_to_any
from syncd.sandbox.world import World

WHO = "Amara Osei"


OWN = (
    Status("20001", "To Do", "new"),
    Status("20002", "In Progress", "indeterminate"),
    Status("20003", "In Review", "indeterminate"),
    Status("20004", "Done", "done"),
)
"""Statuses of the same names as those of OPS, and other ids: a workflow of ENG's own."""


def two_projects(world: World) -> None:
    presets.use_workflow(world.jira.site, "ENG", any_to_any("ENG", OWN))
    project = next(
        each_project for each_project in world.jira.site.projects.values() if each_project.key == "ENG"
    )
    project.components.append(Component("990", "Ordering"))


@pytest.fixture
def two(make_rig: Any) -> Rig:
    """QRPay in OPS and Ramen in ENG, with severities and a workflow of their own."""
    ramen = mapping(
        team="Ramen",
        jira={"project": "ENG"},
        services={"Ordering API": {"component": "Ordering"}, "Dispatch": {}},
        postmortem={"mode": "enforce"},
        severities={
            "Sev-1": {"pagerduty": "P1", "priority": "Highest", "postmortem": True},
            "Sev-3": {"pagerduty": ["P2", "P3", "P4"], "urgency": "low", "priority": "Low"},
        },
        people={"fallback": "samuel.adeyemi@ramen.example"},
    )
    rig: Rig = make_rig(
        mappings=(mapping(), ramen), preset=two_projects, renderer=TicketRenderer(Templates())
    )
    rig.cycle()
    return rig


def issue(rig: Rig, key: str) -> dict[str, Any]:
    issues: list[dict[str, Any]] = dump.whole(rig.world)["jira"]["issues"]
    return next(issue for issue in issues if issue["key"] == key)


def at(rig: Rig, key: str) -> str:
    return str(issue(rig, key)["fields"]["status"]["name"])


def rig_refused(rig: Rig) -> list[str]:
    with rig.ledger.read() as session:
        return [name for row in session.exec(select(TicketRow)).all() for name in row.refused]


def nothing_more_is_written(rig: Rig) -> None:
    rig.settle(2)
    before = rig.writes()
    rig.settle(3)
    assert rig.writes() == before


def test_each_team_s_incident_gets_its_ticket_in_the_team_s_project(two: Rig) -> None:
    two.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    two.world.pagerduty.trigger("Dispatch", "Couriers are late", priority="P2")
    two.settle(2)
    assert "SEV1" in issue(two, "OPS-1")["fields"]["labels"]
    assert "Sev-3" in issue(two, "ENG-1")["fields"]["labels"]
    nothing_more_is_written(two)


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "without labels"])
@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])
def test_a_quiet_cycle_of_two_teams_costs_three_requests(
    make_rig: Any, data_center: bool, labels: bool
) -> None:
    def preset(world: World) -> None:
        two_projects(world)
        if not labels:
            for key in ("OPS", "ENG"):
                presets.without_fields(world.jira.site, key, "labels")

    web = mapping(team="Web", jira={"project": "ENG"}, services={"Dispatch": {}})
    rig: Rig = make_rig(mappings=(mapping(), web), preset=preset, data_center_edition=data_center)
    rig.cycle()
    for service in ("Alipay Integration", "Dispatch"):
        rig.world.pagerduty.trigger(service, "Latency", priority="P2")
    rig.settle(12)
    before = rig.world.journal.total()
    rig.settle(5)
    assert rig.world.journal.total() - before == 15
    assert len(rig.world.jira.site.issues) == 2


def test_what_is_merged_into_another_team_s_incident_is_linked_over_there_and_closed(two: Rig) -> None:
    people = two.world.pagerduty
    source = people.trigger("Alipay Integration", "Symptom", priority="P4")
    target = people.trigger("Ordering API", "Cause", priority="P4")
    two.settle(2)
    people.merge(target.id, [source.id], WHO)
    two.settle(4)
    (link,) = issue(two, "OPS-1")["fields"]["issuelinks"]
    assert (link.get("outwardIssue") or link.get("inwardIssue"))["key"] == "ENG-1"
    assert (at(two, "OPS-1"), at(two, "ENG-1")) == ("Done", "To Do")
    nothing_more_is_written(two)


def test_a_merge_into_another_team_s_incident_that_is_over_leaves_one_link_and_both_closed(two: Rig) -> None:
    people = two.world.pagerduty
    source = people.trigger("Alipay Integration", "Symptom", priority="P4")
    target = people.trigger("Ordering API", "Cause", priority="P4")
    people.merge(target.id, [source.id], WHO)
    people.resolve(target.id, WHO)
    two.settle(16)
    assert len(two.world.jira.site.issues) == 2
    (link,) = issue(two, "OPS-1")["fields"]["issuelinks"]
    assert (link.get("outwardIssue") or link.get("inwardIssue"))["key"] == "ENG-1"
    assert (at(two, "OPS-1"), at(two, "ENG-1")) == ("Done", "Done")
    nothing_more_is_written(two)


def test_what_moves_to_another_team_keeps_its_ticket_and_follows_that_team_s_rules(two: Rig) -> None:
    people = two.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P2")
    two.settle(2)
    assert {"SEV1"} <= set(issue(two, "OPS-1")["fields"]["labels"])
    people.move(made.id, "Ordering API", WHO)
    two.settle(3)
    assert len(two.world.jira.site.issues) == 1
    fields = issue(two, "OPS-1")["fields"]
    assert "Sev-3" in fields["labels"] and "SEV1" not in fields["labels"]
    assert fields["priority"]["name"] == "Low"
    assert rig_refused(two) == []
    people.acknowledge(made.id, WHO)
    two.settle(2)
    assert at(two, "OPS-1") == "In Progress"
    people.resolve(made.id, WHO)
    two.settle(3, 150)
    assert at(two, "OPS-1") == "Done"
    nothing_more_is_written(two)


def test_the_postmortem_of_what_moved_is_made_in_the_project_of_its_team_now(two: Rig) -> None:
    people = two.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P1")
    two.settle(2)
    people.move(made.id, "Ordering API", WHO)
    two.settle(2)
    people.resolve(made.id, WHO)
    two.settle(2)
    two.cycle(2000)
    two.settle(3)
    issues = dump.whole(two.world)["jira"]["issues"]
    (postmortem,) = [
        each_issue for each_issue in issues if each_issue["fields"]["summary"].startswith("Postmortem")
    ]
    assert (postmortem["key"], len(issues)) == ("ENG-1", 2)
    assert two.operations("parked") == []


def test_a_ticket_that_a_person_moves_to_another_project_is_walked_there(make_rig: Any) -> None:
    rig: Rig = make_rig(preset=two_projects)
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    moved = rig.world.jira.move("OPS-1", "ENG", "Ines Carvalho")
    rig.settle(2)
    rig.world.pagerduty.acknowledge(made.id, WHO)
    rig.settle(2)
    # no mapping has that project, so only the slow poll sees where the ticket is now
    rig.loop.slow()
    rig.settle(3)
    assert at(rig, moved.key) == "In Progress"
    nothing_more_is_written(rig)


def test_what_waits_for_a_team_whose_last_mapping_is_lost_says_so_and_leaves_when_it_is_back(
    two: Rig,
) -> None:
    pause(two, "jira")
    two.world.pagerduty.trigger("Ordering API", "Slow", priority="P1")
    two.settle(2)
    both = two.mappings
    two.mappings = both[:1]
    set_value(two.ledger, "last_mapping/Ramen")
    two.restart()
    resume(two, "jira")
    two.settle(2)
    waits = {operation.kind: operation.waits_for for operation in two.operations("pending")}
    assert waits == dict.fromkeys(("create_ticket", "link_note"), UNMAPPED)
    assert [note for note in status_data(two.ledger)["notes"] if "cannot be used, so all waits" in note]
    two.mappings = both
    two.restart()
    two.settle(2)
    assert two.operations("pending") == []
    assert at(two, "ENG-1") == "To Do"
