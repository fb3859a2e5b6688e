"""Projects as they really are: fields demanded and missing, other languages, customers, closed accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import Rig

from engine.cast import creates, issue_of, issues, jira, nothing_more_is_written, parked_error, status
from syncd.ledger.store import operation_states, outbox
from syncd.sandbox import faults, presets
from syncd.sandbox.world import World

ME = "Amara Osei"
CALM = 330.0
"""Seconds after which a move back to a status that was left is not damped any more."""


def on(make_rig: Any, preset: Any = None, **options: Any) -> Rig:
    """A rig on a changed world, after its first quiet cycle."""
    rig: Rig = make_rig(**({"preset": preset} if preset else {}), **options)
    rig.cycle()
    return rig


def trigger(rig: Rig, priority: str = "P4", **more: Any) -> Any:
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority=priority, **more)
    rig.settle(2)
    return made


def try_again(rig: Rig, *, mappings: Any = None) -> None:
    """Somebody mended something, started the daemon again and retried what is parked."""
    with rig.ledger.write() as session:
        for row in outbox.listing(session, ["parked"]):
            operation_states.retry(session, row, rig.clock.now(), rig.context.gave_up(), "test")
    rig.mappings = mappings or rig.mappings
    rig.restart()
    rig.settle(3)


def live_through(rig: Rig, made: Any) -> None:
    """Acknowledged, talked about and resolved."""
    people = rig.world.pagerduty
    people.acknowledge(made.id, ME)
    people.note(made.id, "on it", ME)
    rig.settle(2)
    people.resolve(made.id, ME)
    rig.cycle()
    rig.cycle(CALM)


def demanding(*fields: str) -> Any:
    return lambda world: presets.require(world.jira.site, "OPS", *fields)


def test_a_demanded_field_is_filled_from_the_mapping(make_rig: Any) -> None:
    fields = {"Root cause": {"value": "not known yet"}, "Severity": {"severity": True}}
    rig = on(make_rig, demanding("customfield_10050", "customfield_10052"), mappings=jira(fields=fields))
    made = trigger(rig)
    assert issue_of(rig)["fields"]["customfield_10052"] == "not known yet"
    assert issue_of(rig)["fields"]["customfield_10050"]["value"] == "SEV3"
    live_through(rig, made)
    assert status(rig) == "Done"
    nothing_more_is_written(rig)


def test_a_demanded_field_that_nothing_fills_is_parked_with_the_key_to_add(make_rig: Any) -> None:
    rig = on(make_rig, demanding("customfield_10050", "customfield_10052"))
    trigger(rig)
    assert issues(rig) == []
    error = parked_error(rig)
    assert "Root cause is required." in error
    assert "add jira.fields.Severity and jira.fields.Root cause to the mapping" in error
    nothing_more_is_written(rig)
    fields = {"Severity": {"severity": True}, "customfield_10052": {"template": "see {{ incident.id }}"}}
    try_again(rig, mappings=jira(fields=fields))
    assert len(issues(rig)) == 1
    nothing_more_is_written(rig)


def test_a_demanded_field_that_does_not_take_its_value_is_not_dropped(make_rig: Any) -> None:
    fields = {"Severity": {"value": "Dire"}}
    rig = on(make_rig, demanding("customfield_10050"), mappings=jira(fields=fields))
    trigger(rig)
    assert "Severity does not take Dire (it has SEV0, SEV1" in parked_error(rig)
    assert "change jira.fields.Severity" in parked_error(rig)
    assert issues(rig) == []
    nothing_more_is_written(rig)
    # Jira gets the option, and a retry looks at the screen again
    site = rig.world.jira.site
    field = site.fields["customfield_10050"]
    options = (*field.options, replace(field.options[0], id="10999", value="Dire"))
    site.fields[field.id] = replace(field, options=options)
    try_again(rig)
    assert issue_of(rig)["fields"][field.id]["value"] == "Dire"
    nothing_more_is_written(rig)


@pytest.mark.parametrize("required", [False, True])
def test_a_refused_field_of_the_mapping_is_dropped_unless_it_is_required(
    make_rig: Any, required: bool
) -> None:
    fields = {"Severity": {"value": "Dire", "required": required}}
    rig = on(make_rig, mappings=jira(fields=fields))
    trigger(rig)
    assert len(issues(rig)) == (0 if required else 1)
    assert len(rig.operations("parked")) == (1 if required else 0)
    nothing_more_is_written(rig)


def test_a_team_managed_project_gets_labels_for_what_it_lacks_and_no_refusal(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.team_managed(world.jira.site))
    before = rig.writes()
    made = trigger(rig, "P2")
    assert rig.writes() == before + 2
    fields = issue_of(rig)["fields"]
    assert {"SEV1", "Alipay-Integration"} <= set(fields["labels"])
    assert "priority" not in fields
    rig.world.pagerduty.set_priority(made.id, "P1", ME)
    live_through(rig, made)
    assert status(rig) == "In Review"
    nothing_more_is_written(rig)


def test_a_plan_without_security_levels_and_schemes_is_enough(make_rig: Any) -> None:
    def preset(world: World) -> None:
        world.jira.site.project("OPS").levels.clear()
        parked_error = {"errorMessages": ["Issue security is not part of your plan."]}
        world.faults.add(
            faults.error(403, body=parked_error), service="jira", path="/securitylevel$", times=None
        )

    rig = on(make_rig, preset)
    live_through(rig, trigger(rig))
    assert status(rig) == "Done"
    assert rig.context.facts.resolved(rig.mappings[0]).security == {}
    nothing_more_is_written(rig)


def test_a_site_in_another_language_is_known_by_the_names_before_translation(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.localise(world.jira.site))
    made = trigger(rig)
    assert issue_of(rig)["fields"]["issuetype"]["name"] == "Vorfall"
    assert status(rig) == "Zu erledigen"
    live_through(rig, made)
    assert status(rig) == "Fertig"
    nothing_more_is_written(rig)


@pytest.mark.parametrize(("missing", "taken"), [(("Incident",), "Bug"), (("Incident", "Bug"), "Task")])
def test_a_project_without_incidents_gets_the_next_best_type(
    make_rig: Any, missing: tuple[str, ...], taken: str
) -> None:
    rig = on(make_rig, lambda world: presets.without_types(world.jira.site, "OPS", *missing))
    live_through(rig, trigger(rig))
    assert issue_of(rig)["fields"]["issuetype"]["name"] == taken
    assert status(rig) == "Done"
    nothing_more_is_written(rig)


def context(world: World) -> None:
    presets.service_desk(world.jira.site)


def shown(rig: Rig) -> list[str]:
    """What customers read of an issue."""
    ticket = rig.world.jira.site.find("OPS-1")
    assert ticket is not None
    return [comment.body for comment in ticket.comments if comment.public]


def test_customers_of_a_service_project_read_nothing_of_ours(make_rig: Any) -> None:
    rig = on(make_rig, context)
    made = trigger(rig)
    rig.world.jira.edit("OPS-1", "Ines Carvalho", summary="What it really is")
    rig.world.pagerduty.set_title(made.id, "Another title", ME)
    live_through(rig, made)
    ticket = rig.world.jira.site.find("OPS-1")
    assert ticket is not None and len(ticket.comments) == 2
    assert shown(rig) == []
    nothing_more_is_written(rig)


def test_a_ticket_that_was_moved_to_a_service_project_is_safe_there(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.service_desk(world.jira.site, "ENG"))
    made = trigger(rig)
    rig.world.jira.move("OPS-1", "ENG", by="Ines Carvalho", type="Bug")
    rig.world.pagerduty.note(made.id, "on it", ME)
    rig.settle(2)
    ticket = rig.world.jira.site.find("ENG-1")
    assert ticket is not None
    assert [comment.public for comment in ticket.comments] == [False]
    nothing_more_is_written(rig)


def test_other_projects_may_call_our_comments_public(house: Rig) -> None:
    house.world.jira.site.options.deaf_to_internal = True
    made = trigger(house)
    for number in range(2):
        house.world.pagerduty.note(made.id, f"note {number}", ME)
        house.settle(2)
    assert len(issue_of(house)["comments"]) == 2
    nothing_more_is_written(house)


def test_a_comment_that_comes_out_public_stops_the_others_of_that_project(make_rig: Any) -> None:
    rig = on(make_rig, context)
    first, second = trigger(rig), trigger(rig)
    rig.world.jira.site.options.deaf_to_internal = True
    rig.world.pagerduty.note(first.id, "the first", ME)
    rig.settle(2)
    rig.world.pagerduty.note(first.id, "the second", ME)
    rig.world.pagerduty.note(second.id, "the third", ME)
    rig.settle(2)
    parked = rig.operations("parked")
    assert [row.kind for row in parked] == ["mirror_note", "mirror_note"]
    assert all("syncd stopped commenting on OPS" in str(row.error) for row in parked)
    assert sum(len(issue["comments"]) for issue in issues(rig)) == 1
    nothing_more_is_written(rig)
    try_again(rig)
    assert sum(len(issue["comments"]) for issue in issues(rig)) == 2
    rig.world.jira.site.options.deaf_to_internal = False
    try_again(rig)
    assert sum(len(issue["comments"]) for issue in issues(rig)) == 3
    rig.world.pagerduty.note(second.id, "the fourth", ME)
    rig.settle(2)
    assert not rig.operations("parked", "pending")
    nothing_more_is_written(rig)


def test_a_comment_of_which_nobody_can_tell_who_sees_it_is_looked_up_until_jira_tells(make_rig: Any) -> None:
    rig = on(make_rig, context)
    made = trigger(rig)
    rig.world.jira.site.options.deaf_to_internal = True
    rule = rig.world.faults.add(faults.error(400), service="jira", method="GET", path="/comment$", times=None)
    rig.world.pagerduty.note(made.id, "the first", ME)
    rig.settle(2)
    assert [row.kind for row in rig.operations("unknown")] == ["mirror_note"]
    rig.world.faults.remove(rule.id)
    rig.settle(4, 600)
    rig.world.pagerduty.note(made.id, "the second", ME)
    rig.settle(2)
    (parked,) = rig.operations("parked")
    assert "syncd stopped commenting on OPS" in str(parked.error)
    assert len(issue_of(rig)["comments"]) == 1


def test_a_lost_answer_to_an_internal_comment_is_judged_when_it_is_found(make_rig: Any) -> None:
    rig = on(make_rig, context)
    made = trigger(rig)
    rig.world.jira.site.options.deaf_to_internal = True
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/comment$", times=1)
    rig.world.pagerduty.note(made.id, "the first", ME)
    rig.settle(3)
    rig.world.pagerduty.note(made.id, "the second", ME)
    rig.settle(2)
    assert "syncd stopped commenting on OPS" in parked_error(rig)
    assert len(issue_of(rig)["comments"]) == 1


def test_security_levels_that_our_account_may_set_are_known_by_name(house: Rig) -> None:
    assert house.context.facts.resolved(house.mappings[0]).security == {"Security incident": "10500"}


def close_account(rig: Rig, name: str) -> None:
    site = rig.world.jira.site
    site.people[rig.world.jira.account_id(name)].active = False


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_a_refused_assignee_is_dropped_and_looked_up_again(make_rig: Any, edition: str) -> None:
    rig = on(make_rig, data_center_edition=edition == "datacenter")
    trigger(rig)
    close_account(rig, ME)
    before, written = creates(rig), rig.writes()
    trigger(rig)
    assert creates(rig) == before + 2
    assert rig.writes() == written + 4  # with the note that names the ticket, and one edit
    assert issue_of(rig, 2)["fields"]["assignee"]["displayName"] == "Priya Raman"
    trigger(rig)
    assert creates(rig) == before + 3
    assert issue_of(rig, 3)["fields"]["assignee"]["displayName"] == "Priya Raman"
    rig.restart()
    rig.settle(2)
    assert issue_of(rig, 1)["fields"]["assignee"]["displayName"] == "Priya Raman"
    nothing_more_is_written(rig)


def test_an_assignee_who_left_between_two_edits_is_tried_once(house: Rig) -> None:
    made = trigger(house)
    other = trigger(house, assignees=["Mei Tanaka"])
    close_account(house, "Mei Tanaka")
    house.world.pagerduty.reassign(made.id, ["Mei Tanaka"], ME)
    house.settle(3)
    assert issue_of(house)["fields"]["assignee"]["displayName"] == "Priya Raman"
    house.world.pagerduty.reassign(other.id, [ME], ME)
    house.settle(2)
    assert issue_of(house, 2)["fields"]["assignee"]["displayName"] == ME
    nothing_more_is_written(house)


def test_an_edit_that_is_refused_for_ever_is_parked_with_jiras_words(house: Rig) -> None:
    made = trigger(house)
    body = {"errorMessages": ["This issue is not editable."], "errors": {}}
    rule = house.world.faults.add(
        faults.error(400, body=body), service="jira", method="PUT", path=r"/issue/\d+$", times=None
    )
    house.world.pagerduty.set_title(made.id, "Latency everywhere", ME)
    before = house.writes()
    house.settle(4)
    assert "This issue is not editable." in parked_error(house)
    assert house.writes() == before + 2
    nothing_more_is_written(house)
    house.world.faults.remove(rule.id)
    try_again(house)
    assert issue_of(house)["fields"]["summary"] == "Latency everywhere"
    nothing_more_is_written(house)
