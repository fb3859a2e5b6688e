"""Parked operations: only what needs them waits, a day at most where it can, and a retry renders anew."""

from __future__ import annotations

import pytest
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, ours, status
from engine.mail_rig import MakeRig
from engine.test_sweep import DAY, double, sweep, sweeping
from syncd.ledger.requests.answers import ask
from syncd.policy.marks import mark_in
from syncd.sandbox import faults
from syncd.sandbox.jira.model import SecurityLevel

REFUSAL = faults.error(400, body={"errorMessages": ["Linking is switched off."], "errors": {}})


def retry(rig: Rig) -> None:
    ask(rig.ledger, "outbox.retry", {"ids": []}, "operator")


def test_after_the_mapping_was_mended_a_retry_renders_anew_and_finishes(house: Rig) -> None:
    words = {"summary": "Write [QRPay] first."}
    refusal = faults.error(400, body={"errorMessages": [], "errors": words})
    mended = r'"labels": \[(?!.*"payments").*\]'
    rule = house.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue$", body=mended, times=None
    )
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.world.pagerduty.note(made.id, "on it", "Amara Osei")
    house.settle(3)
    assert [row.kind for row in house.operations("parked")] == ["create_ticket"]
    before = house.operations("parked")[0].rendered
    retry(house)
    house.settle(2)
    assert [row.kind for row in house.operations("parked")] == ["create_ticket"]
    house.mappings = (mapping(jira={"project": "OPS", "labels": ["payments"]}, version="mended"),)
    house.restart()
    retry(house)
    house.settle(4)
    assert not house.operations("parked", "pending")
    (ticket,) = ours(house)
    assert "payments" in ticket["fields"]["labels"]
    assert house.operations("done")[0].rendered != before
    assert sum("on it" in comment["body"] for comment in issue_of(house)["comments"]) == 1
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    house.world.faults.remove(rule.id)
    nothing_more_is_written(house)


def test_a_poisoned_incident_holds_back_only_what_needs_it(house: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Cursed."}})
    house.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", body="Cursed", times=None)
    cursed = house.world.pagerduty.trigger("Alipay Integration", "Cursed", priority="P4")
    target = house.world.pagerduty.trigger("Alipay Integration", "Cause", priority="P4")
    house.settle(2)
    house.world.pagerduty.merge(target.id, [cursed.id], "Amara Osei")
    house.world.pagerduty.note(target.id, "merged", "Amara Osei")
    house.world.pagerduty.resolve(target.id, "Amara Osei")
    house.settle(16)
    waiting = {row.kind for row in house.operations("parked", "pending")}
    assert waiting == {"create_ticket", "link_note", "link_tickets"}
    (ticket,) = ours(house)
    number = int(ticket["key"].rpartition("-")[2])
    assert status(house, number) == "Done"
    assert sum("merged" in comment["body"] for comment in issue_of(house, number)["comments"]) == 1


def test_what_is_parked_longer_than_a_day_goes_on_without_it_where_it_can(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    double(house)
    house.world.advance(60)
    house.world.faults.add(REFUSAL, service="jira", path=r"/issueLink$", times=None)
    sweep(house)
    house.settle(4)
    assert ("link_duplicate", "parked") in sweeping(house)
    assert ("close_duplicate", "pending") in sweeping(house)
    house.world.advance(DAY)
    house.loop.slow()
    house.loop.work_queue.drain()
    house.settle(2)
    assert ("link_duplicate", "parked") in sweeping(house)
    assert ("close_duplicate", "done") in sweeping(house)
    assert (status(house, 1), status(house, 2)) == ("To Do", "Done")


def test_a_parked_create_is_waited_for_however_long_it_takes(house: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Cursed."}})
    rule = house.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=None)
    made = house.world.pagerduty.trigger("Alipay Integration", "Cursed", priority="P4")
    house.settle(2)
    house.world.advance(3 * DAY)
    house.loop.slow()
    house.settle(2)
    assert {row.kind for row in house.operations("pending")} == {"link_note"}
    house.world.faults.remove(rule.id)
    retry(house)
    house.settle(3)
    assert len(ours(house)) == 1
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1


def hide(rig: Rig) -> None:
    """A person puts the ticket under a security level that our account is not in."""
    site = rig.world.jira.site
    project = site.project("OPS")
    assert project is not None
    project.levels.append(SecurityLevel("10777", "Board only", frozenset({ines(rig)})))
    rig.world.jira.set_security("OPS-1", "Board only", "Ines Carvalho")


def ines(rig: Rig) -> str:
    return rig.world.jira.account_id("Ines Carvalho")


def show_again(rig: Rig) -> None:
    rig.world.jira.set_security("OPS-1", None, "Ines Carvalho")


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_what_was_parked_because_its_ticket_was_hidden_leaves_when_the_ticket_is_back(
    make_rig: MakeRig, edition: str
) -> None:
    rig = make_rig(data_center_edition=edition == "datacenter")
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(3)
    hide(rig)
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.world.pagerduty.note(made.id, "on it", "Amara Osei")
    rig.settle(4)
    assert {row.kind for row in rig.operations("parked")} == {"move_ticket", "mirror_note"}
    show_again(rig)
    rig.settle(3)
    assert rig.operations("parked", "pending") == []
    assert status(rig) == "In Progress"
    assert sum("on it" in comment["body"] for comment in issue_of(rig)["comments"]) == 1
    nothing_more_is_written(rig)
