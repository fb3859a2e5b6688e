"""Budgets near zero: only what can wait waits, nothing else waits with it, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rig import Rig, RigClock

from engine.cast import nothing_more_is_written
from engine.mail_rig import CTO, MakeRig, letters, mailing, recipients
from engine.test_bulk import each_has_one_ticket, storm
from syncd.engine.act.attempts import Later
from syncd.engine.work_queue import WorkQueue
from syncd.sandbox import dump, faults
from syncd.sandbox.cast import START
from syncd.sandbox.clock import SandboxClock


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(),), mail=True)
    # the reads of the start have left PagerDuty's minute
    made.settle(4)
    return made


def refusals(rig: Rig, service: str = "pagerduty") -> int:
    return sum(1 for line in rig.world.journal.lines(service=service) if line.status == 429)


def notes(rig: Rig, incident: str) -> list[str]:
    (told,) = [
        each_incident
        for each_incident in dump.whole(rig.world)["pagerduty"]["incidents"]
        if each_incident["id"] == incident
    ]
    return [note["content"] for note in told.get("notes", [])]


def each_has_one_note(rig: Rig, incidents: list[str]) -> None:
    assert [len(notes(rig, incident)) for incident in incidents] == [1] * len(incidents)


def sev0_is_told_at_once(rig: Rig) -> str:
    """A P1 gets its ticket and its notice in the very next cycle, without time passing meanwhile."""
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Callbacks time out", priority="P1").id
    before, told = rig.clock.boottime(), len(letters(rig))
    result = rig.cycle(1.0)
    assert result.good
    assert rig.clock.boottime() - before < 10
    assert CTO in [recipient for letter in letters(rig)[told:] for recipient in letter.recipients]
    assert any(
        operation.kind == "create_ticket" and operation.incident_id == incident
        for operation in rig.operations("done")
    )
    return incident


def test_urgent_incidents_get_a_worker_before_all_others() -> None:
    order: list[str] = []

    def work(incident: str) -> Later:
        order.append(incident)
        if incident == "P3-0":
            work_queue.submit(["P3-2", "P1-1"])
        return Later()

    def ranks(incidents: Sequence[str]) -> dict[str, int]:
        return {incident: int(incident[1]) for incident in incidents}

    work_queue = WorkQueue(work, RigClock(SandboxClock(START)), ranks=ranks)
    work_queue.submit(["P3-0", "P3-1", "P3-2"])
    work_queue.submit(["P3-1", "P1-0"])
    work_queue.drain()
    assert order == ["P1-0", "P3-0", "P1-1", "P3-1", "P3-2"]
    assert work_queue.idle()


def test_after_a_storm_a_grave_incident_has_ticket_and_notice_within_seconds(post: Rig) -> None:
    post.world.pagerduty.account.options.requests_a_minute = 40
    incidents = storm(post, 25, priority="P3")
    post.cycle()
    each_has_one_ticket(post, incidents)
    # the link notes have used up what is theirs of PagerDuty's minute
    assert post.operations("pending")
    incidents.append(sev0_is_told_at_once(post))
    assert refusals(post) == 0
    post.settle(8)
    each_has_one_ticket(post, incidents)
    each_has_one_note(post, incidents)
    assert refusals(post) == 0
    nothing_more_is_written(post)


def test_a_note_without_budget_makes_nobody_wait_and_leaves_after_the_reset(post: Rig) -> None:
    options = post.world.pagerduty.account.options
    options.requests_a_minute = 16
    for _ in range(3):
        post.cycle(1.0)
    incidents = [sev0_is_told_at_once(post)]
    waiting = post.operations("pending")
    assert [operation.kind for operation in waiting if operation.target == "pagerduty"] == ["link_note"]
    assert not post.context.health.down()
    post.cycle(61.0)
    each_has_one_note(post, incidents)
    post.settle(3)
    each_has_one_ticket(post, incidents)
    each_has_one_note(post, incidents)


@pytest.mark.parametrize("reset", ["3600", "inf", "nan", "-1", "soon"])
def test_an_absurd_reset_delays_a_note_by_a_minute_and_nothing_else(post: Rig, reset: str) -> None:
    options = post.world.pagerduty.account.options
    options.requests_a_minute, options.told_reset = 16, reset
    for _ in range(3):
        post.cycle(1.0)
    incidents = [sev0_is_told_at_once(post)]
    assert not notes(post, incidents[0])
    options.requests_a_minute = 960
    post.settle(3)
    each_has_one_ticket(post, incidents)
    each_has_one_note(post, incidents)


@pytest.mark.parametrize(
    "strike", [faults.pagerduty_429(3600), faults.bare_429()], ids=["for an hour", "without a time"]
)
def test_a_lasting_429_is_asked_about_once_a_minute_said_once_and_over_when_it_is_over(
    post: Rig, strike: faults.Strike, log: list[str]
) -> None:
    rule = post.world.faults.add(strike, service="pagerduty", times=None)
    incident = post.world.pagerduty.trigger("Alipay Integration", "Callbacks time out", priority="P1").id
    post.settle(20)
    assert 5 <= refusals(post) <= 14
    assert not post.context.health.down()
    assert len([line for line in log if "PagerDuty limits our requests since" in line]) == 1
    assert len(post.context.transport.budget.lasting()) == 1
    post.world.faults.remove(rule.id)
    post.settle(4)
    assert recipients(post).count(CTO) == 1
    each_has_one_ticket(post, [incident])
    each_has_one_note(post, [incident])
    assert post.context.transport.budget.lasting() == []
    assert len([line for line in log if "PagerDuty no longer limits our requests" in line]) == 1
    nothing_more_is_written(post)


def test_an_endpoint_that_jira_limits_holds_back_its_own_writes_alone(post: Rig) -> None:
    incident = post.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3").id
    post.settle(2)
    strike = faults.jira_429(600, "jira-burst-based")
    rule = post.world.faults.add(strike, service="jira", path="/transitions$", method="POST", times=None)
    post.world.pagerduty.acknowledge(incident, "Amara Osei")
    post.settle(2)
    incidents = [incident, sev0_is_told_at_once(post)]
    post.settle(8)
    assert 2 <= refusals(post, "jira") <= 7
    post.world.faults.remove(rule.id)
    post.settle(4)
    each_has_one_ticket(post, incidents)
    assert not post.operations("pending", "parked", "unknown")
    nothing_more_is_written(post)
