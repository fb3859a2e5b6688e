"""What the services may do wrong, and what is left of it afterwards: nothing."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import creates, incident_of, issue_of, nothing_more_is_written, ours, status
from syncd.policy.marks import mark_in
from syncd.remote.errors import Cause
from syncd.sandbox import faults


def test_a_lost_answer_to_a_create_is_found_by_its_mark_although_the_search_lags(house: Rig) -> None:
    house.world.jira.site.options.search_lag = 600
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    house.cycle()
    assert len(ours(house)) == 1
    assert creates(house) == 1
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_a_ticket_that_was_found_by_its_mark_follows_its_incident(house: Rig) -> None:
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=1)
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.set_title(made.id, "Latency everywhere", "Amara Osei")
    house.settle(2)
    assert issue_of(house)["fields"]["summary"] == "Latency everywhere"
    nothing_more_is_written(house)


def test_a_ticket_that_a_move_with_a_lost_answer_closed_is_reopened_with_its_incident(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.faults.add(faults.lose_answer(), service="jira", path=r"/transitions$", method="POST")
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert status(house) == "Done"
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "To Do"
    nothing_more_is_written(house)


def a_move_that_never_answered(house: Rig) -> Any:
    """An incident reopened after a move to Done was sent whose outcome nobody knows; the ticket is open."""
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    where: dict[str, Any] = {"service": "jira", "path": r"/transitions$", "method": "POST"}
    house.world.faults.add(faults.reset_before(), **where, times=None)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert house.world.journal.lines(method="POST", pattern="/rest/api/2/issue/{issue}/transitions")
    house.world.faults.clear()
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "To Do"
    return made


def test_a_move_that_arrives_after_the_reopen_is_taken_back(house: Rig) -> None:
    a_move_that_never_answered(house)
    house.world.jira.transition("OPS-1", "Done", by="syncd")
    house.settle(2)
    assert status(house) == "To Do"
    nothing_more_is_written(house)


def test_a_person_who_closes_where_a_late_move_might_have_is_not_overruled(house: Rig) -> None:
    a_move_that_never_answered(house)
    house.world.jira.transition("OPS-1", "Done", by="Priya Raman")
    house.settle(2)
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_a_person_who_closes_what_our_refused_move_could_not_is_not_overruled(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    refusal = faults.error(400, body={"errorMessages": ["Not now."], "errors": {}})
    rule = house.world.faults.add(refusal, service="jira", path=r"/transitions$", method="POST", times=None)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    house.world.faults.remove(rule.id)
    house.world.jira.transition("OPS-1", "Done", by="Ines Carvalho")
    house.settle(4)
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(4)
    assert status(house) == "Done"


def lag(rig: Rig, *, search: float, fetch: float) -> None:
    options = rig.world.jira.site.options
    options.search_lag, options.fetch_lag = search, fetch


@pytest.mark.parametrize("seconds", [8, 10, 12])
def test_a_lagging_read_does_not_undo_what_we_wrote(house: Rig, seconds: int) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    house.settle(2)
    lag(house, search=0, fetch=300)
    house.world.jira.comment("OPS-1", "looking", by="Ines Carvalho")
    house.world.advance(20)
    house.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    house.cycle()
    assert issue_of(house)["fields"]["priority"]["name"] == "Highest"
    house.settle(seconds)
    house.world.pagerduty.set_priority(made.id, "P3", "Amara Osei")
    house.settle(24)
    assert issue_of(house)["fields"]["priority"]["name"] == "Medium"
    nothing_more_is_written(house)


@pytest.mark.parametrize(("search", "fetch"), [(600, 0), (300, 300)], ids=["search", "both"])
def test_a_life_under_lagging_reads_ends_as_it_would_without(house: Rig, search: int, fetch: int) -> None:
    lag(house, search=search, fetch=fetch)
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(3)
    people.acknowledge(made.id, "Amara Osei")
    people.note(made.id, "on it", "Amara Osei")
    house.settle(3)
    house.world.jira.comment("OPS-1", "looking", by="Ines Carvalho")
    people.set_priority(made.id, "P1", "Amara Osei")
    house.settle(3)
    people.set_priority(made.id, "P4", "Amara Osei")
    people.resolve(made.id, "Amara Osei")
    house.settle(12, 125)
    assert len(ours(house)) == 1
    issue = issue_of(house)
    assert issue["fields"]["status"]["name"] == "Done"
    assert issue["fields"]["priority"]["name"] == "Low"
    assert sum("on it" in comment["body"] for comment in issue["comments"]) == 1
    assert sum("looking" in note["content"] for note in incident_of(house, made)["notes"]) == 1
    nothing_more_is_written(house)


def test_a_move_with_a_lost_answer_is_made_once_although_the_bulk_reads_lag(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    house.settle(2)
    lag(house, search=0, fetch=300)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    lost = faults.error(504, after=True)
    house.world.faults.add(lost, service="jira", method="POST", path="/transitions$", times=1)
    house.settle(30)
    assert issue_of(house)["fields"]["status"]["name"] == "In Review"
    moves = [write for write in house.world.journal.writes() if write.path.endswith("/transitions")]
    assert len(moves) == 1
    nothing_more_is_written(house)


def test_a_create_that_never_arrived_is_sent_again_only_after_the_settle_time(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    sent_at_first = creates(house)
    for _ in range(19):
        house.cycle()
    assert creates(house) == sent_at_first
    assert [row.kind for row in house.operations("unknown")] == ["create_ticket"]
    house.settle(4)
    assert creates(house) == sent_at_first + 1
    assert len(ours(house)) == 1
    nothing_more_is_written(house)


def test_the_link_note_of_an_unsettled_ticket_waits_and_other_incidents_do_not(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    first = house.world.pagerduty.trigger("Alipay Integration", "First")
    house.cycle()
    second = house.world.pagerduty.trigger("Alipay Integration", "Second")
    house.settle(2)
    assert len(incident_of(house, first)["notes"]) == 0
    assert len(incident_of(house, second)["notes"]) == 1


def test_after_a_reboot_the_settle_time_starts_anew(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    sent = creates(house)
    for _ in range(15):
        house.cycle()
    house.stop()
    house.clock.boot = "boot-2"
    house.start()
    for _ in range(15):
        house.cycle()
    assert creates(house) == sent
    house.settle(8)
    assert creates(house) == sent + 1


def test_over_a_restart_the_settle_time_goes_on(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    sent = creates(house)
    for _ in range(15):
        house.cycle()
    house.restart()
    house.settle(8)
    assert creates(house) == sent + 1


def test_a_wall_clock_that_is_set_ahead_settles_nothing(house: Rig) -> None:
    house.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.cycle()
    sent = creates(house)
    house.clock.step = 86400.0
    house.settle(4)
    assert creates(house) == sent


@pytest.mark.parametrize("service", ["jira", "pagerduty"])
@pytest.mark.parametrize(
    "strike",
    [faults.error(500), faults.lose_answer(), faults.cut(), faults.error(404)],
    ids=["500", "lost", "cut", "404"],
)
def test_a_fault_on_every_third_request_over_sockets_changes_nothing_of_the_end(
    make_rig: Any, service: str, strike: faults.Strike
) -> None:
    house = make_rig()
    house.cycle()
    rule = house.world.faults.add(strike, service=service, probability=0.33, times=None)
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(3)
    people.acknowledge(made.id, "Amara Osei")
    people.note(made.id, "on it", "Amara Osei")
    house.settle(3)
    people.resolve(made.id, "Amara Osei")
    house.settle(3)
    house.world.faults.remove(rule.id)
    house.settle(12, 125)
    parked = house.operations("parked")
    if parked:
        from syncd.ledger.store import operation_states, outbox

        assert strike.reply is not None and strike.reply.status == 404
        with house.ledger.write() as session:
            for row in outbox.listing(session, ["parked"]):
                operation_states.retry(session, row, house.clock.now(), house.context.gave_up(), "test")
        house.restart()
        house.settle(4)
    assert len(ours(house)) == 1
    issue = issue_of(house, int(ours(house)[0]["key"].rpartition("-")[2]))
    assert issue["fields"]["status"]["name"] == "Done"
    assert sum("on it" in comment["body"] for comment in issue["comments"]) == 1
    notes = [note["content"] for note in incident_of(house, made)["notes"]]
    assert sum(mark_in(text) is not None for text in notes) == 1
    nothing_more_is_written(house)


def test_a_ticket_that_jira_refuses_is_parked_with_its_words_and_the_others_go_on(house: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Summary is cursed."}})
    house.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Cursed")
    house.cycle()
    house.world.pagerduty.trigger("Alipay Integration", "Blessed")
    house.settle(3)
    parked = house.operations("parked")
    assert [row.kind for row in parked] == ["create_ticket"]
    assert "Summary is cursed." in (parked[0].error or "")
    assert [issue["fields"]["summary"] for issue in ours(house)] == ["Blessed"]


def test_an_optional_field_that_the_screen_refuses_is_dropped_once_and_recorded(house: Rig) -> None:
    text = "Field 'components' cannot be set. It is not on the appropriate screen, or unknown."
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"components": text}})
    house.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=1)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    issue = issue_of(house)
    assert issue["fields"]["components"] == []
    assert issue["fields"]["priority"] is not None
    assert house.operations("done")[0].rendered["refused"] == ["components"]
    nothing_more_is_written(house)


def test_a_refused_token_stops_that_service_alone_and_is_said(house: Rig) -> None:
    house.world.faults.add(faults.error(401), service="jira", times=None)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    result = house.cycle()
    assert (result.pagerduty, result.jira) == (True, False)
    assert house.context.health.of("jira").cause is Cause.CREDENTIALS
    asked = house.world.journal.total("jira")
    house.settle(5)
    assert house.world.journal.total("jira") == asked
    house.world.faults.clear()
    house.settle(12)
    assert len(ours(house)) == 1


def test_a_service_that_is_down_is_asked_ever_less_often_and_caught_up_with(house: Rig) -> None:
    house.server.close_door("jira")
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(10, 120)
    assert house.context.health.of("jira").pause == 300
    house.server.open_door("jira")
    house.settle(12)
    assert len(ours(house)) == 1
    assert status(house) == "To Do"


def test_an_empty_list_of_open_incidents_changes_nothing_before_a_read_by_id(house: Rig) -> None:
    made = [house.world.pagerduty.trigger("Alipay Integration", f"Trouble {i}") for i in range(5)]
    house.settle(2)
    page = {"incidents": [], "limit": 100, "offset": 0, "total": None, "more": False}
    nothing = faults.error(200, body=page)
    house.world.faults.add(nothing, service="pagerduty", path=r"/incidents$", times=1)
    house.cycle()
    with house.ledger.read() as session:
        from syncd.ledger.store.tables import IncidentRow

        assert {session.get(IncidentRow, incident.id).status for incident in made} == {"triggered"}
    nothing_more_is_written(house)


def test_a_ticket_that_is_gone_is_out_of_sight_and_not_made_again(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.delete("OPS-1")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(5)
    assert ours(house) == []
    assert house.writes() <= 4


def test_a_moved_ticket_is_followed(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="Latency")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    assert status(house) == "In Progress"
