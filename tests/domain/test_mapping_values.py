from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from syncd.domain.base import Reference
from syncd.domain.mapping.mapping import Mapping, claim_of
from syncd.domain.mapping.services import default_severities


def make(**changes: object) -> Mapping:
    data: dict[str, object] = {
        "team": "Payments",
        "enforce_from": date(2026, 12, 1),
        "jira": {"project": "OPS"},
        "services": {"Payments": {}},
    }
    return Mapping.model_validate(data | changes)


def test_a_mapping_needs_only_team_date_project_and_services() -> None:
    assert make().jira.statuses.names("triggered") == ("To Do", "Open")
    for missing in ("team", "enforce_from", "jira", "services"):
        data = make().model_dump()
        del data[missing]
        with pytest.raises(ValidationError):
            Mapping.model_validate(data)


def test_one_name_stands_for_a_list_of_one() -> None:
    mapping = make(jira={"project": "OPS", "statuses": {"closed": "Shipped"}})
    assert mapping.jira.statuses.closed == ("Shipped",)


def test_without_severities_both_urgencies_still_mean_something() -> None:
    assert {section.urgency for section in default_severities().values()} == {"high", "low"}


def test_a_severity_is_known_by_its_name_and_its_words_in_any_case() -> None:
    severities = {"SEV1": {"words": ["S1", "major"], "urgency": "high"}, "SEV2": {"urgency": "low"}}
    mapping = make(severities=severities)
    assert mapping.severity_named(" sev1 ") == mapping.severity_named("MAJOR") == "SEV1"
    assert mapping.severity_named("sev2") == "SEV2"
    assert mapping.severity_named("S3") is None


def test_a_service_is_found_by_id_before_its_name() -> None:
    mapping = make(services={"Payments": {"id": "PA"}, "Ledger": {}})
    section = mapping.service(Reference(id="PA", name="renamed meanwhile"))
    assert section is not None and section.id == "PA"
    assert mapping.service(Reference(id="PB", name="Payments")) is None
    assert mapping.service(Reference(id="PB", name="Ledger")) is not None


def test_an_id_that_one_team_gives_wins_over_a_name_that_another_gives() -> None:
    by_name, by_id = make(), make(team="Other", services={"Whatever": {"id": "PA"}})
    for mappings in ((by_name, by_id), (by_id, by_name)):
        claim = claim_of(mappings, Reference(id="PA", name="Payments"))
        assert claim is not None
        assert claim[0].team == "Other"
        claim = claim_of(mappings, Reference(id="PB", name="Payments"))
        assert claim is not None
        assert claim[0].team == "Payments"


def test_a_mapping_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        make().team = "Other"  # type: ignore[misc] # what is tested
