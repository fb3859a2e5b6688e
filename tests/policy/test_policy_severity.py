"""How bad an incident is, who said so, and when nobody did."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from policy_cast import RAMEN, incident, mapping

from syncd.domain.base import Reference
from syncd.domain.mapping.services import ServiceSection
from syncd.policy.severity import Severity, decide_severity

SAYS: dict[str, tuple[dict[str, Any], str]] = {
    "priority": ({"priority": Reference(id="X", name="P1")}, "SEV0"),
    "field": ({"custom_fields": {"impact": "SEV1"}}, "SEV1"),
    "title": ({"title": "[SEV2] Payments are late"}, "SEV2"),
    "service": ({}, "SEV3"),
    "urgency": ({"urgency": "high"}, "SEV2"),
}
"""Who says it, worst first: how, and what they say."""


def decided(section: ServiceSection | None = None, **more: Any) -> Severity:
    fields = {"priority": None, **more}
    return decide_severity(incident(**fields), mapping(), section or ServiceSection())


@pytest.mark.parametrize(("first", "second"), list(combinations(SAYS, 2)))
def test_who_comes_first_in_the_stated_order_decides(first: str, second: str) -> None:
    section = ServiceSection(severity="SEV3") if "service" in (first, second) else ServiceSection()
    both = SAYS[second][0] | SAYS[first][0]
    severity = decided(section, **both)
    assert (severity.source, severity.name) == (first, SAYS[first][1])


@pytest.mark.parametrize(
    ("source", "assumed"),
    [("priority", False), ("field", False), ("title", False), ("service", True), ("urgency", True)],
)
def test_what_nobody_chose_for_this_incident_is_assumed(source: str, assumed: bool) -> None:
    section = ServiceSection(severity="SEV3") if source == "service" else ServiceSection()
    severity = decided(section, **SAYS[source][0])
    assert (severity.source, severity.assumed) == (source, assumed)


@pytest.mark.parametrize(
    ("priority", "name"),
    [("P1", "SEV0"), ("P2", "SEV1"), ("P3", "SEV2"), ("P4", "SEV3"), ("p2", "SEV1")],
)
def test_qrpays_priorities_are_its_severities(priority: str, name: str) -> None:
    assert decided(priority=Reference(id="X", name=priority)).name == name


@pytest.mark.parametrize(("urgency", "name"), [("high", "SEV2"), ("low", "SEV3")])
def test_qrpays_urgencies_stand_in_where_there_is_no_priority(urgency: str, name: str) -> None:
    severity = decided(urgency=urgency)
    assert (severity.name, severity.assumed) == (name, True)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"priority": Reference(id="X", name="P1")}, "Sev-1"),
        ({"priority": Reference(id="X", name="P2")}, "Sev-2"),
        ({"priority": Reference(id="X", name="P3")}, "Sev-3"),
        ({"urgency": "high"}, "Sev-2"),
        ({"urgency": "low"}, "Sev-3"),
    ],
)
def test_ramens_severities(given: dict[str, Any], name: str) -> None:
    happened = incident(**{"priority": None, **given})
    assert decide_severity(happened, mapping(RAMEN), ServiceSection()).name == name


def test_a_priority_that_the_mapping_does_not_know_leaves_the_word_to_the_next() -> None:
    severity = decided(priority=Reference(id="X", name="P9"), title="[SEV1] late")
    assert (severity.name, severity.source) == ("SEV1", "title")


@pytest.mark.parametrize("title", ["[SEV1] late", "  [sev1]late", "[ SEV1 ] late", "[S1] late", "[s1]"])
def test_a_title_says_it_in_brackets_before_everything_else(title: str) -> None:
    severity = decided(title=title)
    assert (severity.name, severity.source) == ("SEV1", "title")


@pytest.mark.parametrize(
    "title",
    [
        "SEV1 late",
        "late [SEV1]",
        "[SEV1 late",
        "[SEV1",
        "[SEV9] late",
        "[SEV1, SEV2] late",
        "[] late",
        "",
        "[",
    ],
)
def test_anything_else_in_a_title_says_nothing(title: str) -> None:
    assert decided(title=title).source == "urgency"


@pytest.mark.parametrize("value", ["SEV1", "sev1", " S1 "])
def test_the_custom_field_says_it_with_its_name_or_one_of_its_words(value: str) -> None:
    severity = decided(custom_fields={"impact": value})
    assert (severity.name, severity.source, severity.assumed) == ("SEV1", "field", False)


@pytest.mark.parametrize(
    "fields", [None, {}, {"impact": None}, {"impact": ["SEV1"]}, {"impact": "bad"}, {"other": "SEV1"}]
)
def test_a_custom_field_that_says_nothing_known_leaves_the_word_to_the_next(fields: object) -> None:
    assert decided(custom_fields=fields).source == "urgency"


def test_no_custom_field_counts_where_the_mapping_names_none() -> None:
    happened = incident(priority=None, custom_fields={"impact": "SEV0", "None": "SEV0"})
    assert decide_severity(happened, mapping(severity_field=None), ServiceSection()).source == "urgency"


def test_there_always_is_a_severity_the_mildest_where_nobody_says_any() -> None:
    before_enforcement = {"SEV1": {"pagerduty": "P1"}, "SEV2": {"pagerduty": "P2"}}
    severity = decide_severity(
        incident(priority=None), mapping(severities=before_enforcement), ServiceSection()
    )
    assert (severity.name, severity.assumed) == ("SEV2", True)
