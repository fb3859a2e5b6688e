"""Postmortems in projects that lack types, link types and labels, or demand fields."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cast import nothing_more_is_written
from engine.postmortem_rig import ALIPAY, later, live, on, postmortem, team, text
from syncd.sandbox import presets


@pytest.mark.parametrize(("missing", "taken"), [(("Postmortem",), "Task")])
def test_a_project_without_postmortems_gets_the_next_best_type(
    make_rig: Any, missing: tuple[str, ...], taken: str
) -> None:
    rig = on(make_rig, lambda world: presets.without_types(world.jira.site, "OPS", *missing))
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["issuetype"]["name"] == taken
    nothing_more_is_written(rig)


def test_a_project_without_any_such_type_parks_it_with_the_key_to_change(make_rig: Any) -> None:
    rig = on(
        make_rig,
        jira={"project": "OPS", "issue_types": {"postmortem": ["Retro"]}},
    )
    live(rig)
    later(rig)
    (parked,) = rig.operations("parked")
    assert "name one under jira.issue_types.postmortem" in str(parked.error)
    nothing_more_is_written(rig)


def test_a_team_managed_project_and_one_without_labels_get_theirs(make_rig: Any) -> None:
    def preset(world: Any) -> None:
        presets.team_managed(world.jira.site)
        presets.without_fields(world.jira.site, "OPS", "labels", "assignee")

    rig = on(make_rig, preset)
    live(rig)
    later(rig)
    assert not postmortem(rig)["fields"].get("labels")
    nothing_more_is_written(rig)


def test_a_site_without_the_link_types_has_the_ticket_s_address_in_the_text(make_rig: Any) -> None:
    rig = on(make_rig, postmortem={"link_types": ["Problem/Incident"]})
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["issuelinks"] == []
    assert "[Ticket OPS-1|" in text(rig)
    assert rig.operations("parked", "pending") == []
    nothing_more_is_written(rig)


def test_a_demanded_field_is_filled_from_the_mapping_or_parks_it_with_the_key(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.require(world.jira.site, "OPS", "customfield_10052"))
    rig.stop()
    rig.mappings = team(jira={"project": "OPS", "fields": {"Root cause": {"value": "not known yet"}}})
    rig.start()
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["customfield_10052"] == "not known yet"
    nothing_more_is_written(rig)


def test_a_demanded_component_is_the_service_s(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.require(world.jira.site, "OPS", "components"))
    live(rig)
    later(rig)
    assert [component["name"] for component in postmortem(rig)["fields"]["components"]] == [ALIPAY]
    nothing_more_is_written(rig)
