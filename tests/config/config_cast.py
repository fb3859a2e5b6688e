"""An incident and a mapping to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping


def incident(**changes: Any) -> Incident:
    """An incident of the service Payments."""
    data: dict[str, Any] = {
        "id": "PINC1",
        "number": 42,
        "title": "Payments fail",
        "status": "triggered",
        "service": {"id": "PPAY", "name": "Payments"},
        "created_at": datetime(2026, 12, 1, 5, 12, tzinfo=UTC),
        "html_url": "https://company.pagerduty.example/incidents/PINC1",
    }
    return Incident.model_validate(data | changes)


def mapping(**changes: Any) -> Mapping:
    """A mapping of the service Payments."""
    data: dict[str, Any] = {
        "team": "Payments",
        "enforce_from": "2026-12-01",
        "jira": {"project": "OPS"},
        "services": {"Payments": {}},
    }
    return Mapping.model_validate(data | changes)
