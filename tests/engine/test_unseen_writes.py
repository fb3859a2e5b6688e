"""A service answers a write as done and changes nothing: a success is believed when a read has shown it."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_reading import UnseenWriteRow, rows
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, status, trigger
from engine.mail_rig import MakeRig
from engine.test_conflicts import events, told
from syncd.ledger.requests.answers import ask
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import outbox_data, status_data
from syncd.sandbox import faults

WHO, COLLEAGUE = "Amara Osei", "Ines Carvalho"
EDITIONS = pytest.mark.parametrize("edition", ["cloud", "datacenter"])
BOTH_WAYS = dict.fromkeys(("acknowledge", "resolve", "reopen", "reassign", "priority", "title"), True)


@pytest.fixture
def edition() -> str:
    return "cloud"


@pytest.fixture
def house(make_rig: MakeRig, edition: str) -> Rig:
    rig = make_rig(data_center_edition=edition == "datacenter")
    rig.cycle()
    return rig


@pytest.fixture
def both(make_rig: MakeRig) -> Rig:
    rig = make_rig(mappings=(mapping(two_way=BOTH_WAYS),))
    rig.cycle()
    return rig


def awaited(rig: Rig) -> list[tuple[str, bool]]:
    return [(row.place, row.no_effect) for row in rows(rig.ledger, UnseenWriteRow)]


def requests(rig: Rig, method: str, pattern: str) -> int:
    """How many requests of this form Jira has received."""
    lines = rig.world.journal.lines(service="jira", method=method)
    return sum(line.pattern.endswith(pattern) for line in lines)


def edits(rig: Rig) -> int:
    return requests(rig, "PUT", "/issue/{issue}")


def moves(rig: Rig) -> int:
    return requests(rig, "POST", "/transitions")


def ignore(rig: Rig, *fields: str, times: int | None = None) -> faults.Rule:
    return rig.world.faults.add(faults.ignore(*fields), service="jira", method="PUT", times=times)


def assignee(rig: Rig) -> str | None:
    shown = issue_of(rig)["fields"]["assignee"]
    return shown["displayName"] if shown else None


def waits(rig: Rig, made: Any) -> list[str]:
    incident = incident_named(rig.ledger, made.id)
    assert incident is not None
    return [wait["why"] for wait in show_data(rig.ledger, incident, rig.clock.now())["waits"]]


def retry(rig: Rig) -> None:
    ask(rig.ledger, "outbox.retry", {"ids": []}, "operator")


def parked(rig: Rig) -> list[str | None]:
    return [row.error for row in rig.operations("parked")]


@EDITIONS
def test_a_write_that_the_polls_show_costs_no_read_more(house: Rig) -> None:
    made = trigger(house)
    reads = requests(house, "GET", "/issue/{issue}") if house.world.jira.site.edition == "cloud" else 0
    house.world.pagerduty.set_title(made.id, "Latency high", WHO)
    house.world.pagerduty.acknowledge(made.id, WHO)
    house.settle(6)
    assert awaited(house) == []
    if house.world.jira.site.edition == "cloud":
        assert requests(house, "GET", "/issue/{issue}") == reads


@EDITIONS
def test_an_assignee_that_jira_ignores_is_written_once_more_then_parked_and_shown(house: Rig) -> None:
    made = trigger(house)
    rule = ignore(house, "assignee")
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], WHO)
    house.settle(3)
    assert waits(house, made) == ["no read has shown yet what syncd wrote: assignee"]
    house.settle(11)
    assert (edits(house), waits(house, made)) == (2, [])
    assert parked(house) == ["Jira answered 204 and nothing changed: assignee"]
    assert assignee(house) == "Amara Osei"
    assert events(house, "write.no_effect") == [
        {"fields": ["assignee"], "sends": 1},
        {"fields": ["assignee"], "sends": 2},
    ]
    assert status_data(house.ledger)["outbox"]["parked"] == 1
    (shown,) = outbox_data(house.ledger)["operations"]
    assert (shown["state"], shown["kind"]) == ("parked", "edit_ticket")
    nothing_more_is_written(house)
    house.world.faults.remove(rule.id)
    retry(house)
    house.settle(3)
    assert (assignee(house), parked(house), awaited(house)) == ("Mei Tanaka", [], [])
    assert issue_of(house)["comments"] == [] and events(house) == []
    nothing_more_is_written(house)


@pytest.mark.parametrize("field", ["summary", "priority", "labels", "assignee"])
def test_a_field_that_jira_ignores_once_arrives_by_itself_and_nobody_is_blamed(
    house: Rig, field: str
) -> None:
    made = trigger(house, priority="P4")
    ignore(house, field, times=1)
    house.world.pagerduty.set_title(made.id, "Latency high", WHO)
    house.world.pagerduty.set_priority(made.id, "P1", WHO)
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], WHO)
    house.settle(8)
    fields = issue_of(house)["fields"]
    assert (fields["summary"], fields["priority"]["name"]) == ("Latency high", "Highest")
    assert "SEV0" in fields["labels"] and "SEV3" not in fields["labels"]
    assert (assignee(house), edits(house)) == ("Mei Tanaka", 2)
    assert issue_of(house)["comments"] == [] and events(house) == []
    assert (awaited(house), parked(house)) == ([], [])
    nothing_more_is_written(house)


@EDITIONS
def test_a_move_that_jira_ignores_is_made_once_more_then_parked(house: Rig) -> None:
    made = trigger(house)
    rule = house.world.faults.add(
        faults.no_effect(), service="jira", method="POST", path="/transitions$", times=None
    )
    house.world.pagerduty.acknowledge(made.id, WHO)
    house.settle(14)
    assert (moves(house), status(house)) == (2, "To Do")
    assert parked(house) == ["Jira answered 204 and nothing changed: status"]
    nothing_more_is_written(house)
    house.world.faults.remove(rule.id)
    house.world.pagerduty.resolve(made.id, WHO)
    house.settle(3)
    assert (status(house), parked(house)) == ("In Review", [])
    nothing_more_is_written(house)


def test_a_move_that_jira_ignores_once_is_made_by_itself_also_after_a_restart_and_a_reboot(
    house: Rig,
) -> None:
    made = trigger(house)
    house.world.faults.add(faults.no_effect(), service="jira", method="POST", path="/transitions$")
    house.world.pagerduty.acknowledge(made.id, WHO)
    house.settle(2)
    house.clock.boot = "boot-2"
    house.restart()
    house.settle(8)
    assert (status(house), moves(house), awaited(house)) == ("In Progress", 2, [])
    nothing_more_is_written(house)


def test_a_ticket_that_a_person_moved_back_within_the_minute_stays_there(house: Rig) -> None:
    made = trigger(house)
    site = house.world.jira.site
    site.options.search_lag = site.options.fetch_lag = 3600.0
    house.world.pagerduty.acknowledge(made.id, WHO)
    house.cycle()
    house.world.jira.transition("OPS-1", "To Do", COLLEAGUE)
    house.settle(8)
    assert (status(house), moves(house), parked(house), awaited(house)) == ("To Do", 1, [], [])
    assert events(house, "write.no_effect") == []
    site.options.search_lag = site.options.fetch_lag = 0.0
    nothing_more_is_written(house)


def test_an_assignee_that_a_person_took_back_within_the_minute_stays_theirs(house: Rig) -> None:
    made = trigger(house)
    site = house.world.jira.site
    site.options.search_lag = site.options.fetch_lag = 3600.0
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], WHO)
    house.cycle()
    house.world.jira.assign("OPS-1", "Amara Osei", COLLEAGUE)
    house.settle(8)
    assert (assignee(house), edits(house), parked(house)) == ("Amara Osei", 1, [])
    site.options.search_lag = site.options.fetch_lag = 0.0
    nothing_more_is_written(house)


def test_a_write_that_lagging_reads_do_not_show_is_seen_by_one_read_by_id(house: Rig) -> None:
    made = trigger(house)
    site = house.world.jira.site
    site.options.search_lag = site.options.fetch_lag = 600.0
    reads = requests(house, "GET", "/issue/{issue}")
    house.world.pagerduty.acknowledge(made.id, WHO)
    house.settle(8)
    assert (status(house), moves(house), awaited(house)) == ("In Progress", 1, [])
    assert requests(house, "GET", "/issue/{issue}") == reads + 1
    nothing_more_is_written(house)


@pytest.mark.parametrize("stored", ["Latency  HIGH", "latency high"])
def test_a_value_that_jira_normalises_counts_as_shown_and_is_known_from_then_on(
    make_rig: MakeRig, stored: str
) -> None:
    house = make_rig(mappings=(mapping(two_way=BOTH_WAYS),))
    house.cycle()
    made = trigger(house)
    house.world.faults.add(faults.normalise(summary=stored), service="jira", method="PUT", times=None)
    house.world.pagerduty.set_title(made.id, "Latency high", WHO)
    house.settle(10)
    assert (issue_of(house)["fields"]["summary"], edits(house), awaited(house)) == (stored, 1, [])
    assert incident_of(house, made)["title"] == "Latency high"
    nothing_more_is_written(house)
    house.world.faults.clear()
    house.world.pagerduty.set_title(made.id, "Latency over", WHO)
    house.settle(4)
    assert issue_of(house)["fields"]["summary"] == "Latency over"
    assert told(house, "syncd replaced this") == 0
    nothing_more_is_written(house)


def test_a_value_that_is_the_old_one_once_normalised_is_written_once(house: Rig) -> None:
    made = trigger(house)
    house.world.faults.add(faults.normalise(summary="Latency"), service="jira", method="PUT", times=None)
    house.world.pagerduty.set_title(made.id, "latency ", WHO)
    house.settle(10)
    assert (edits(house), parked(house), awaited(house)) == (1, [], [])
    nothing_more_is_written(house)


def test_a_link_that_jira_ignores_is_set_once_more_then_parked(house: Rig) -> None:
    source, target = trigger(house, priority="P4"), trigger(house, priority="P4")
    house.world.faults.add(
        faults.no_effect(201), service="jira", method="POST", path="/issueLink$", times=None
    )
    house.world.pagerduty.merge(target.id, [source.id], WHO)
    house.settle(14)
    assert requests(house, "POST", "/issueLink") == 2
    assert parked(house) == ["Jira answered 201 and nothing changed: issuelinks"]
    house.world.faults.clear()
    retry(house)
    house.settle(3)
    assert len(issue_of(house)["fields"]["issuelinks"]) == 1
    nothing_more_is_written(house)


def change_ticket(rig: Rig, aspect: str) -> None:
    people = rig.world.jira
    if aspect == "status":
        people.transition("OPS-1", "In Progress", COLLEAGUE)
    elif aspect == "assignee":
        people.assign("OPS-1", "Mei Tanaka", COLLEAGUE)
    elif aspect == "priority":
        people.edit("OPS-1", COLLEAGUE, priority={"name": "Highest"})
    else:
        people.edit("OPS-1", COLLEAGUE, summary="The bank is slow")


def state_of(rig: Rig, made: Any) -> dict[str, Any]:
    incident = incident_of(rig, made)
    return {
        "status": incident["status"],
        "assignee": incident["assignments"][0]["assignee"]["summary"],
        "priority": incident["priority"]["summary"],
        "summary": incident["title"],
    }


@pytest.mark.parametrize("aspect", ["status", "assignee", "priority", "summary"])
def test_a_change_that_pagerduty_ignores_is_sent_once_more_then_parked_and_the_ticket_stays(
    both: Rig, aspect: str
) -> None:
    made = trigger(both)
    before = state_of(both, made)
    both.world.faults.add(faults.ignore(), service="pagerduty", method="PUT", path="/incidents/", times=None)
    change_ticket(both, aspect)
    both.settle(14)
    lines = both.world.journal.lines(service="pagerduty", method="PUT", pattern="/incidents/{id}")
    assert (len(lines), state_of(both, made)) == (2, before)
    assert parked(both) == [f"PagerDuty answered 200 and nothing changed: {aspect}"]
    assert (edits(both), moves(both)) == (0, 0)
    nothing_more_is_written(both)
    both.world.faults.clear()
    retry(both)
    both.settle(4)
    wanted = {"status": "acknowledged", "assignee": "Mei Tanaka", "priority": "P1"}
    assert state_of(both, made)[aspect] == wanted.get(aspect, "The bank is slow")
    assert (parked(both), awaited(both)) == ([], [])
    nothing_more_is_written(both)


def test_a_change_that_pagerduty_ignores_and_a_person_then_makes_is_theirs(both: Rig) -> None:
    made = trigger(both)
    both.world.faults.add(faults.ignore(), service="pagerduty", method="PUT", path="/incidents/", times=None)
    both.world.jira.transition("OPS-1", "In Progress", COLLEAGUE)
    both.settle(2)
    both.world.pagerduty.resolve(made.id, WHO)
    both.settle(10)
    assert (incident_of(both, made)["status"], status(both)) == ("resolved", "In Review")
    assert parked(both) == []
    nothing_more_is_written(both)


def test_our_own_ignored_move_is_never_taken_for_a_person_s(both: Rig) -> None:
    made = trigger(both)
    both.world.pagerduty.acknowledge(made.id, WHO)
    both.settle(3)
    both.world.faults.add(faults.no_effect(), service="jira", method="POST", path="/transitions$", times=None)
    both.world.pagerduty.resolve(made.id, WHO)
    both.cycle()
    both.world.jira.comment("OPS-1", "done?", COLLEAGUE)
    both.settle(20)
    assert (incident_of(both, made)["status"], status(both)) == ("resolved", "In Progress")
    assert both.world.journal.lines(service="pagerduty", method="PUT", pattern="/incidents/{id}") == []
