"""Creates in batches: as fast as the service allows, and each exactly once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import nothing_more_is_written
from syncd.engine.bulk import create
from syncd.engine.bulk.create import BulkCreates
from syncd.engine.bulk.thread import BatchThread
from syncd.engine.runtime.brakes import print_of
from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.requests.answers import ask, serve
from syncd.ledger.store.change_queue import notice_changes
from syncd.sandbox import dump, faults


def ours(rig: Rig) -> list[dict[str, Any]]:
    issues = dump.whole(rig.world)["jira"]["issues"]
    return [issue for issue in issues if issue.get("properties", {}).get("syncd")]


def asked(rig: Rig, pattern: str) -> int:
    return len(rig.world.journal.lines(service="jira", method="POST", pattern=pattern))


def storm(rig: Rig, count: int, **more: Any) -> list[str]:
    return [
        rig.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", **more).id
        for number in range(count)
    ]


def each_has_one_ticket(rig: Rig, incidents: list[str]) -> None:
    marked = [issue["properties"]["syncd"]["incident"] for issue in ours(rig)]
    assert sorted(marked) == sorted(incidents)


def test_a_storm_is_ticketed_in_batches_that_double(house: Rig) -> None:
    incidents = storm(house, 80, priority="P3")
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue/bulk") == 4
    assert asked(house, "/rest/api/2/issue") == 0
    nothing_more_is_written(house)


def test_the_two_highest_severities_never_ride_in_a_batch(house: Rig) -> None:
    incidents = (
        storm(house, 15, priority="P3") + storm(house, 3, priority="P1") + storm(house, 2, priority="P2")
    )
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue") == 5


@pytest.fixture
def past(make_rig: Callable[..., Rig]) -> Rig:
    """A rig whose rules are not in force yet: what is over gets its closed ticket and nothing else."""
    rig = make_rig(mappings=(mapping(enforce_from=date(2027, 1, 1), backfill={"tickets": "all"}),))
    rig.cycle()
    return rig


def over(rig: Rig, count: int, **more: Any) -> list[str]:
    """So many incidents that are resolved before syncd reads them."""
    incidents = storm(rig, count, **more)
    for incident in incidents:
        rig.world.pagerduty.resolve(incident, "Amara Osei")
    return incidents


def test_what_is_over_rides_in_a_batch_whatever_its_severity(past: Rig) -> None:
    incidents = over(past, 8, priority="P1") + over(past, 8, priority="P3")
    past.cycle()
    each_has_one_ticket(past, incidents)
    assert {issue["fields"]["status"]["name"] for issue in ours(past)} == {"Done"}
    # the first of them shows where tickets begin and how they move on; nobody waits for the others
    assert asked(past, "/rest/api/2/issue") == 1
    assert asked(past, "/rest/api/2/issue/{issue}/transitions") == 1
    assert asked(past, "/rest/api/2/issue/bulk") == 2


def test_an_open_ticket_is_created_before_those_of_incidents_that_are_over(past: Rig) -> None:
    incidents = over(past, 11, priority="P1") + storm(past, 10, priority="P4")
    past.cycle()
    each_has_one_ticket(past, incidents)
    by_number = sorted(ours(past), key=lambda issue: int(issue["id"]))
    assert {issue["fields"]["status"]["name"] for issue in by_number[:10]} == {"To Do"}
    # the open ones showed where tickets begin
    assert asked(past, "/rest/api/2/issue") == 0
    assert asked(past, "/rest/api/2/issue/{issue}/transitions") == 0


def test_where_tickets_begin_is_learnt_although_the_first_create_is_refused(past: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Not this one."}})
    past.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=1)
    incidents = over(past, 14, priority="P4")
    past.settle(2)
    (parked,) = past.operations("parked")
    each_has_one_ticket(past, [incident for incident in incidents if incident != parked.incident_id])
    assert asked(past, "/rest/api/2/issue/{issue}/transitions") == 1


def test_a_batch_that_is_refused_as_a_whole_is_halved_until_one_create_is_at_fault(past: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "No poison here."}})
    past.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue(/bulk)?$", body="poison", times=None
    )
    incidents = storm(past, 11, priority="P3")
    poisoned = past.world.pagerduty.trigger("Alipay Integration", "poison", priority="P3").id
    incidents += storm(past, 2, priority="P3")
    past.settle(2)
    each_has_one_ticket(past, incidents)
    assert [row.incident_id for row in past.operations("parked")] == [poisoned]
    assert asked(past, "/rest/api/2/issue") <= 3


class Ended(BaseException):
    """The end of the process while a request is under way."""


def test_a_batch_that_an_end_cut_off_is_looked_up_and_bound_together(
    past: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = over(past, 12, priority="P1")

    def end(*_: Any) -> None:
        raise Ended

    with monkeypatch.context() as context:
        context.setattr(BulkCreates, "_answered", end)
        with pytest.raises(Ended):
            past.cycle()
    lost = len(past.operations("in_flight"))
    assert lost == 10
    past.restart()
    before = asked(past, "/rest/api/2/issue/bulkfetch")
    past.cycle()
    each_has_one_ticket(past, incidents)
    assert not past.operations("unknown", "in_flight", "pending")
    # the same for ten lost creates as for one: nothing is read by itself
    assert asked(past, "/rest/api/2/issue/bulkfetch") - before <= 12
    assert asked(past, "/rest/api/2/issue/{issue}/transitions") <= 2
    nothing_more_is_written(past)


def test_creates_that_never_arrived_are_looked_up_together(past: Rig) -> None:
    past.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue/bulk$", times=1)
    storm(past, 10, priority="P3")
    past.cycle()
    assert len(past.operations("unknown")) == 10
    before = asked(past, "/rest/api/2/issue/bulkfetch")
    past.settle(4)
    assert len(past.operations("unknown")) == 10
    # one look of two pages in each cycle, not one for each create
    assert asked(past, "/rest/api/2/issue/bulkfetch") - before <= 8


def test_a_batch_that_jira_never_took_leaves_as_a_batch_again(past: Rig) -> None:
    past.world.faults.add(faults.jira_429(), service="jira", method="POST", path=r"/issue/bulk$", times=1)
    incidents = storm(past, 12, priority="P3")
    past.settle(4)
    each_has_one_ticket(past, incidents)
    assert asked(past, "/rest/api/2/issue") == 0


def test_creates_that_wait_in_the_outbox_leave_in_batches_after_a_restart(past: Rig) -> None:
    ask(past.ledger, "pause", {"targets": ["jira"], "reason": "for a while"}, "root")
    incidents = over(past, 8, priority="P1") + storm(past, 8, priority="P4")
    past.settle(2)
    assert not ours(past)
    past.restart()
    ask(past.ledger, "resume", {"targets": ["jira"]}, "root")
    past.settle(2)
    each_has_one_ticket(past, incidents)
    assert asked(past, "/rest/api/2/issue") == 0


def test_creates_that_become_due_bit_by_bit_leave_in_batches(past: Rig) -> None:
    ask(past.ledger, "pause", {"targets": ["jira"], "reason": "for a while"}, "root")
    incidents = storm(past, 12, priority="P3")
    past.settle(2)
    ask(past.ledger, "resume", {"targets": ["jira"]}, "root")
    serve(past.ledger, past.clock, print_of)
    past.loop.work_queue.submit(incidents[:3])
    past.loop.work_queue.drain()
    each_has_one_ticket(past, incidents)
    assert asked(past, "/rest/api/2/issue") == 0


def test_an_operator_who_drops_or_pauses_meanwhile_wins(past: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    incidents = storm(past, 12, priority="P3")
    send = BulkCreates._send

    def drop_one(bulk: BulkCreates, items: Any) -> set[str]:
        if not past.operations("dropped"):
            number = items[0].operation.id
            ask(past.ledger, "outbox.drop", {"ids": [number], "reason": "no"}, "root")
            ask(past.ledger, "pause", {"targets": ["jira"], "reason": "stop"}, "root")
            serve(past.ledger, past.clock, print_of)
        return send(bulk, items)

    monkeypatch.setattr(BulkCreates, "_send", drop_one)
    past.cycle()
    assert not ours(past)
    ask(past.ledger, "resume", {"targets": ["jira"]}, "root")
    past.settle(2)
    (dropped,) = past.operations("dropped")
    each_has_one_ticket(past, [incident for incident in incidents if incident != dropped.incident_id])


def test_tickets_that_wait_to_be_read_are_read_together(past: Rig) -> None:
    incidents = storm(past, 12, priority="P3")
    past.settle(2)
    clock = past.ledger.logical_clock
    notice_changes(past.ledger, incidents, past.clock.now(), clock.next(), "a test", ticket=True)
    before = asked(past, "/rest/api/2/issue/bulkfetch")
    past.loop.work_on_notices()
    past.loop.work_queue.drain()
    assert asked(past, "/rest/api/2/issue/bulkfetch") - before == 1


def test_a_lost_answer_to_a_batch_is_bound_by_what_is_found(house: Rig) -> None:
    house.world.jira.site.options.search_lag = 600
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue/bulk$", times=1)
    incidents = storm(house, 30, priority="P3")
    house.settle(3)
    each_has_one_ticket(house, incidents)
    assert not house.operations("unknown", "in_flight", "pending")
    nothing_more_is_written(house)


def test_a_batch_that_never_arrived_settles_and_then_goes_alone(house: Rig) -> None:
    house.world.faults.add(
        faults.reset_before(), service="jira", method="POST", path=r"/issue/bulk$", times=1
    )
    incidents = storm(house, 12, priority="P3")
    house.cycle()
    assert len(ours(house)) < 12
    house.settle(24)
    each_has_one_ticket(house, incidents)
    nothing_more_is_written(house)


@pytest.mark.parametrize("lag", [0.0, 300.0])
def test_what_is_not_read_back_at_once_is_found_later(house: Rig, lag: float) -> None:
    house.world.jira.site.options.fetch_lag = lag
    incidents = storm(house, 25, priority="P3")
    house.settle(24)
    each_has_one_ticket(house, incidents)
    nothing_more_is_written(house)


def test_a_refused_element_goes_on_alone_and_the_others_are_made(house: Rig) -> None:
    incidents = storm(house, 14, priority="P3")
    poisoned = house.world.pagerduty.trigger("Alipay Integration", "poison", priority="P3").id
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "No poison here."}})
    house.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue(/bulk)?$", body="poison", times=None
    )
    house.settle(4)
    each_has_one_ticket(house, incidents)
    parked = house.operations("parked")
    assert [row.incident_id for row in parked] == [poisoned]
    assert "No poison here." in (parked[0].error or "")


def test_resolved_incidents_are_born_in_their_status(house: Rig) -> None:
    incidents = storm(house, 40, priority="P4")
    for incident in incidents:
        house.world.pagerduty.resolve(incident, "Amara Osei")
    house.world.advance(900)
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert {issue["fields"]["status"]["name"] for issue in ours(house)} == {"Done"}
    moves = asked(house, "/rest/api/2/issue/{issue}/transitions")
    assert moves <= 2
    nothing_more_is_written(house)


def test_acknowledged_incidents_are_born_in_progress(house: Rig) -> None:
    incidents = storm(house, 30, priority="P3")
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(2)
    each_has_one_ticket(house, incidents)
    assert {issue["fields"]["status"]["name"] for issue in ours(house)} == {"In Progress"}
    assert asked(house, "/rest/api/2/issue/{issue}/transitions") <= 1
    nothing_more_is_written(house)


def test_all_creates_leave_before_the_first_note_or_edit(house: Rig) -> None:
    storm(house, 60, priority="P3")
    house.settle(2)
    writes = [line.pattern for line in house.world.journal.writes()]
    last_create = max(place for place, path in enumerate(writes) if path.endswith("/issue/bulk"))
    first_note = min(place for place, path in enumerate(writes) if path.endswith("/notes"))
    assert last_create < first_note


def test_a_transition_that_jira_refuses_in_a_create_is_left_out_of_the_next_try(house: Rig) -> None:
    refusal = faults.error(400, body={"errorMessages": ["It is not valid."], "errors": {}})
    house.world.faults.add(
        refusal, service="jira", method="POST", path=r"/issue(/bulk)?$", body='"transition"', times=None
    )
    incidents = storm(house, 20, priority="P3")
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(4)
    each_has_one_ticket(house, incidents)
    assert not house.operations("parked")
    assert {issue["fields"]["status"]["name"] for issue in ours(house)} == {"In Progress"}


def test_a_single_create_that_batches_left_does_not_wait_for_the_next_storm(house: Rig) -> None:
    incidents = storm(house, 11, priority="P3")
    house.cycle()
    each_has_one_ticket(house, incidents)


class NoLedger(SimpleNamespace):
    """Batches whose first steps find no ledger; it notes its calls."""

    def __init__(self, *failing: str) -> None:
        super().__init__(under_way=True, calls=[], failing=list(failing))

    def run(self) -> None:
        self._call("run")

    def end(self) -> None:
        self._call("end")
        self.under_way = False

    def _call(self, step: str) -> None:
        self.calls.append(step)
        if self.failing and self.failing[0] == step:
            self.failing.pop(0)
            raise LedgerUnwritable("the server is away", "start it")


@pytest.mark.parametrize("failing", [("run", "run"), ("end", "run", "end")])
def test_batches_go_on_when_the_ledger_is_back(failing: tuple[str, ...]) -> None:
    batches, stop = NoLedger(*failing), Event()
    stop_at_once = SimpleNamespace(is_set=stop.is_set, wait=lambda _seconds: False)
    queue = SimpleNamespace(threaded=True, idle=lambda: True)
    thread = BatchThread(SimpleNamespace(stop=stop_at_once), queue, batches, lambda: False)  # type: ignore[arg-type]  # stand-ins
    thread._run()
    assert (batches.failing, batches.under_way, batches.calls[-1]) == ([], False, "end")


def test_the_end_of_the_batches_is_tried_again_when_the_ledger_is_back(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = house.loop.bulk
    bulk.under_way = True
    with monkeypatch.context() as away:
        away.setattr(create, "incidents_in_need", _no_ledger)
        with pytest.raises(LedgerUnwritable):
            bulk.end()
    assert bulk.under_way
    bulk.end()
    assert not bulk.under_way


def _no_ledger(_ledger: object) -> list[str]:
    raise LedgerUnwritable("the server is away", "start it")
