"""Restricted tickets where no security level can be set: stubs, and a project of their own."""

from __future__ import annotations

from typing import Any

from engine.cast import issue_of, nothing_more_is_written, status
from engine.restricted_cast import (
    CANARY,
    events,
    hidden,
    left,
    secured,
    with_level,
    without_level,
)
from syncd.sandbox import faults


def test_a_stub_whose_level_jira_takes_and_does_not_set_gets_no_text(careful: Any) -> None:
    rig = careful(without_level)
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(3)
    rig.world.faults.add(faults.ignore("security"), service="jira", method="PUT", times=None)
    with_level(rig)
    assert (secured(rig), CANARY in str(issue_of(rig))) == (None, False)
    assert [row.kind for row in rig.operations("parked") if row.aspect == "security"] == ["edit_ticket"]
    hidden(rig)


def test_without_a_level_the_ticket_is_a_stub_and_stays_one(careful: Any) -> None:
    rig = careful(without_level)
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(3)
    fields = issue_of(rig)["fields"]
    assert fields["summary"] == f"Security incident #{made.number}"
    assert made.id in fields["description"] and CANARY not in str(issue_of(rig))
    assert fields["description"].count("\n") == 0
    assert set(fields["labels"]) == {"syncd", f"pd-{made.id}"}
    assert (fields["components"], fields["assignee"]) == ([], None)
    rig.world.pagerduty.set_title(made.id, f"PII elsewhere {CANARY}", "Amara Osei")
    rig.world.pagerduty.note(made.id, f"see {CANARY}", "Amara Osei")
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(4)
    assert CANARY not in str(issue_of(rig))
    assert status(rig) == "In Progress"
    (told,) = events(rig, "restricted.untold")
    assert "stub" in told and CANARY not in told
    hidden(rig)
    nothing_more_is_written(rig)


def test_a_stub_gets_its_level_and_then_its_text_once_the_level_can_be_set(careful: Any) -> None:
    rig = careful(without_level)
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(3)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(12)
    rig.loop.slow()
    nothing_more_is_written(rig)
    with_level(rig)
    fields = issue_of(rig)["fields"]
    assert (fields["summary"], secured(rig)) == (f"PII {CANARY}", "Security incident")
    assert CANARY in fields["description"]
    assert fields["components"][0]["name"] == "Alipay Integration"
    kinds = [row.kind for row in rig.operations("done") if row.id in left(rig)]
    assert kinds.index("fill_restricted_stub") > [row.aspect for row in rig.operations("done")].index(
        "security"
    )
    nothing_more_is_written(rig)
    rig.loop.slow()
    nothing_more_is_written(rig)
    rig.stop()
    hidden(rig)
    rig.start()


def test_what_a_person_wrote_on_a_stub_stays_and_it_gets_the_level_alone(careful: Any) -> None:
    rig = careful(without_level)
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(3)
    rig.world.jira.edit("OPS-1", "Ines Carvalho", description="What we know so far")
    with_level(rig)
    fields = issue_of(rig)["fields"]
    assert (fields["description"], secured(rig)) == ("What we know so far", "Security incident")
    assert CANARY not in str(issue_of(rig))
    nothing_more_is_written(rig)
    hidden(rig)


def test_a_level_that_jira_refuses_in_the_create_makes_a_stub(careful: Any) -> None:
    rig = careful()
    without_level(rig.world)
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.settle(3)
    assert issue_of(rig)["fields"]["summary"] == f"Security incident #{made.number}"
    assert CANARY not in str(issue_of(rig))
    assert len(rig.world.jira.site.issues) == 1
    assert len(events(rig, "restricted.untold")) == 1
    hidden(rig)
    nothing_more_is_written(rig)


def test_without_a_level_the_project_for_restricted_tickets_is_used_with_the_whole_text(careful: Any) -> None:
    def with_project(world: Any) -> None:
        from dataclasses import replace

        without_level(world)
        site = world.jira.site
        ops = site.project("OPS")
        site.projects["10209"] = replace(ops, id="10209", key="SEC", name="Security", levels=[], denied=set())

    rig = careful(with_project, project="SEC")
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(3)
    (issue,) = rig.world.jira.site.issues.values()
    assert issue.key == "SEC-1"
    from syncd.sandbox import dump

    (shown,) = dump.whole(rig.world)["jira"]["issues"]
    assert shown["fields"]["summary"] == f"PII {CANARY}"
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(3)
    (shown,) = dump.whole(rig.world)["jira"]["issues"]
    assert shown["fields"]["status"]["name"] == "In Progress"
    hidden(rig)
    nothing_more_is_written(rig)


def test_a_project_for_restricted_tickets_that_is_not_there_leaves_a_stub(careful: Any) -> None:
    rig = careful(without_level, project="NOWHERE")
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.settle(3)
    assert issue_of(rig)["fields"]["summary"] == f"Security incident #{made.number}"
    nothing_more_is_written(rig)
