"""Workflows as they really are: strict, with screens, without a way back, changed while we know them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from rig import Rig

from engine.cast import comments, issue_of, jira, nothing_more_is_written, parked_error, status
from syncd.ledger.store import operation_states, outbox
from syncd.sandbox import faults, presets
from syncd.sandbox.jira.workflow import Status, Transition, Workflow

ME = "Amara Osei"
CALM = 330.0
"""Seconds after which a move back to a status that was left is not damped any more."""


def on(make_rig: Any, workflow: Workflow, **options: Any) -> Rig:
    """A rig on a workflow, after its first quiet cycle."""
    rig: Rig = make_rig(workflow=workflow, **options)
    rig.cycle()
    return rig


def trigger(rig: Rig, priority: str = "P4") -> Any:
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority=priority)
    rig.settle(2)
    return made


def resolve(rig: Rig, made: Any) -> None:
    rig.world.pagerduty.resolve(made.id, ME)
    rig.cycle()
    rig.cycle(CALM)


def moves(rig: Rig, number: int = 1) -> list[str]:
    """Where an issue was moved to, in order."""
    changes = [item for change in issue_of(rig, number)["changelog"] for item in change["items"]]
    return [item["toString"] for item in changes if item["field"] == "status"]


def try_again(rig: Rig) -> None:
    with rig.ledger.write() as session:
        for row in outbox.listing(session, ["parked"]):
            operation_states.retry(session, row, rig.clock.now(), rig.context.gave_up(), "test")
    rig.restart()
    rig.settle(2)


def test_a_strict_workflow_is_walked_step_by_step_in_one_cycle(make_rig: Any) -> None:
    rig = on(make_rig, presets.strict())
    made = trigger(rig)
    resolve(rig, made)
    assert moves(rig) == ["In Progress", "In Review", "Done"]
    assert issue_of(rig)["fields"]["resolution"]["name"] == "Done"
    nothing_more_is_written(rig)


def test_a_status_that_would_do_as_well_is_only_passed_where_a_way_leads_on(make_rig: Any) -> None:
    rig = on(make_rig, presets.strict())
    resolve(rig, trigger(rig, "P1"))
    assert moves(rig) == ["In Progress", "In Review"]
    nothing_more_is_written(rig)


@pytest.mark.parametrize("lag", [20.0, 60.0])
def test_bulk_reads_that_lag_do_not_lead_a_ticket_astray(make_rig: Any, lag: float) -> None:
    rig = on(make_rig, presets.strict())
    rig.world.jira.site.options.fetch_lag = lag
    made = trigger(rig)
    resolve(rig, made)
    rig.settle(6)
    assert moves(rig) == ["In Progress", "In Review", "Done"]
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(6)
    assert moves(rig)[3:] == ["To Do"]
    assert not rig.operations("parked", "pending")
    nothing_more_is_written(rig)


def test_a_reopen_takes_the_long_way_back_to_the_state_of_the_incident(make_rig: Any) -> None:
    rig = on(make_rig, presets.strict())
    made = trigger(rig, "P1")
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(2)
    resolve(rig, made)
    assert status(rig) == "In Review"
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(2)
    assert moves(rig)[-2:] == ["In Progress", "To Do"]
    assert status(rig) == "To Do"
    nothing_more_is_written(rig)


def way(id_: str, source: Status, target: Status, **more: Any) -> Transition:
    return replace(Transition(id_, target.name, target.id, frozenset({source.id})), **more)


TO_DO, PROGRESS, REVIEW, DONE = presets.PLAIN
QA = Status("10010", "QA", "indeterminate")
SEALED = Status("10011", "Sealed", "indeterminate")


def chain(*statuses: Status) -> Workflow:
    """Each status leads to the next."""
    ways = [way(f"{row}1", start, end) for row, (start, end) in enumerate(pairwise(statuses))]
    return Workflow("Chain", statuses, tuple(ways))


def dead_end() -> Workflow:
    """The nearest status to the end leads nowhere."""
    ways = (
        way("1", TO_DO, REVIEW),
        way("2", REVIEW, TO_DO),
        way("3", TO_DO, PROGRESS),
        way("4", PROGRESS, DONE),
    )
    return Workflow("Dead end", presets.PLAIN, ways)


def test_what_one_ticket_learned_another_one_knows_after_a_restart(make_rig: Any) -> None:
    rig = on(make_rig, dead_end())
    resolve(rig, trigger(rig))
    assert moves(rig, 1) == ["In Review"]
    assert "no transition leads from In Review to Done within 3 steps" in parked_error(rig)
    rig.restart()
    resolve(rig, trigger(rig))
    assert moves(rig, 2) == ["In Progress", "Done"]
    nothing_more_is_written(rig)


def test_a_status_that_the_mapping_does_not_name_is_never_passed_through(make_rig: Any) -> None:
    rig = on(make_rig, Workflow("QA", (*presets.PLAIN, QA), (way("1", TO_DO, QA), way("2", QA, DONE))))
    made = trigger(rig)
    resolve(rig, made)
    assert moves(rig) == []
    assert "Jira offers: QA to QA. Name those between under jira.path.closed" in parked_error(rig)
    nothing_more_is_written(rig)


@pytest.mark.parametrize("adopted", [False, True], ids=["made", "adopted"])
def test_the_mapping_can_name_the_path(make_rig: Any, adopted: bool) -> None:
    flow = Workflow("QA", (*presets.PLAIN, QA), (way("1", TO_DO, QA), way("2", QA, DONE)))
    rig = make_rig(workflow=flow, mappings=jira(path={"closed": "QA"}))
    if adopted:
        rig.stop()
        made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
        rig.world.jira.create("Ines Carvalho", "By hand", type="Incident", labels=[f"pd-{made.id}"])
        rig.world.advance(60)
        rig.name = "later.db"
        rig.start()
        rig.settle(3)
    else:
        rig.cycle()
        made = trigger(rig)
    resolve(rig, made)
    assert moves(rig) == ["QA", "Done"]
    nothing_more_is_written(rig)


def test_a_path_that_the_project_lacks_is_said_before_anything_is_done(make_rig: Any) -> None:
    rig = make_rig(mappings=jira(path={"closed": ["Approved"]}))
    trigger(rig)
    assert rig.writes() == 0
    assert not rig.cycle().jira


def test_a_move_takes_three_steps_at_most_and_goes_on_when_a_person_says_so(make_rig: Any) -> None:
    flow = chain(TO_DO, PROGRESS, REVIEW, QA, SEALED, DONE)
    rig = on(make_rig, flow, mappings=jira(path={"closed": ["QA", "Sealed"]}))
    resolve(rig, trigger(rig))
    assert moves(rig) == ["In Progress", "In Review"]
    assert "within 3 steps" in parked_error(rig)
    try_again(rig)
    assert moves(rig)[2:] == ["QA", "Sealed", "Done"]
    nothing_more_is_written(rig)


def test_nothing_goes_through_done_on_the_way_to_something_that_is_not(make_rig: Any) -> None:
    rig = on(make_rig, Workflow("Through", presets.PLAIN, (way("1", TO_DO, DONE), way("2", DONE, PROGRESS))))
    made = trigger(rig, "P1")
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(2)
    assert moves(rig) == []
    assert "no transition leads from To Do to In Progress" in parked_error(rig)
    nothing_more_is_written(rig)


@pytest.mark.parametrize("strike", [faults.lose_answer(), faults.reset_before(), faults.error(503)])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_step_with_an_unknown_outcome_is_read_and_not_taken_twice(
    make_rig: Any, strike: faults.Strike, step: int
) -> None:
    rig = on(make_rig, presets.strict())
    made = trigger(rig)
    rig.world.faults.add(strike, service="jira", method="POST", path=r"/transitions$", skip=step, times=1)
    resolve(rig, made)
    rig.restart()
    rig.settle(2)
    assert moves(rig) == ["In Progress", "In Review", "Done"]
    nothing_more_is_written(rig)


def test_an_incident_that_changes_between_two_steps_is_followed(make_rig: Any) -> None:
    rig = on(make_rig, presets.strict())
    made = trigger(rig)
    rig.world.faults.add(
        faults.jira_429(120), service="jira", method="POST", path=r"/transitions$", skip=1, times=1
    )
    rig.world.pagerduty.resolve(made.id, ME)
    rig.cycle()
    assert moves(rig) == ["In Progress"]
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(6)
    assert moves(rig) == ["In Progress"]
    rig.settle(6)
    assert moves(rig) == ["In Progress", "To Do"]
    nothing_more_is_written(rig)


def test_a_person_who_closes_the_ticket_between_two_steps_is_not_undone(make_rig: Any) -> None:
    rig = on(make_rig, presets.strict())
    made = trigger(rig, "P1")
    rig.world.faults.add(
        faults.jira_429(120), service="jira", method="POST", path=r"/transitions$", skip=1, times=1
    )
    rig.world.pagerduty.resolve(made.id, ME)
    rig.cycle()
    rig.world.jira.transition("OPS-1", "In Review", by="Ines Carvalho")
    rig.world.jira.transition("OPS-1", "Done", by="Ines Carvalho")
    rig.settle(6)
    assert moves(rig) == ["In Progress", "In Review", "Done"]
    assert not rig.operations("parked", "pending")
    nothing_more_is_written(rig)


def test_a_transition_that_changed_since_it_was_read_is_read_again(make_rig: Any) -> None:
    rig = on(make_rig, presets.simple())
    first, second = trigger(rig, "P1"), trigger(rig, "P1")
    rig.world.pagerduty.acknowledge(first.id, ME)
    rig.settle(2)
    renumbered = [replace(transition, id=f"9{transition.id}") for transition in presets.simple().transitions]
    presets.use_workflow(rig.world.jira.site, "OPS", Workflow("New", presets.PLAIN, tuple(renumbered)))
    before = rig.writes()
    rig.world.pagerduty.acknowledge(second.id, ME)
    rig.settle(2)
    assert status(rig, 2) == "In Progress"
    assert rig.writes() == before + 2
    nothing_more_is_written(rig)


@pytest.mark.parametrize("code", [400, 403, 404, 409])
def test_a_transition_that_is_refused_for_ever_is_parked_with_jiras_words(make_rig: Any, code: int) -> None:
    rig = on(make_rig, presets.simple())
    made = trigger(rig, "P1")
    body = {"errorMessages": ["A condition of the workflow is not met."], "errors": {}}
    rule = rig.world.faults.add(
        faults.error(code, body=body), service="jira", method="POST", path=r"/transitions$", times=None
    )
    before = rig.writes()
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(4)
    assert "A condition of the workflow is not met." in parked_error(rig)
    assert rig.writes() - before <= 5
    nothing_more_is_written(rig)
    rig.world.faults.remove(rule.id)
    try_again(rig)
    assert status(rig) == "In Progress"
    nothing_more_is_written(rig)


def test_a_resolution_screen_is_filled_from_the_mapping(make_rig: Any) -> None:
    rig = on(make_rig, presets.resolution_screen(), mappings=jira(resolution=["Fixed", "Won't Do"]))
    resolve(rig, trigger(rig))
    assert issue_of(rig)["fields"]["resolution"]["name"] == "Won't Do"
    nothing_more_is_written(rig)


def test_a_resolution_that_jira_lacks_is_parked_with_the_key_to_change(make_rig: Any) -> None:
    rig = on(make_rig, presets.resolution_screen(), mappings=jira(resolution="Fixed"))
    resolve(rig, trigger(rig))
    assert moves(rig) == []
    assert (
        "it has Done, Won't Do, Duplicate, Cannot Reproduce): name one under jira.resolution"
        in parked_error(rig)
    )
    nothing_more_is_written(rig)


def root_cause_at_the_end(make_rig: Any, **options: Any) -> Rig:
    """A rig whose ways to done demand the field Root cause, which no other screen has."""

    def preset(world: Any) -> None:
        presets.without_fields(world.jira.site, "OPS", "customfield_10052")

    return on(make_rig, presets.closing_screen("customfield_10052"), preset=preset, **options)


@pytest.mark.parametrize("name", ["Root cause", "customfield_10052"])
def test_what_a_screen_demands_is_filled_from_the_mapping(make_rig: Any, name: str) -> None:
    rig = root_cause_at_the_end(make_rig, mappings=jira(fields={name: {"template": "see {{ incident.id }}"}}))
    made = trigger(rig)
    resolve(rig, made)
    assert issue_of(rig)["fields"]["customfield_10052"] == f"see {made.id}"
    assert status(rig) == "Done"
    nothing_more_is_written(rig)


def test_what_a_screen_demands_and_nothing_fills_is_parked_with_the_field_named(make_rig: Any) -> None:
    rig = root_cause_at_the_end(make_rig)
    made = trigger(rig)
    before = rig.writes()
    resolve(rig, made)
    assert "Root cause is required." in parked_error(rig)
    assert "add jira.fields.Root cause to the mapping" in parked_error(rig)
    assert rig.writes() == before + 1
    nothing_more_is_written(rig)


def test_what_a_person_filled_in_needs_no_mapping(make_rig: Any) -> None:
    rig = on(make_rig, presets.closing_screen("customfield_10052"))
    made = trigger(rig)
    rig.world.jira.edit("OPS-1", "Ines Carvalho", customfield_10052="a bad deploy")
    resolve(rig, made)
    assert status(rig) == "Done"
    assert issue_of(rig)["fields"]["customfield_10052"] == "a bad deploy"
    nothing_more_is_written(rig)


def test_of_two_ways_to_a_status_the_one_that_can_be_filled_is_taken(make_rig: Any) -> None:
    hard = way("7", TO_DO, DONE, name="Close with a cause", screen=("customfield_10052",))
    hard = replace(hard, required=frozenset({"customfield_10052"}))
    rig = on(make_rig, Workflow("Two", presets.PLAIN, (hard, way("8", TO_DO, DONE))))
    resolve(rig, trigger(rig))
    assert status(rig) == "Done"
    nothing_more_is_written(rig)


def test_global_transitions_are_known_by_where_they_lead(make_rig: Any) -> None:
    rig = on(make_rig, presets.unresolving())
    made = trigger(rig)
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(2)
    resolve(rig, made)
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(2)
    assert moves(rig) == ["In Progress", "Done", "To Do"]
    nothing_more_is_written(rig)


def test_a_missing_permission_is_no_missing_way(make_rig: Any) -> None:
    rig = on(make_rig, presets.simple())
    made = trigger(rig)
    resolve(rig, made)
    rig.world.jira.site.project("OPS").denied.add("TRANSITION_ISSUES")
    rig.context.facts.forget_ways("OPS.10101", DONE.id)
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(2)
    assert "TRANSITION_ISSUES" in parked_error(rig)
    assert not any("no way back" in body for body in comments(rig))
    rig.world.jira.site.project("OPS").denied.clear()
    try_again(rig)
    assert status(rig) == "To Do"
    nothing_more_is_written(rig)
