"""A resync: compares all three sides afresh, repairs what is ours, leaves and names what is people's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import ask as asked
from engine.cast import issue_of, issues, nothing_more_is_written, status
from syncd.ledger.requests import answers
from syncd.ledger.store.tables import TicketRow
from syncd.sandbox import faults
from syncd.sandbox.cast import START

MakeRig = Callable[..., Rig]
DAY = timedelta(days=1)


def resync(rig: Rig, **arguments: Any) -> dict[str, Any]:
    """A resync as the command line asks for it."""
    number = answers.ask(rig.ledger, "resync", arguments, "ana")
    assert rig.loop.jobs.run_jobs()
    return answers.answer_of(rig.ledger, number)


def said(result: dict[str, Any], what: str) -> list[str]:
    return [finding["reason"] for finding in result["found"] if finding["what"] == what]


def made(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(operation["kind"], operation["state"]) for operation in result["operations"]]


def a_second_run_does_nothing(rig: Rig) -> None:
    before = rig.writes()
    again = resync(rig)
    assert (again["operations"], said(again, "repair"), said(again, "follow")) == ([], [], [])
    assert rig.writes() == before
    nothing_more_is_written(rig)


def test_what_agrees_is_left_alone(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    before = house.writes()
    result = resync(house)
    assert (result["looked_at"], result["found"], result["operations"]) == (1, [], [])
    assert house.writes() == before


def test_an_incident_that_nobody_has_seen_gets_its_ticket(house: Rig) -> None:
    at = START - 20 * DAY
    old = house.world.pagerduty.trigger("Alipay Integration", "Unseen", at=at, priority="P4")
    house.world.pagerduty.resolve(old.id, at=at + timedelta(hours=2))
    house.swap_rules(mapping(enforce_from="2026-10-01"))
    house.settle(2)
    assert issues(house) == []
    result = resync(house, since=(START - 30 * DAY).isoformat())
    assert ("create_ticket", "done") in made(result)
    assert status(house) == "Done"
    a_second_run_does_nothing(house)


def test_one_incident_alone_is_looked_at_by_its_id_its_number_and_its_ticket(house: Rig) -> None:
    incident = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.world.pagerduty.trigger("Alipay Integration", "Other")
    house.settle(2)
    for word in (incident.id, str(incident.number), "OPS-1"):
        assert resync(house, incidents=[word])["looked_at"] == 1


def test_an_incident_that_is_not_there_is_named(house: Rig) -> None:
    result = resync(house, incidents=["PNOSUCH"])
    assert said(result, "left") == ["PagerDuty does not show it to syncd, so syncd changes nothing about it"]


def test_a_change_that_was_never_seen_is_carried_over(house: Rig) -> None:
    incident = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.pagerduty.acknowledge(incident.id, "Amara Osei")
    result = resync(house)
    assert made(result) == [("move_ticket", "done")]
    assert status(house) == "In Progress"
    a_second_run_does_nothing(house)


def test_a_status_that_a_person_chose_is_listed_and_left(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.transition("OPS-1", "In Progress", "Ines Carvalho")
    result = resync(house)
    (why,) = said(result, "left")
    assert why.startswith("it is at In Progress, and syncd did not move it there")
    assert (status(house), result["operations"]) == ("In Progress", [])


def test_it_believes_a_read_by_id_and_no_bulk_read_that_lags(house: Rig) -> None:
    incident = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.site.options.fetch_lag = house.world.jira.site.options.search_lag = 3600.0
    house.world.jira.transition("OPS-1", "In Progress", "Ines Carvalho")
    (why,) = said(resync(house), "left")
    assert why.startswith("it is at In Progress, and syncd did not move it there")
    house.world.pagerduty.set_title(incident.id, "Latency high", "Amara Osei")
    assert [kind for kind, _ in made(resync(house))] == ["edit_ticket"]
    a_second_run_does_nothing(house)


def test_a_ticket_that_cannot_be_read_is_named_and_the_others_are_compared(house: Rig) -> None:
    first = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    other = house.world.pagerduty.trigger("BluBank Integration", "Latency")
    house.settle(2)
    house.world.faults.add(faults.error(200, body={"id": "10001"}), path=r"/issue/10001$", times=1)
    for incident in (first, other):
        house.world.pagerduty.acknowledge(incident.id, "Amara Osei")
    result = resync(house)
    assert said(result, "left") == ["syncd cannot read its ticket this time"]
    assert (status(house), status(house, 2)) == ("In Progress", "In Progress")
    nothing_more_is_written(house)


def test_a_ticket_that_a_person_closed_is_not_reopened(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.transition("OPS-1", "Done", "Ines Carvalho")
    result = resync(house)
    assert len(said(result, "left")) == 1
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_a_deleted_ticket_is_listed_and_not_made_again(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.delete("OPS-1")
    result = resync(house)
    assert "does not make it again" in said(result, "left")[0]
    assert issues(house) == []
    a_second_run_does_nothing(house)


def merged(house: Rig) -> None:
    source = house.world.pagerduty.trigger("Alipay Integration", "Symptom", priority="P1")
    target = house.world.pagerduty.trigger("BluBank Integration", "Cause", priority="P2")
    house.settle(2)
    house.world.pagerduty.merge(target.id, [source.id], "Amara Osei")
    house.settle(4)


def test_a_link_of_ours_that_was_lost_is_made_again(house: Rig) -> None:
    merged(house)
    site = house.world.jira.site
    key = next(issue["key"] for issue in issues(house) if issue["fields"]["summary"] == "Symptom")
    number = int(key.rpartition("-")[2])
    site.links.clear()
    for issue in site.issues.values():
        site.revise(issue, house.world.jira.account_id("Ines Carvalho"), touch=True)
    assert issue_of(house, number)["fields"]["issuelinks"] == []
    result = resync(house)
    assert made(result) == [("link_tickets", "done")]
    assert len(issue_of(house, number)["fields"]["issuelinks"]) == 1
    a_second_run_does_nothing(house)


def test_a_moved_ticket_is_followed_and_said(house: Rig) -> None:
    incident = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.move("OPS-1", "ENG", "Ines Carvalho", type="Task")
    result = resync(house)
    assert said(result, "follow") == ["it was OPS-1, and was moved"]
    with house.ledger.read() as session:
        row = session.get(TicketRow, incident.id)
        assert row is not None
        assert (row.key.rpartition("-")[0], row.project) == ("ENG", "ENG")
    a_second_run_does_nothing(house)


def test_an_issue_that_people_made_for_the_incident_is_adopted(house: Rig) -> None:
    at = START - 20 * DAY
    old = house.world.pagerduty.trigger("Alipay Integration", "Unseen", at=at, priority="P4")
    house.world.pagerduty.resolve(old.id, at=at + timedelta(hours=2))
    house.world.jira.create("Ines Carvalho", "By hand", type="Incident", labels=[f"pd-{old.id}"])
    house.swap_rules(mapping(enforce_from="2026-10-01"))
    result = resync(house, since=(START - 30 * DAY).isoformat())
    assert said(result, "follow") == ["found by its mark or label; syncd uses it as the ticket from now on"]
    assert len(issues(house)) == 1
    assert issue_of(house)["fields"]["summary"] == "By hand"
    a_second_run_does_nothing(house)


def test_a_ticket_of_another_incident_that_bears_the_label_is_not_taken(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    at = START - 20 * DAY
    old = house.world.pagerduty.trigger("Alipay Integration", "Unseen", at=at, priority="P4")
    house.world.pagerduty.resolve(old.id, at=at + timedelta(hours=2))
    house.world.jira.add_label("OPS-1", f"pd-{old.id}", "Ines Carvalho")
    house.swap_rules(mapping(enforce_from="2026-10-01"))
    resync(house, since=(START - 30 * DAY).isoformat())
    assert len(issues(house)) == 2
    a_second_run_does_nothing(house)


def test_a_create_of_unknown_outcome_is_left_to_its_settling(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    searches = len(house.world.journal.lines("jira", "POST", "/rest/api/2/search/jql"))
    resync(house)
    assert len(house.world.journal.lines("jira", "POST", "/rest/api/2/search/jql")) == searches
    assert [row.kind for row in house.operations("unknown")] == ["create_ticket"]
    house.settle(24)
    assert len(issues(house)) == 1


def test_what_was_over_before_the_rules_is_counted_and_left(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mapping(enforce_from="2027-01-01"),))
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.world.pagerduty.resolve(incident.id)
    rig.settle(2)
    result = resync(rig)
    assert (result["looked_at"], result["in_peace"], result["found"]) == (1, 1, [])
    assert rig.writes() == 0


def test_repairs_to_many_tickets_at_once_are_held(house: Rig) -> None:
    from syncd.ledger.store import holds

    for number in range(holds.MASS_AT_MOST + 1):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    house.settle(4)
    severities = {"SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Low"}}
    house.swap_rules(mapping(severities=severities, version="changed"))
    before = house.writes()
    result = resync(house)
    assert house.writes() == before
    assert "syncd outbox release" in result["lines"][0]
    assert {operation["state"] for operation in result["operations"]} == {"held"}
    asked(house, "outbox.release", ids=[])
    house.settle(2)
    a_second_run_does_nothing(house)


def test_a_service_that_is_down_ends_it_with_its_words_and_nothing_is_changed(house: Rig) -> None:
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.server.close_door("jira")
    result = resync(house)
    assert result["failed"]
    assert "not finished" in result["lines"][0]
    house.server.open_door("jira")
    house.settle(12)
    nothing_more_is_written(house)


def test_one_that_was_cut_off_is_taken_up_after_the_restart(house: Rig) -> None:
    number = answers.ask(house.ledger, "resync", {}, "ana")
    assert answers.take_job(house.ledger) is not None
    assert answers.take_job(house.ledger) is None
    house.restart()
    house.cycle()
    assert house.loop.jobs.run_jobs()
    assert not answers.answer_of(house.ledger, number)["failed"]


def test_its_progress_stands_in_the_request(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    monkeypatch.setattr(answers, "report_job_progress", lambda _ledger, _number, told: words.append(told))
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    resync(house)
    assert words == ["1 incidents read", "1 of 1 tickets read", "deciding on 1 incidents"]
