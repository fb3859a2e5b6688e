"""The brakes: a first load, a mass of writes. What is held stays held, and goes on when a person says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import ask, issue_of, issues, kinds_of_events, nothing_more_is_written, standing
from syncd.engine.runtime.brakes import UpTo
from syncd.ledger.store import first_load, holds
from syncd.sandbox import dump

MakeRig = Callable[..., Rig]


def brake_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brake at a tenth of the numbers of life, which `tests/ledger/test_ledger_holds.py` holds to."""
    monkeypatch.setattr(first_load, "FIRST_LOAD_AT_MOST", 5)
    monkeypatch.setattr(holds, "MASS_AT_MOST", 3)


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    brake_early(monkeypatch)


def storm(rig: Rig, count: int, **more: Any) -> list[str]:
    return [
        rig.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3", **more).id
        for number in range(count)
    ]


def restart_with(rig: Rig, rules: Any) -> None:
    """End the engine and start it with other rules on the same ledger."""
    rig.mappings = (rules,)
    rig.restart()


# The first load


# A mass of writes


URGENT = {
    "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True},
    "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True},
    "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Highest", "postmortem": True},
    "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
}
"""QRPay's severities with another Jira priority for SEV2."""


def priorities(rig: Rig) -> set[str]:
    return {issue["fields"]["priority"]["name"] for issue in issues(rig)}


def calm(rig: Rig, count: int) -> list[str]:
    """So many open incidents with their tickets, and nothing left to do."""
    incidents = storm(rig, count)
    rig.settle(4)
    assert len(issues(rig)) == count
    nothing_more_is_written(rig)
    return incidents


def test_changed_rules_that_would_write_to_many_tickets_are_held(house: Rig) -> None:
    calm(house, 4)
    before = house.writes()
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(4)
    assert house.writes() == before
    assert {row.state for row in house.operations("held")} == {"held"}
    assert standing(house)["held"]["tickets"] == 4
    assert kinds_of_events(house).count("mass.held") == 1


def test_postmortems_follow_ups_and_mails_switched_on_write_nothing_about_what_was_over(
    make_rig: MakeRig,
) -> None:
    off = {"mode": "off"}
    never = mapping(postmortem=off, follow_ups=off, mails=off, enforce_from="2026-11-01")
    rig = make_rig(mappings=(never,), mail=True)
    made = storm(rig, 4)
    rig.settle(3)
    for incident in made:
        rig.world.pagerduty.resolve(incident, "Amara Osei")
    rig.settle(16, 150)
    before = rig.writes()
    enforced = {"mode": "enforce"}
    restart_with(rig, mapping(postmortem=enforced, follow_ups=enforced, mails=enforced, version="on"))
    rig.settle(6)
    rig.settle(3, 24 * 3600)
    assert rig.writes() == before
    assert rig.mail is not None
    assert rig.mail.letters == []
    nothing_more_is_written(rig)


def test_no_postmortem_is_made_for_what_was_over_before_the_rules_began(make_rig: MakeRig) -> None:
    enforced = {"mode": "enforce"}
    later = mapping(
        postmortem=enforced, follow_ups=enforced, mails=enforced, enforce_from="2026-11-17", version="on"
    )
    rig = make_rig(mappings=(later,), mail=True)
    for incident in storm(rig, 4):
        rig.world.pagerduty.resolve(incident, "Amara Osei")
    rig.settle(3, 24 * 3600)
    rig.settle(3)
    assert rig.operations() == []
    assert rig.mail is not None
    assert rig.mail.letters == []
    nothing_more_is_written(rig)


def test_they_go_on_when_they_are_released(house: Rig) -> None:
    calm(house, 4)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    assert ask(house, "outbox.release", ids=[]) == ["released: 4 operations on 4 tickets"]
    house.settle(2)
    assert priorities(house) == {"Highest"}
    assert standing(house)["held"] is None
    nothing_more_is_written(house)


def test_some_of_them_can_be_released_alone(house: Rig) -> None:
    calm(house, 4)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    first = house.operations("held")[0]
    ask(house, "outbox.release", ids=[first.id])
    house.settle(2)
    assert len(house.operations("held")) == 3
    assert standing(house)["held"]["tickets"] == 3
    assert priorities(house) == {"Highest", "Medium"}


def test_they_can_be_dropped_for_good(house: Rig) -> None:
    calm(house, 4)
    before = house.writes()
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    ask(house, "outbox.drop", ids=[], held=True, reason="the mapping was wrong")
    assert (house.operations("held"), standing(house)["held"]) == ([], None)
    restart_with(house, mapping())
    house.settle(3)
    assert house.writes() == before


def test_with_the_old_rules_back_what_was_held_is_no_longer_needed(house: Rig) -> None:
    calm(house, 4)
    before = house.writes()
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    restart_with(house, mapping())
    house.settle(2)
    assert (house.operations("held"), standing(house)["held"], house.writes()) == ([], None, before)
    nothing_more_is_written(house)


def test_a_mass_that_is_held_is_still_held_after_a_restart(house: Rig) -> None:
    calm(house, 4)
    before = house.writes()
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    house.restart()
    house.settle(3)
    assert (house.writes(), len(house.operations("held"))) == (before, 4)


def test_changed_rules_for_a_few_tickets_are_carried_out(house: Rig) -> None:
    calm(house, 3)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    assert priorities(house) == {"Highest"}
    assert house.operations("held") == []
    nothing_more_is_written(house)


def test_many_incidents_that_change_at_once_are_no_mass(house: Rig) -> None:
    incidents = calm(house, 5)
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(2)
    assert {issue["fields"]["status"]["name"] for issue in issues(house)} == {"In Progress"}


def test_many_moves_that_only_time_brings_are_no_mass(house: Rig) -> None:
    incidents = calm(house, 5)
    for incident in incidents:
        house.world.pagerduty.resolve(incident)
    house.cycle()
    assert {issue["fields"]["status"]["name"] for issue in issues(house)} == {"In Review"}
    for incident in incidents:
        house.world.pagerduty.reopen(incident, "Amara Osei")
    house.settle(2)
    assert {issue["fields"]["status"]["name"] for issue in issues(house)} == {"In Review"}
    house.settle(14)
    assert {issue["fields"]["status"]["name"] for issue in issues(house)} == {"To Do"}


def test_many_notes_at_once_are_no_mass(house: Rig) -> None:
    for incident in calm(house, 4):
        house.world.pagerduty.note(incident, "looking", "Amara Osei")
    house.settle(2)
    assert [
        any("looking" in comment["body"] for comment in issue["comments"]) for issue in issues(house)
    ] == [True] * 4
    nothing_more_is_written(house)


def test_our_own_notes_are_no_change_of_an_incident(house: Rig) -> None:
    calm(house, 4)
    for issue in issues(house):
        house.world.jira.comment(issue["key"], "called the bank", by="Ines Carvalho")
    house.cycle()
    before = house.writes()
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    assert (house.writes(), standing(house)["held"]["tickets"]) == (before, 4)


def test_an_incident_that_changes_beside_a_held_mass_is_followed(house: Rig) -> None:
    first, *_others = calm(house, 4)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    house.world.pagerduty.acknowledge(first, "Amara Osei")
    house.settle(2)
    assert [issue["fields"]["status"]["name"] for issue in issues(house)].count("In Progress") == 1
    assert len(house.operations("held")) == 4


def test_an_unchanged_incident_s_ticket_is_written_to_in_the_same_cycle_when_it_is_the_only_one(
    house: Rig,
) -> None:
    calm(house, 1)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.cycle()
    assert issue_of(house)["fields"]["priority"]["name"] == "Highest"


LESS_URGENT = {**URGENT, "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Lowest"}}
"""As `URGENT`, with another Jira priority for SEV3, too."""


def two_of_each(rig: Rig) -> None:
    """Two incidents of SEV2 and two of SEV3, with their tickets, and nothing left to do."""
    calm(rig, 2)
    for number in range(2):
        rig.world.pagerduty.trigger("Alipay Integration", f"Nuisance {number}", priority="P4")
    rig.settle(4, 5)
    nothing_more_is_written(rig)


def reload(rig: Rig, rules: Any) -> None:
    rig.mappings = (rules,)
    rig.swap_rules(rules)
    rig.loop.take_up()
    rig.cycle()


def test_few_writes_and_few_more_within_the_hour_are_many_over_a_restart_too(house: Rig) -> None:
    two_of_each(house)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2, 5)
    house.restart()
    reload(house, mapping(severities=LESS_URGENT, version="changed again"))
    assert standing(house)["held"]["tickets"] == 1
    house.settle(3, 5)
    assert len(house.operations("held")) == 1
    ask(house, "outbox.release", ids=[])
    house.settle(2, 5)
    assert priorities(house) == {"Highest", "Lowest"}
    nothing_more_is_written(house)


def test_few_writes_an_hour_after_few_others_are_carried_out(house: Rig) -> None:
    two_of_each(house)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.settle(2)
    house.settle(2, 1800)
    reload(house, mapping(severities=LESS_URGENT, version="changed again"))
    house.settle(2)
    assert priorities(house) == {"Highest", "Lowest"}


def test_what_people_do_in_jira_one_by_one_is_followed_however_much_it_is(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mapping(two_way={"title": True}),))
    rig.cycle()
    calm(rig, 5)
    for issue in issues(rig):
        rig.world.jira.edit(issue["key"], "Ines Carvalho", summary=f"{issue['key']} by hand")
        rig.settle(2)
    incidents = dump.whole(rig.world)["pagerduty"]["incidents"]
    assert sorted(incident["title"] for incident in incidents) == [
        f"OPS-{number} by hand" for number in range(1, 6)
    ]


def test_a_mass_that_was_overtaken_does_not_hold_what_is_decided_later(house: Rig) -> None:
    two_of_each(house)
    calm_ids = [each_incident["id"] for each_incident in standing(house)["incidents"]]
    house.settle(2)
    everything = {name: {**rules, "priority": "Lowest"} for name, rules in URGENT.items()}
    restart_with(house, mapping(severities=everything, version="changed"))
    house.settle(2)
    assert standing(house)["held"]["tickets"] == 4
    for incident in calm_ids:
        house.world.pagerduty.set_priority(incident, "P1", "Amara Osei")
    house.settle(2)
    assert house.operations("held") == []
    house.world.pagerduty.trigger("Alipay Integration", "Nuisance", priority="P4")
    house.settle(4)
    reload(house, mapping(severities={**everything, "SEV3": URGENT["SEV3"]}, version="changed again"))
    house.settle(2)
    assert priorities(house) == {"Lowest", "Low"}


def test_what_is_decided_while_the_others_are_judged_is_not_judged_with_them(house: Rig) -> None:
    calm(house, 1)
    latest = UpTo(holds.latest_operation(house.ledger), 1)
    restart_with(house, mapping(severities=URGENT, version="changed"))
    house.loop.work_queue._on_empty = lambda: None
    # rules follow when both services were read
    house.loop.cycle()
    house.loop.work_queue.drain()
    assert house.context.brakes.judge(latest) == []
    assert [row.state for row in house.operations("held")] == ["held"]
    assert house.context.brakes.to_judge()
