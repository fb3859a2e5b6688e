"""The order in which a severity is decided, on a mapping that uses every way of saying it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.severity import decide_severity

MAPPING = Mapping.model_validate(
    {
        "team": "Payments",
        "enforce_from": "2026-12-01",
        "jira": {"project": "OPS"},
        "services": {"Payments": {"severity": "SEV1"}, "Ledger": {}},
        "severity_field": "severity",
        "severities": {
            "SEV0": {"pagerduty": "P1", "words": ["S0", "blackout"]},
            "SEV1": {"pagerduty": ["P2", "Urgent"], "words": "S1"},
            "SEV2": {"pagerduty": "P3", "urgency": "high"},
            "SEV3": {"pagerduty": "P4", "urgency": "low"},
        },
    }
)


def decided(service: str = "Ledger", **said: Any) -> tuple[str, bool]:
    case = Incident.model_validate(
        {
            "id": "PINC1",
            "number": 1,
            "title": "Payments fail",
            "status": "triggered",
            "service": {"id": "PS", "name": service},
            "created_at": datetime(2026, 12, 1, tzinfo=UTC),
        }
        | said
    )
    severity = decide_severity(case, MAPPING, MAPPING.services[service])
    return severity.name, severity.assumed


P1 = {"id": "PP1", "name": "P1"}
SAID = {
    "priority": P1,
    "custom_fields": {"severity": "SEV1"},
    "title": "[SEV2] Payments fail",
    "urgency": "low",
}


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        ((), ("SEV0", False)),
        (("priority",), ("SEV1", False)),
        (("priority", "custom_fields"), ("SEV2", False)),
        (("priority", "custom_fields", "title"), ("SEV3", True)),
    ],
)
def test_priority_field_title_and_urgency_decide_in_that_order(
    left_out: tuple[str, ...], expected: tuple[str, bool]
) -> None:
    assert decided(**{key: value for key, value in SAID.items() if key not in left_out}) == expected


def test_a_service_decides_before_the_urgency_and_is_assumed() -> None:
    assert decided("Payments", urgency="low") == ("SEV1", True)
    assert decided("Payments", title="[SEV3] fails") == ("SEV3", False)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("[SEV1] down", ("SEV1", False)),
        ("  [sev1]down", ("SEV1", False)),
        ("[S0] down", ("SEV0", False)),
        ("[Blackout] down", ("SEV0", False)),
        ("[EU] down", ("SEV2", True)),
        ("down [SEV1]", ("SEV2", True)),
        ("[SEV1 down", ("SEV2", True)),
    ],
)
def test_a_title_says_the_severity_in_brackets_before_anything_else(
    title: str, expected: tuple[str, bool]
) -> None:
    assert decided(title=title) == expected


def test_a_priority_that_no_severity_names_leaves_the_word_to_the_others() -> None:
    assert decided(priority={"id": "PP5", "name": "P5"}, title="[SEV1] down") == ("SEV1", False)
    assert decided(priority={"id": "PP5", "name": "P5"}) == ("SEV2", True)


def test_a_custom_field_that_says_nothing_is_passed_over() -> None:
    for value in (None, "", "unknown", 3, ["SEV0"]):
        assert decided(custom_fields={"severity": value}) == ("SEV2", True)
    assert decided(custom_fields={"severity": "s1"}) == ("SEV1", False)
