"""Changed rules hold for incidents resolved after the change was loaded; a change of mode holds at once."""

from __future__ import annotations

from typing import Any

from rig import Rig, mapping

from engine.cast import nothing_more_is_written
from engine.mail_rig import MakeRig
from syncd.domain.mapping.mapping import Mapping
from syncd.ledger.store.loaded_rules import changed_rules, modes_switched, values_before
from syncd.ledger.store.postmortems import duties_of
from syncd.sandbox import dump, faults

ENFORCED = {"mode": "enforce", "after_minutes": 0}
DAY = 24 * 3600.0


def rules(version: str, **changes: Any) -> Mapping:
    return mapping(version=version, **changes)


def severities(**owes: bool) -> dict[str, dict[str, Any]]:
    """SEV0 to SEV3 by priority; of those named whether they owe a postmortem."""
    ranks = {"SEV0": "P1", "SEV1": "P2", "SEV2": "P3", "SEV3": "P4"}
    return {name: {"pagerduty": rank, "postmortem": owes.get(name, False)} for name, rank in ranks.items()}


def lived(rig: Rig, priority: str) -> str:
    """An incident that was triggered, acknowledged and resolved, and is at rest."""
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority=priority)
    rig.settle(2)
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.cycle(900)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(3, 60)
    return made.id


def change(rig: Rig, new: Mapping) -> None:
    """Other rules are loaded, and everything is decided on."""
    rig.mappings = (new,)
    rig.restart()
    rig.settle(4, 60)


def with_postmortem(rig: Rig) -> set[str]:
    """The incidents for which Jira holds a postmortem."""
    marks = [issue["properties"].get("syncd") or {} for issue in dump.whole(rig.world)["jira"]["issues"]]
    return {str(mark["incident"]) for mark in marks if mark.get("kind") == "create_postmortem"}


def owing(rig: Rig, incident: str) -> int:
    """How many duties of its postmortem an incident has on record."""
    with rig.ledger.read() as session:
        return sum(duty.subject == incident for duty in duties_of(session, incident))


def comments(rig: Rig) -> list[str]:
    """The comments on all issues."""
    return [
        comment["body"] for issue in dump.whole(rig.world)["jira"]["issues"] for comment in issue["comments"]
    ]


def statuses(rig: Rig) -> set[str]:
    """The statuses of all tickets."""
    issues = dump.whole(rig.world)["jira"]["issues"]
    marks = [(issue["properties"].get("syncd") or {}, issue["fields"]["status"]["name"]) for issue in issues]
    return {status for mark, status in marks if mark.get("kind") == "create_ticket"}


def test_what_waited_in_report_is_done_when_the_mode_is_enforce(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1"),))
    rig.settle(2)
    before = lived(rig, "P3")
    assert (owing(rig, before), with_postmortem(rig)) == (2, set())
    change(rig, rules("2", postmortem=ENFORCED))
    assert with_postmortem(rig) == {before}
    nothing_more_is_written(rig)


def test_tickets_that_report_left_open_close_when_closing_is_enforced(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", severities=severities(), closing={"mode": "report"}),))
    rig.settle(2)
    lived(rig, "P4")
    assert statuses(rig) == {"In Review"}
    change(rig, rules("2", severities=severities(), closing={"mode": "enforce"}))
    assert statuses(rig) == {"Done"}
    nothing_more_is_written(rig)


def test_switched_on_it_makes_postmortems_only_for_what_is_resolved_afterwards(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem={"mode": "off"}),))
    rig.settle(2)
    before = lived(rig, "P3")
    assert owing(rig, before) == 0
    change(rig, rules("2", postmortem=ENFORCED))
    after = lived(rig, "P3")
    assert with_postmortem(rig) == {after}
    nothing_more_is_written(rig)


def test_a_severity_that_newly_owes_one_owes_none_for_what_was_over(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED, severities=severities(SEV2=True)),))
    rig.settle(2)
    before = lived(rig, "P4")
    change(rig, rules("2", postmortem=ENFORCED, severities=severities(SEV2=True, SEV3=True)))
    after = lived(rig, "P4")
    assert (owing(rig, before), owing(rig, after)) == (0, 2)
    assert with_postmortem(rig) == {after}


def test_what_owed_one_when_it_was_resolved_goes_on_owing_it(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED, severities=severities(SEV2=True)),))
    rig.settle(2)
    before = lived(rig, "P3")
    change(rig, rules("2", postmortem=ENFORCED, severities=severities(SEV1=True)))
    after = lived(rig, "P3")
    assert with_postmortem(rig) == {before}
    assert (owing(rig, before), owing(rig, after)) == (2, 0)
    with rig.ledger.read() as session:
        assert {duty.state for duty in duties_of(session, before)} <= {"pending", "due_soon"}


def test_another_address_in_the_mapping_voids_no_duty_of_what_came_in_meanwhile(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED),))
    rig.settle(2)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    rig.settle(2)
    rig.stop()
    rig.world.advance(1200)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.world.advance(1200)
    rig.mappings = (rules("2", postmortem=ENFORCED, people={"fallback": "mei.tanaka@qrpay.example"}),)
    rig.start()
    rig.settle(4, 60)
    assert with_postmortem(rig) == {made.id}


def test_an_incident_that_was_reopened_follows_the_rules_of_its_next_resolve(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1"),))
    rig.settle(2)
    made = lived(rig, "P3")
    change(rig, rules("2", postmortem=ENFORCED))
    rig.world.pagerduty.reopen(made, "Amara Osei")
    rig.world.pagerduty.acknowledge(made, "Tomasz Wójcik")
    rig.cycle(3600)
    rig.world.pagerduty.resolve(made, "Amara Osei")
    rig.settle(3, 60)
    assert with_postmortem(rig) == {made}


def test_of_several_changes_the_value_at_the_resolve_holds(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem={"schedule_hours": 48}),))
    rig.settle(2)
    first = rig.clock.now()
    for version, hours in (("2", 24), ("3", 12)):
        change(rig, rules(version, postmortem={"schedule_hours": hours}))
    second = rig.clock.now()
    change(rig, rules("4", postmortem={"schedule_hours": 6}))
    change(rig, rules("5", postmortem={"schedule_hours": 6}, mails={"mode": "enforce"}))
    with rig.ledger.read() as session:
        changed = changed_rules(session, "QRPay")
    assert list(modes_switched(changed)) == ["mails"]
    assert values_before(changed, first)["postmortem.schedule_hours"] == "48.0"
    assert values_before(changed, second)["postmortem.schedule_hours"] == "12.0"
    assert values_before(changed, rig.clock.now()) == {}


def test_a_short_reopening_changes_no_rules_of_what_was_over_long_ago(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED, severities=severities(SEV2=True)),))
    rig.settle(2)
    made = lived(rig, "P4")
    change(rig, rules("2", postmortem=ENFORCED, severities=severities(SEV2=True, SEV3=True)))
    rig.world.advance(20 * DAY)
    rig.settle(2)
    rig.world.pagerduty.reopen(made, "Amara Osei")
    rig.world.pagerduty.acknowledge(made, "Tomasz Wójcik")
    rig.settle(2, 60)
    assert owing(rig, made) == 0
    rig.cycle(600)
    rig.world.pagerduty.resolve(made, "Amara Osei")
    rig.settle(4, 60)
    # it was resolved before the change, and the deadline of that resolve is over
    assert (owing(rig, made), with_postmortem(rig)) == (0, set())


def test_a_reopening_that_lasts_leaves_the_earlier_resolve_under_its_own_rules(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED, severities=severities(SEV2=True)),))
    rig.settle(2)
    made = lived(rig, "P4")
    change(rig, rules("2", postmortem=ENFORCED, severities=severities(SEV2=True, SEV3=True)))
    rig.world.advance(20 * DAY)
    rig.settle(2)
    rig.world.pagerduty.reopen(made, "Amara Osei")
    rig.world.pagerduty.acknowledge(made, "Tomasz Wójcik")
    rig.settle(2, 60)
    rig.cycle(3600)
    assert owing(rig, made) == 0
    rig.world.pagerduty.resolve(made, "Amara Osei")
    rig.settle(4, 60)
    with rig.ledger.read() as session:
        states = [str(duty.state) for duty in duties_of(session, made) if duty.subject == made]
    assert states == ["pending", "pending"]


def test_a_reopening_says_nothing_of_what_was_missed_while_the_mode_was_report(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1"),))
    rig.settle(2)
    made = lived(rig, "P3")
    rig.world.advance(3 * DAY)
    rig.settle(3, 60)
    change(rig, rules("2", postmortem=ENFORCED))
    assert (with_postmortem(rig), comments(rig)) == ({made}, [])
    rig.world.pagerduty.reopen(made, "Amara Osei")
    rig.settle(4, 60)
    assert comments(rig) == []


def test_a_postmortem_that_waits_is_made_by_the_rules_at_the_resolve(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(rules("1", postmortem=ENFORCED, severities=severities(SEV2=True)),))
    rig.settle(2)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    rig.settle(2)
    refuse = faults.error(429)
    rule = rig.world.faults.add(refuse, service="jira", method="POST", path="/issue$", times=None)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(3, 60)
    assert "create_postmortem" in [row.kind for row in rig.operations("pending")]
    change(rig, rules("2", postmortem=ENFORCED, severities=severities()))
    rig.world.faults.remove(rule.id)
    rig.settle(6, 300)
    assert with_postmortem(rig) == {made.id}
    nothing_more_is_written(rig)
