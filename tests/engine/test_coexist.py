"""PagerDuty's own Jira app beside us: its ticket is waited for, taken, and left to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, latency, nothing_more_is_written, status
from engine.test_checks import findings, of
from syncd.ledger.store.tables import TicketRow
from syncd.preflight.checks.finding import Level
from syncd.sandbox import dump, faults

BESIDE = mapping(coexist="adopt")


@pytest.fixture
def beside(make_rig: Callable[..., Rig]) -> Rig:
    """A team that says `coexist: adopt`, after its first quiet cycle."""
    rig = make_rig(mappings=(BESIDE,))
    rig.cycle()
    return rig


def app_makes_ticket(rig: Rig, incident: Any, **more: Any) -> str:
    """What the app does: an issue by its own account, and a note that names it."""
    made = rig.world.jira.create("Ines Carvalho", f"App: {incident.title}", **{"type": "Incident", **more})
    rig.world.pagerduty.note(incident.id, f"Jira issue {made.key} was created", "Mei Tanaka")
    return str(made.key)


def issues(rig: Rig) -> list[str]:
    return [issue["key"] for issue in dump.whole(rig.world)["jira"]["issues"]]


def ticket_of(rig: Rig, incident: Any) -> TicketRow | None:
    with rig.ledger.read() as session:
        return session.get(TicketRow, incident.id)


def test_the_app_s_ticket_is_taken_and_no_other_is_made(beside: Rig) -> None:
    made = latency(beside)
    beside.cycle(10)
    app_makes_ticket(beside, made)
    beside.settle(6)
    ticket = ticket_of(beside, made)
    assert ticket is not None
    assert (ticket.key, ticket.origin) == ("OPS-1", "adopted")
    assert issues(beside) == ["OPS-1"]
    nothing_more_is_written(beside)


def test_its_status_is_left_to_the_app_and_its_fields_follow(beside: Rig) -> None:
    made = latency(beside)
    app_makes_ticket(beside, made)
    beside.settle(3)
    beside.world.pagerduty.acknowledge(made.id, "Amara Osei")
    beside.settle(2)
    assert status(beside) == "To Do"
    beside.world.pagerduty.set_title(made.id, "Latency everywhere", "Amara Osei")
    beside.settle(2)
    assert issue_of(beside)["fields"]["summary"] == "Latency everywhere"
    beside.world.pagerduty.resolve(made.id, "Amara Osei")
    beside.settle(14)
    assert status(beside) == "To Do"
    nothing_more_is_written(beside)


def test_without_one_our_own_is_made_after_a_minute_and_moves_as_ever(beside: Rig) -> None:
    made = latency(beside)
    beside.cycle(20)
    beside.cycle(20)
    assert issues(beside) == []
    beside.cycle(25)
    assert issue_of(beside)["properties"]["syncd"]["incident"] == made.id
    beside.world.pagerduty.acknowledge(made.id, "Amara Osei")
    beside.settle(2)
    assert status(beside) == "In Progress"
    nothing_more_is_written(beside)


def test_a_minute_that_passed_while_the_daemon_was_down_is_not_waited_for_again(beside: Rig) -> None:
    beside.stop()
    made = latency(beside)
    app_makes_ticket(beside, made)
    other = latency(beside, "Other")
    beside.world.advance(3600)
    beside.start()
    beside.cycle()
    taken = ticket_of(beside, made)
    ours = ticket_of(beside, other)
    assert taken is not None
    assert ours is not None
    assert (taken.origin, ours.origin) == ("adopted", "operation")
    nothing_more_is_written(beside)


def test_nothing_is_made_while_it_cannot_be_looked_for(beside: Rig) -> None:
    made = latency(beside)
    app_makes_ticket(beside, made)
    rule = beside.world.faults.add(
        faults.error(500), service="pagerduty", method="GET", path="/notes$", times=None
    )
    beside.settle(4)
    assert issues(beside) == ["OPS-1"]
    beside.world.faults.remove(rule.id)
    beside.settle(14)
    assert issues(beside) == ["OPS-1"]
    ticket = ticket_of(beside, made)
    assert ticket is not None
    assert ticket.origin == "adopted"


def test_an_issue_of_another_type_or_older_than_the_incident_or_of_another_is_not_taken(beside: Rig) -> None:
    old = beside.world.jira.create("Ines Carvalho", "Last week's", type="Incident")
    beside.cycle(600)
    made = latency(beside)
    task = beside.world.jira.create("Ines Carvalho", "A task", type="Task")
    beside.world.pagerduty.note(made.id, f"see {old.key} and {task.key} and OPS-999", "Mei Tanaka")
    beside.settle(4)
    ticket = ticket_of(beside, made)
    assert ticket is not None
    assert ticket.origin == "operation"
    second = latency(beside, "Second")
    beside.world.pagerduty.note(second.id, f"same as {ticket.key}", "Mei Tanaka")
    beside.settle(4)
    mine = ticket_of(beside, second)
    assert mine is not None
    assert mine.issue_id != ticket.issue_id


def test_a_person_s_later_word_of_an_issue_is_not_a_tool_s(beside: Rig) -> None:
    made = latency(beside)
    beside.stop()
    beside.world.advance(300)
    app_makes_ticket(beside, made)
    beside.start()
    beside.settle(2)
    ticket = ticket_of(beside, made)
    assert ticket is not None
    assert ticket.origin == "operation"


def test_without_coexistence_nothing_is_waited_for(house: Rig) -> None:
    latency(house)
    house.cycle(1)
    assert issues(house) == ["OPS-1"]


def test_what_the_app_made_for_a_restricted_incident_is_taken_and_put_under_the_level(
    make_rig: Callable[..., Rig],
) -> None:
    rules = {"titles": ["breach"], "level": "Security incident"}
    rig = make_rig(mappings=(mapping(coexist="adopt", restricted=rules),))
    rig.cycle()
    made = latency(rig, "Data breach")
    app_makes_ticket(rig, made)
    rig.settle(4)
    ticket = ticket_of(rig, made)
    assert ticket is not None
    assert ticket.origin == "adopted"
    assert issue_of(rig)["fields"]["security"]["name"] == "Security incident"


def test_check_judges_the_app_by_the_mapping_of_the_services_that_it_works_on(house: Rig) -> None:
    schema = {"id": "PSCHEMA", "type": "extension_schema", "key": "jira-cloud", "label": "Jira Cloud"}
    on = [{"id": "PSVC001", "type": "service_reference"}]
    row = {"id": "PEXT001", "name": "To Jira", "extension_schema": schema, "extension_objects": on}
    house.world.pagerduty.account.extensions.append(row)
    assert of(findings(house), "PD08", Level.WRONG)
    (told,) = of(findings(house, BESIDE), "PD08", Level.OK)
    assert told.message == "serves Alipay Integration; syncd adopts its tickets (`coexist: adopt`)"


def test_check_is_red_while_the_app_works_and_ok_where_the_mapping_wants_it(house: Rig) -> None:
    made = latency(house)
    app_makes_ticket(house, made)
    house.settle(3)
    assert of(findings(house), "PD08", Level.WRONG)
    assert not of(findings(house, BESIDE), "PD08", Level.WRONG)
    assert of(findings(house, BESIDE), "PD08", Level.OK)
    assert len(incident_of(house, made)["notes"]) == 2
