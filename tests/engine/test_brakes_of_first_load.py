"""The brake of a first load: a new ledger that would make many tickets writes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rig import Rig, mapping

from engine.cast import ask, issues, kinds_of_events, nothing_more_is_written, standing
from engine.test_brakes import MakeRig, brake_early, storm
from syncd.engine.runtime.brakes import print_of
from syncd.ledger.requests import answers
from syncd.sandbox import faults


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    brake_early(monkeypatch)


HOUR = timedelta(hours=1)


def old(rig: Rig, count: int) -> list[str]:
    """So many open incidents that began before the first start of the ledger."""
    return storm(rig, count, at=rig.began - HOUR)


def test_a_new_ledger_that_would_make_many_tickets_writes_nothing_and_shows_what_waits(
    make_rig: MakeRig,
) -> None:
    rig = make_rig()
    old(rig, 6)
    rig.settle(4)
    assert rig.writes() == 0
    told = standing(rig)["first_load"]
    assert (told["state"], told["counts"]) == ("held", {"create_ticket": 6, "link_note": 6})
    assert kinds_of_events(rig).count("first_load.held") == 1


def test_it_stays_up_and_goes_on_reading_while_it_is_held(make_rig: MakeRig) -> None:
    rig = make_rig()
    old(rig, 6)
    rig.settle(2)
    late = rig.world.pagerduty.trigger("BluBank Integration", "Later", at=rig.began - HOUR)
    assert rig.cycle().good
    assert late.id in [incident["id"] for incident in standing(rig)["incidents"]]
    assert rig.writes() == 0


def test_it_goes_on_after_an_acceptance_which_is_on_record(make_rig: MakeRig) -> None:
    rig = make_rig()
    incidents = old(rig, 7)
    rig.settle(3)
    assert ask(rig, "accept") == ["accepted: 7 create_ticket, 7 link_note"]
    rig.settle(3)
    assert sorted(issue["properties"]["syncd"]["incident"] for issue in issues(rig)) == sorted(incidents)
    assert standing(rig)["first_load"]["state"] == "passed"
    assert "first_load.accepted" in kinds_of_events(rig)
    nothing_more_is_written(rig)


def test_the_hold_survives_a_restart_and_so_does_the_acceptance(make_rig: MakeRig) -> None:
    rig = make_rig()
    old(rig, 7)
    rig.settle(2)
    rig.restart()
    rig.settle(3)
    assert rig.writes() == 0
    answers.ask(rig.ledger, "accept", {}, "ana")
    answers.serve(rig.ledger, rig.clock, print_of)
    rig.restart()
    rig.settle(3)
    assert len(issues(rig)) == 7
    nothing_more_is_written(rig)


def test_few_tickets_are_made_unasked_in_the_first_cycle(make_rig: MakeRig) -> None:
    rig = make_rig()
    old(rig, 5)
    rig.cycle()
    assert len(issues(rig)) == 5


def test_a_ledger_that_is_past_its_first_load_is_never_held_for_it_again(house: Rig) -> None:
    storm(house, 8)
    house.settle(3)
    assert len(issues(house)) == 8


def test_nothing_leaves_before_both_services_were_read(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.world.faults.add(faults.error(500), service="jira", path=r"/search/jql$", times=2)
    old(rig, 7)
    rig.cycle()
    assert (rig.writes(), standing(rig)["first_load"]["state"]) == (0, "counting")
    rig.settle(14)
    assert (rig.writes(), standing(rig)["first_load"]["state"]) == (0, "held")


def test_what_could_not_be_decided_on_yet_counts_as_if_it_wanted_a_ticket(make_rig: MakeRig) -> None:
    rig = make_rig()
    old(rig, 7)
    rule = rig.world.faults.add(
        faults.error(500), service="jira", path=r"/user/assignable", times=None, probability=0.9
    )
    rig.cycle()
    assert rig.writes() == 0
    rig.world.faults.remove(rule.id)
    rig.settle(14)
    assert (rig.writes(), standing(rig)["first_load"]["state"]) == (0, "held")


def test_what_was_over_before_the_rules_counts_for_nothing(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mapping(enforce_from="2027-01-01"),))
    for incident in storm(rig, 7):
        rig.world.pagerduty.resolve(incident)
    rig.world.pagerduty.trigger("Alipay Integration", "Open")
    rig.settle(3)
    assert len(issues(rig)) == 1


def test_an_acceptance_of_nothing_says_so(house: Rig) -> None:
    assert ask(house, "accept") == ["nothing waits to be accepted"]
