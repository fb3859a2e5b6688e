"""A project's own lists: its priorities, the fields that Jira demands, values as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.test_every_jira_project import on, trigger
from engine.test_lifecycle import issue_of, nothing_more_is_written
from syncd.sandbox import presets
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
