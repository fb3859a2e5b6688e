"""A project's own lists: its priorities, the fields that Jira demands, values as people write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import issue_of, issues, jira, nothing_more_is_written, parked_error, status
from engine.test_every_jira_project import demanding, on, trigger, try_again
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.sandbox import presets
from syncd.sandbox.jira.model import Component, FieldDef, Option
from syncd.sandbox.world import World

ME = "Amara Osei"
EDITIONS = pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])


def few_priorities(world: World) -> None:
    presets.priority_scheme(world.jira.site, "OPS", "Low", "Medium")


def labels(rig: Rig) -> set[str]:
    return {label for label in issue_of(rig)["fields"]["labels"] if not label.startswith(("syncd", "pd-"))}


@EDITIONS
def test_a_priority_that_only_the_site_has_becomes_a_label(make_rig: Any, data_center: bool) -> None:
    rig = on(make_rig, few_priorities, data_center_edition=data_center)
    made = trigger(rig, "P1")
    # nothing was refused: one create and one note
    assert rig.writes() == 2
    assert issue_of(rig)["fields"]["priority"]["name"] == "Low"
    assert labels(rig) == {"SEV0", "priority-Highest"}
    # the next severity has a priority that the project offers
    rig.world.pagerduty.set_priority(made.id, "P3", ME)
    rig.settle(3)
    assert issue_of(rig)["fields"]["priority"]["name"] == "Medium"
    assert labels(rig) == {"SEV2"}
    rig.world.pagerduty.set_priority(made.id, "P2", ME)
    rig.settle(3)
    assert labels(rig) == {"SEV1", "priority-High"}
    assert rig.operations("parked") == []
    nothing_more_is_written(rig)


@EDITIONS
def test_of_several_priorities_the_first_that_the_project_offers_is_taken(
    make_rig: Any, data_center: bool
) -> None:
    mapped = (mapping(severities={"SEV0": {"pagerduty": "P1", "priority": ["Highest", "Medium"]}}),)
    rig = on(make_rig, few_priorities, data_center_edition=data_center, mappings=mapped)
    trigger(rig, "P1")
    assert issue_of(rig)["fields"]["priority"]["name"] == "Medium"
    assert labels(rig) == {"SEV0"}
    nothing_more_is_written(rig)


REPORTER = {"Reporter": {"value": "mei.tanaka@qrpay.example"}}


@EDITIONS
def test_a_reporter_that_jira_demands_is_filled_from_the_key_that_the_hint_names(
    make_rig: Any, data_center: bool
) -> None:
    rig = on(make_rig, demanding("reporter"), data_center_edition=data_center)
    trigger(rig)
    assert issues(rig) == []
    assert "Reporter is required." in parked_error(rig)
    assert (
        "add jira.fields.Reporter to the mapping; the value of Reporter is a person's address"
        in parked_error(rig)
    )
    try_again(rig, mappings=jira(fields=REPORTER))
    assert issue_of(rig)["fields"]["reporter"]["displayName"] == "Mei Tanaka"
    assert rig.operations("parked") == []
    nothing_more_is_written(rig)


@EDITIONS
@pytest.mark.parametrize("written", ["mei.tanaka@qrpay.example", "mei tanaka", "account"])
def test_a_person_is_known_by_address_name_and_account(
    make_rig: Any, data_center: bool, written: str
) -> None:
    picker = FieldDef("customfield_10060", "Duty officer", "user")
    rig = on(
        make_rig,
        lambda world: presets.add_field(world.jira.site, "OPS", picker),
        data_center_edition=data_center,
    )
    if written == "account":
        mei = next(person for person in rig.world.jira.site.people.values() if person.name == "Mei Tanaka")
        written = mei.username if data_center else mei.account_id
    rig.mappings = jira(fields={"duty OFFICER": {"value": written, "required": True}})
    rig.restart()
    trigger(rig)
    assert issue_of(rig)["fields"][picker.id]["displayName"] == "Mei Tanaka"
    nothing_more_is_written(rig)


def test_a_person_whom_jira_does_not_know_costs_an_optional_field_only(make_rig: Any) -> None:
    fields = {"Reporter": {"value": "nobody@qrpay.example"}}
    rig = on(make_rig, mappings=jira(fields=fields))
    trigger(rig)
    assert issue_of(rig)["fields"]["reporter"]["displayName"] == "syncd"
    # Jira demands the field after all: nothing is dropped, and the words say whom nobody knows
    presets.validate(rig.world.jira.site, "OPS", "reporter")
    trigger(rig)
    assert "Reporter does not take nobody@qrpay.example (it takes the address of one active" in parked_error(
        rig
    )
    try_again(rig, mappings=jira(fields=REPORTER))
    assert issue_of(rig, 2)["fields"]["reporter"]["displayName"] == "Mei Tanaka"
    nothing_more_is_written(rig)


def test_a_demanded_assignee_comes_from_the_fallback_that_the_hint_names(make_rig: Any) -> None:
    rig = on(make_rig, demanding("assignee"), mappings=(mapping(people={}),))
    # nobody whom PagerDuty calls has an account in Jira
    site = rig.world.jira.site
    site.project("OPS").unassignable = {
        person for person in site.people if site.people[person].name != "Priya Raman"
    }
    trigger(rig)
    assert "Assignee is required." in parked_error(rig)
    assert "set people.fallback" in parked_error(rig)
    try_again(rig, mappings=(mapping(),))
    assert issue_of(rig)["fields"]["assignee"]["displayName"] == "Priya Raman"
    nothing_more_is_written(rig)


@EDITIONS
def test_what_only_a_validator_demands_is_filled_on_postmortems_and_action_items(
    make_rig: Any, data_center: bool
) -> None:
    fields = {"Root cause": {"value": "not known yet"}, **REPORTER}
    rig = on(make_rig, data_center_edition=data_center, mappings=(follow_ups(fields),))
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.cycle()
    presets.validate(rig.world.jira.site, "OPS", "customfield_10052", "reporter", "assignee")
    rig.world.pagerduty.resolve(made.id, ME)
    rig.settle(2, 400)
    rig.cycle(1500)
    rig.settle(3)
    made_later = issues(rig)[1:]
    assert len(made_later) == 2
    for issue in made_later:
        assert issue["fields"]["customfield_10052"] == "not known yet"
        assert issue["fields"]["reporter"]["displayName"] == "Mei Tanaka"
        assert issue["fields"]["assignee"] is not None
    assert rig.operations("parked") == []


def follow_ups(fields: dict[str, Any]) -> Any:
    return mapping(
        jira={"project": "OPS", "fields": fields},
        postmortem={"mode": "enforce"},
        follow_ups={"mode": "enforce", "knowledge_base": True},
    )


def test_what_only_a_validator_of_a_transition_demands_is_filled_or_named(make_rig: Any) -> None:
    rig = on(make_rig)
    validated = presets.closing_screen("customfield_10052")
    transitions = tuple(
        replace(transition, required=frozenset(), validated=transition.required)
        for transition in validated.transitions
    )
    presets.use_workflow(rig.world.jira.site, "OPS", replace(validated, transitions=transitions))
    made = trigger(rig)
    rig.world.pagerduty.resolve(made.id, ME)
    rig.settle(3)
    assert "Root cause is required." in parked_error(rig)
    assert "add jira.fields.Root cause to the mapping" in parked_error(rig)
    try_again(rig, mappings=jira(fields={"Root cause": {"value": "not known yet"}}))
    assert status(rig) == "Done"
    assert issue_of(rig)["fields"]["customfield_10052"] == "not known yet"
    nothing_more_is_written(rig)


AREA = FieldDef(
    "customfield_10061",
    "Area",
    "cascade",
    (Option("1", "Europe", (Option("11", "Berlin"), Option("12", "Paris"))), Option("2", "Asia")),
)
TAGS = FieldDef("customfield_10062", "Tags", "options", (Option("1", "Night"), Option("2", "Card schemes")))
COUNT = FieldDef("customfield_10063", "Count", "number")
SEEN = FieldDef("customfield_10064", "Seen", "datetime")
FIXED = FieldDef("customfield_10065", "Fixed in", "versions")


def all_kinds(world: World) -> None:
    for field in (AREA, TAGS, COUNT, SEEN, FIXED):
        presets.add_field(world.jira.site, "OPS", field)
    world.jira.site.project("OPS").versions.append(Component("1", "2026.11"))


@EDITIONS
def test_values_of_every_kind_are_sent_as_jira_takes_them(make_rig: Any, data_center: bool) -> None:
    fields = {
        "severity": {"value": "sev2"},
        "area": {"value": "europe / berlin"},
        "tags": {"value": "night, card schemes"},
        "count": {"template": "{{ incident.number }}"},
        "seen": {"template": "{{ incident.triggered_at }}"},
        "fixed in": {"value": "2026.11"},
        "due date": {"value": "5 Dec 2026"},
    }
    needed = {name: {**spec, "required": True} for name, spec in fields.items()}
    rig = on(
        make_rig,
        all_kinds,
        data_center_edition=data_center,
        mappings=jira(fields=needed),
        renderer=TicketRenderer(Templates()),
    )
    trigger(rig)
    shown = issue_of(rig)["fields"]
    assert shown["customfield_10050"]["value"] == "SEV2"
    assert (shown[AREA.id]["value"], shown[AREA.id]["child"]["value"]) == ("Europe", "Berlin")
    assert [tag["value"] for tag in shown[TAGS.id]] == ["Night", "Card schemes"]
    assert shown[COUNT.id] == 1
    assert shown[SEEN.id].startswith("2026-11-")
    assert [version["name"] for version in shown[FIXED.id]] == ["2026.11"]
    assert shown["duedate"] == "2026-12-05"
    # nothing was refused: one create and one note
    assert rig.writes() == 2
    nothing_more_is_written(rig)


def test_a_severity_in_another_case_than_the_option_follows_and_is_written_once(make_rig: Any) -> None:
    def small(world: World) -> None:
        site = world.jira.site
        field = site.fields["customfield_10050"]
        options = tuple(replace(option, value=option.value.lower()) for option in field.options)
        site.fields[field.id] = replace(field, options=options)

    rig = on(make_rig, small, mappings=jira(fields={"Severity": {"severity": True}}))
    made = trigger(rig)
    assert issue_of(rig)["fields"]["customfield_10050"]["value"] == "sev3"
    rig.world.pagerduty.set_priority(made.id, "P2", ME)
    rig.settle(3)
    assert issue_of(rig)["fields"]["customfield_10050"]["value"] == "sev1"
    nothing_more_is_written(rig)
