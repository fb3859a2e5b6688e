"""Keep the severities that an incident had, in the form in which its row stores them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from syncd.domain.history import SeverityPeriod


def with_severity(
    severity_periods: list[dict[str, Any]], severity: str, since: datetime
) -> list[dict[str, Any]]:
    """Return an incident's severity periods, with a new one if its severity changed at `since` (UTC)."""
    if severity_periods and severity_periods[-1]["severity"] == severity:
        return severity_periods
    return [*severity_periods, _stored(SeverityPeriod(severity=severity, since=since))]


def with_move(severity_periods: list[dict[str, Any]], moved_at: datetime) -> list[dict[str, Any]]:
    """Return the severity periods of an incident that owed no postmortem until it was moved (UTC)."""
    if not severity_periods:
        return severity_periods
    *earlier, last = severity_periods
    moved = SeverityPeriod.model_validate(last).model_copy(update={"unowed_until": moved_at})
    return [*earlier, _stored(moved)]


def _stored(period: SeverityPeriod) -> dict[str, Any]:
    return period.model_dump(mode="json", exclude_none=True)
